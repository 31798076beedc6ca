//! How long the reader of the command language takes a line: `cargo bench -p hamq-shell --bench front`.
//!
//! The lines are those of the help's examples and of rhai's own scripts.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::path::Path;
use std::time::Instant;

use hamq_shell::{cmdlet, syntax};

const ROUNDS: usize = 200;

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rhai");
    let scripts = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let scripts = scripts.filter(|path| path.extension().is_some_and(|e| e == "rhai"));
    let scripts: Vec<_> = scripts
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let examples: Vec<_> = cmdlet::all()
        .flat_map(|s| s.examples)
        .map(|e| e.code)
        .collect();
    let examples = examples.join("\n");
    let long = vec![examples.as_str(); 50].join("\n");
    measure("examples of the help", &[&examples], ROUNDS);
    measure("the same 50 times in one text", &[&long], ROUNDS / 50);
    let scripts: Vec<_> = scripts.iter().map(String::as_str).collect();
    measure("scripts of rhai", &scripts, ROUNDS);
}

fn measure(name: &str, texts: &[&str], rounds: usize) {
    let lines: usize = texts.iter().map(|text| text.lines().count()).sum();
    let mut best = f64::MAX;
    for _ in 0..rounds {
        let begun = Instant::now();
        for text in texts {
            std::hint::black_box(syntax::translate(text, 0, false).unwrap());
        }
        best = best.min(begun.elapsed().as_secs_f64());
    }
    let lines = u32::try_from(lines).unwrap();
    println!(
        "{name}: {:.2} us a line ({lines} lines)",
        best * 1e6 / f64::from(lines)
    );
}
