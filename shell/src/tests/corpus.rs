//! The language as a whole: rhai's own scripts keep their meaning, no text makes the reader panic.

use std::path::PathBuf;

use rhai::Engine;

use crate::syntax::{site, tokens, translate};

/// rhai's own scripts (tests/rhai, with their license).
fn scripts() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/rhai");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path());
    let mut scripts: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == "rhai"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    scripts.sort();
    scripts
}

/// The one thing that a text in single quotes means otherwise here: one letter is a text and no character.
fn with_texts(text: &str) -> String {
    let letter = regex_lite::Regex::new(r"'([^'\\\n]|\\.)'").unwrap();
    letter.replace_all(text, "\"$1\"").into_owned()
}

/// What a text comes to: the shape of its tree, so that only places, semicolons and comments may differ.
fn tree(engine: &Engine, text: &str) -> Result<String, String> {
    let ast = engine.compile(text).map_err(|e| e.to_string())?;
    let shape = format!("{ast:?}");
    // Places are written `@ line:column`, or `line:column`.
    let place = regex_lite::Regex::new(r"(@ )?\b\d+:\d+\b|\(\d+:\d+\)").unwrap();
    let shape = place.replace_all(&shape, "").into_owned();
    let ends = regex_lite::Regex::new(r"\] -\d+").unwrap();
    let shape = ends.replace_all(&shape, "]").into_owned();
    let names = regex_lite::Regex::new(r"anon\$[0-9a-f]+").unwrap();
    let shape = names.replace_all(&shape, "anon").into_owned();
    let noop = regex_lite::Regex::new(r"\s*Noop,?|source: [^,]*,|doc: [^,]*,|\s+").unwrap();
    let shape = noop.replace_all(&shape, " ").into_owned();
    // Closures are listed in the order of hashes that hang on their places.
    let mut closures: Vec<&str> = shape.split("anon(").collect();
    closures
        .iter_mut()
        .for_each(|part| *part = part.trim_matches([',', ' ', '}']));
    closures.sort_unstable();
    Ok(closures.join("\n"))
}

#[test]
fn the_scripts_of_rhai_keep_their_meaning() {
    let mut engine = Engine::new();
    engine.set_max_expr_depths(128, 128); // as a session has it
    let all = scripts();
    assert!(all.len() >= 28, "{}", all.len());
    for (name, text) in all {
        let before = tree(&engine, &with_texts(&text)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let unit = translate(&text, 0, false).unwrap_or_else(|e| {
            let (line, column) = crate::syntax::source::line_column(&text, e.span.start);
            panic!("{name}:{line}:{column}: {}", e.message)
        });
        assert!(unit.pipelines.is_empty(), "{name} has no commands");
        let after = tree(&engine, &unit.text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(before, after, "{name}\n{}", unit.text);
    }
}

#[test]
fn what_the_scripts_of_rhai_print_is_what_they_print_here() {
    use std::cell::RefCell;
    use std::rc::Rc;
    let mut ran = 0;
    for (name, text) in scripts() {
        // Long ones, those that ask for the clock, and those that import or need what only rhai's own host has.
        if matches!(
            name.as_str(),
            "speed_test.rhai" | "primes.rhai" | "mat_mul.rhai" | "fibonacci.rhai" | "module.rhai"
        ) || text.contains("timestamp")
        {
            continue;
        }
        let printed = |text: &str| {
            let out = Rc::new(RefCell::new(String::new()));
            let mut engine = Engine::new();
            let sink = Rc::clone(&out);
            engine.on_print(move |line| {
                sink.borrow_mut().push_str(line);
                sink.borrow_mut().push('\n');
            });
            // Errors tell places, which may differ; that there is one may not.
            let failed = engine.run(text).is_err();
            (out.take(), failed)
        };
        let unit = translate(&text, 0, false).unwrap();
        // Caught errors are made into records by a function of the session.
        if unit.text.contains("__") {
            continue;
        }
        assert_eq!(printed(&with_texts(&text)), printed(&unit.text), "{name}");
        ran += 1;
    }
    assert!(ran >= 18, "{ran}");
}

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % sides.max(1)
    }
}

