//! The real `hamq`, started as a person or a script starts it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// A machine on which nothing was ever done.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn hamq(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hamq"));
        command
            .args(arguments)
            .env("HAMQ_HOME", self.0.path().join("home"))
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.hamq(arguments).output().unwrap())
    }

    /// What `hamq` makes of a text on its standard input.
    fn feed(&self, arguments: &[&str], text: &str) -> Ran {
        let mut child = self.hamq(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        drop(input);
        Ran::from(child.wait_with_output().unwrap())
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

#[test]
fn each_way_to_end_has_its_code() {
    let machine = Machine::new();
    for (text, code, said) in [
        ("echo fine", 0, ""),
        ("exit 7", 7, ""),
        ("Get-ClusterGroup", 1, "ClusterNotFound"),
        ("let x = 1 / 0", 1, "Division by zero"),
        ("throw 'no'", 1, "error: no"),
        ("let x = (", 2, "is not closed"),
        ("Get-ClusterGruop", 2, "did you mean Get-ClusterGroup?"),
        ("Move-ClusterGroup VS1 -Noode n2", 2, "did you mean -Node?"),
        (
            "Get-ClusterGroup -ErrorAction Continue",
            3,
            "ClusterNotFound",
        ),
        ("Remove-ClusterGroup VS1", 4, "is not confirmed"),
    ] {
        let ran = machine.run(&["-c", text]);
        assert_eq!(ran.code, Some(code), "{text}: {}", ran.err);
        assert!(ran.err.contains(said), "{text}: {}", ran.err);
    }
}

#[test]
fn options_are_read_and_wrong_ones_told() {
    let machine = Machine::new();
    let version = machine.run(&["--version"]);
    assert_eq!(version.out, format!("hamq {}\n", env!("CARGO_PKG_VERSION")));
    let help = machine.run(&["--help"]);
    assert!(help.out.contains("hamq run FILE"), "{}", help.out);
    for wrong in [&["--verson"][..], &["-c"], &["run"], &["run", "none.rhai"]] {
        let ran = machine.run(wrong);
        assert_eq!(ran.code, Some(2), "{wrong:?}: {}", ran.err);
        assert!(ran.err.starts_with("error: "), "{wrong:?}: {}", ran.err);
        assert!(ran.out.is_empty(), "{wrong:?}: {}", ran.out);
    }
    let ran = machine.run(&["--cluster", "nowhere", "-c", "echo never"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    assert!(ran.err.contains("nowhere"), "{}", ran.err);
}

#[test]
fn a_runbook_reads_its_arguments_and_what_lies_beside_it() {
    let machine = Machine::new();
    std::fs::create_dir(machine.0.path().join("books")).unwrap();
    machine.file("books/names.txt", "one\ntwo\n");
    machine.file(
        "books/drill.rhai",
        "#!/usr/bin/env hamq\nprint(`${ARGS.group} ${ARGS.fast} ${args[0]}`)\n\
         Get-Content $ScriptRoot/names.txt | Measure-Object | select -ExpandProperty Count\n",
    );
    let ran = machine.run(&[
        "run",
        "books/drill.rhai",
        "--group",
        "VS1",
        "more",
        "--fast",
    ]);
    assert_eq!(ran.out, "VS1 true more\n2\n", "{}", ran.err);
    assert_eq!(ran.code, Some(0));
}

#[test]
fn an_error_of_a_runbook_names_its_line() {
    let machine = Machine::new();
    machine.file("broken.rhai", "let a = 1\n\nfn f(x) {\n  x / 0\n}\nf(a)\n");
    let ran = machine.run(&["run", "broken.rhai"]);
    assert_eq!(ran.code, Some(1));
    let expected = "error: Division by zero: 1 / 0 (InvalidState)\n --> broken.rhai:4:5\n\
                    4 |   x / 0\n  |     ^\n";
    assert_eq!(ran.err, expected);
}

#[test]
fn rows_are_json_lines_when_asked_for() {
    let machine = Machine::new();
    let ran = machine.run(&["--json", "-c", "[#{ a: 1 }, #{ a: 'x' }] | select a"]);
    assert_eq!(ran.out, "{\"a\":1}\n{\"a\":\"x\"}\n", "{}", ran.err);
}

#[test]
fn standard_input_is_a_script() {
    let machine = Machine::new();
    let ran = machine.feed(&[], "fn twice(n) {\n  n * 2\n}\necho $(twice(4))\nexit 5\n");
    assert_eq!(
        (ran.out.as_str(), ran.code),
        ("8\n", Some(5)),
        "{}",
        ran.err
    );
}

#[test]
fn tables_are_never_cut_off_a_terminal() {
    let machine = Machine::new();
    let long = "x".repeat(300);
    let ran = machine.run(&["-c", &format!("#{{ a: '{long}', b: 1 }} | select a,b")]);
    assert!(ran.out.contains(&long), "{}", ran.out);
}

/// A child that has said its first line.
fn begun(mut command: Command) -> (Child, BufReader<std::process::ChildStdout>, String) {
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    (child, out, line)
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let machine = Machine::new();
    let (mut child, out, line) = begun(machine.hamq(&["-c", "loop { echo more }"]));
    assert_eq!(line, "more\n");
    drop(out);
    let code = child.wait().unwrap().code();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!((code, said.as_str()), (Some(141), ""));
}

#[test]
fn signals_end_what_waits() {
    let machine = Machine::new();
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        for wait in [
            "Start-Sleep 600s",
            "try { loop {} } catch (e) { echo caught }",
        ] {
            let text = format!("echo ready; {wait}; echo never");
            let (mut child, mut out, line) = begun(machine.hamq(&["-c", &text]));
            assert_eq!(line, "ready\n");
            let id = child.id().to_string();
            let sent = Command::new("kill").args(["-s", signal, &id]).status();
            assert!(sent.unwrap().success());
            assert_eq!(child.wait().unwrap().code(), Some(code), "{signal} {wait}");
            let mut rest = String::new();
            out.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "");
        }
    }
}

#[test]
fn a_script_gets_its_parameters_from_the_command_line() {
    let machine = Machine::new();
    machine.file(
        "book.rhai",
        "#!/usr/bin/env hamq\n# Says it.\nparam([Parameter(Mandatory)] [string] $Text, [int] $Times = 1)\nfor i in 0..Times { echo $Text }\n",
    );
    let ran = machine.run(&["run", "book.rhai", "-Times", "2", "hey"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "hey\nhey\n"),
        "{}",
        ran.err
    );
    let ran = machine.run(&["run", "book.rhai", "hey", "-Tmies", "2"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("did you mean -Times?"), "{}", ran.err);
    let ran = machine.run(&["./book.rhai", "-Text", "hey"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "hey\n"), "as by #!");
    let ran = machine.run(&["book.rahi"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("book.rahi"), "{}", ran.err);
    let ran = machine.run(&["run", "book.rhai", "-?"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.out.contains("Says it.") && ran.out.contains("[-Text] <text>"),
        "{}",
        ran.out
    );
}

#[test]
fn test_files_are_run_and_reported_as_junit() {
    let machine = Machine::new();
    machine.file(
        "good.rhai",
        "Describe 'sums' { It 'add up' { Assert-Equal 3 (1 + 2) }\nIt 'are later' -Skip { 1 } }",
    );
    machine.file(
        "bad.rhai",
        "Describe 'sums' { It 'are <wrong>' { Assert-Equal 4 (1 + 2) } }",
    );
    machine.file("broken.rhai", "It 'is fine' { 1 }\nlet x = 1 / 0\n");
    let ran = machine.run(&["test", "good.rhai", "-JUnit", "good.xml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.out
            .ends_with("tests: 1 passed, 0 failed, 1 skipped; files: 1, 0 of them broken off\n"),
        "{}",
        ran.out
    );
    let ran = machine.run(&[
        "test",
        "good.rhai",
        "bad.rhai",
        "broken.rhai",
        "--junit=all.xml",
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let xml = std::fs::read_to_string(machine.0.path().join("all.xml")).unwrap();
    for part in [
        "<testsuite name=\"bad.rhai\" tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\"",
        "<testcase classname=\"sums\" name=\"are &lt;wrong&gt;\"",
        "message=\"expected &#39;4&#39;, found &#39;3&#39;\">bad.rhai:1:38 ",
        "<skipped/>",
        "<error message=\"it ended early with exit code 1\"/>",
    ] {
        assert!(xml.contains(part), "{part}\n{xml}");
    }
    assert_eq!(machine.run(&["test", "bad.rhai"]).code, Some(1));
    assert_eq!(machine.run(&["test", "missing.rhai"]).code, Some(2));
    assert_eq!(machine.run(&["test"]).code, Some(2));
    assert_eq!(
        machine.run(&["test", "good.rhai", "-Jnuit", "x"]).code,
        Some(2)
    );
}