const PIECES: [&str; 48] = [
    "\"",
    "'",
    "`",
    "$",
    "$(",
    "${",
    "@{",
    "@(",
    "#{",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "|",
    "||",
    "&&",
    ";",
    "\n",
    ",",
    "-",
    "--",
    "-Name",
    "-First:",
    "/*",
    "*/",
    "<#",
    "#>",
    "#",
    "//",
    ">",
    ">>",
    "\\",
    "@x",
    "$global:x = ",
    "$env:HOME",
    "$?",
    "Get-ClusterGroup",
    "Move-ClusterGroup ",
    "where",
    "let x = ",
    "fn f() {",
    "switch x {",
    "try {",
    "} catch (e) {",
    "5MB",
    "é€𝄞",
];

/// One text, changed in a few places: letters, pieces of the language, and parts of other texts.
fn mutate(dice: &mut Dice, seeds: &[String]) -> String {
    let mut text: Vec<char> = seeds[dice.roll(seeds.len())].chars().collect();
    for _ in 0..=dice.roll(5) {
        let at = dice.roll(text.len() + 1);
        match dice.roll(6) {
            0 if at < text.len() => drop(text.remove(at)),
            1 => text
                .splice(at..at, PIECES[dice.roll(PIECES.len())].chars())
                .for_each(drop),
            2 => text.truncate(at),
            3 => {
                let to = (at + dice.roll(12)).min(text.len());
                text.splice(at..to, []).for_each(drop);
            }
            4 => {
                let other: Vec<char> = seeds[dice.roll(seeds.len())].chars().collect();
                let from = dice.roll(other.len());
                let to = (from + dice.roll(30)).min(other.len());
                text.splice(at..at, other[from..to].iter().copied())
                    .for_each(drop);
            }
            _ => text.insert(
                at,
                char::from_u32(u32::try_from(dice.roll(0x250)).unwrap()).unwrap_or(' '),
            ),
        }
    }
    text.into_iter().collect()
}

/// `HAMQ_MUTATIONS=1000000` for the long run; `HAMQ_SEED` for another one.
#[test]
#[expect(clippy::print_stdout, reason = "the long run tells its figures")]
fn mutated_texts_are_read_or_refused_with_a_place() {
    let set = |name: &str| std::env::var(name).ok().and_then(|v| v.parse().ok());
    let rounds = set("HAMQ_MUTATIONS").unwrap_or(3_000);
    let mut dice = Dice(set("HAMQ_SEED").unwrap_or(0x00C0_FFEE).max(1));
    let mut seeds: Vec<String> = super::cases::CASES.iter().map(|c| c.0.to_owned()).collect();
    seeds.extend(
        scripts()
            .into_iter()
            .map(|(_, text)| text)
            .filter(|t| t.len() < 1_500),
    );
    let (mut read, mut refused) = (0_u64, 0_u64);
    for _ in 0..rounds {
        let text = mutate(&mut dice, &seeds);
        let interactive = dice.roll(2) == 0;
        match translate(&text, 0, interactive) {
            Ok(unit) => {
                read += 1;
                for at in [0, unit.text.len() / 2, unit.text.len()] {
                    assert!(unit.map.source(at) <= text.len(), "{text:?}");
                }
            }
            Err(error) => {
                refused += 1;
                assert!(error.span.start <= text.len(), "{text:?} {error:?}");
                assert!(!error.message.is_empty(), "{text:?}");
            }
        }
        if dice.roll(8) == 0 {
            for token in tokens(&text).0 {
                assert!(token.span.start <= token.span.end, "{text:?} {token:?}");
            }
            assert!(site(&text).start <= text.len(), "{text:?}");
        }
    }
    assert!(
        read > rounds / 50 && refused > rounds / 50,
        "{read} read, {refused} refused"
    );
    println!("{rounds} texts: {read} read, {refused} refused");
}
