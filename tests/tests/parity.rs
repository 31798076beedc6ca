//! One surface: every command of the list is reachable in the shell, as a rhai function, in Python, over
//! the wire and in the documentation.

use std::path::Path;

use hamq_core::ErrorKind;
use hamq_core::api::spec::{CommandSpec, Completes, ParameterSpec, RunsAt, ValueKind};
use hamq_core::api::value::Value;
use hamq_core::api::{COMMANDS, find};
use hamq_tests::lab::{Lab, client};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

/// Arguments that every check of types and required parameters lets through, and that name nothing; files and folders are in
/// `folder`.
fn arguments(spec: &CommandSpec, folder: &Path) -> Value {
    let required = spec
        .parameters
        .iter()
        .filter(|parameter| parameter.required);
    let value = |parameter: &ParameterSpec| match (parameter.kind, parameter.completes) {
        (ValueKind::Int | ValueKind::Duration, _) => Value::from(1),
        (_, Completes::File) => folder.join("NOSUCH").display().to_string().into(),
        _ => Value::from("NOSUCH/private$/thing"),
    };
    Value::Map(required.map(|p| (Value::from(p.name), value(p))).collect())
}

/// Commands that start or stop processes do so: they are tried with names that they refuse.
#[test]
fn every_command_is_run_by_somebody() {
    let lab = Lab::new(PROGRAM).unwrap();
    for spec in COMMANDS.iter().filter(|spec| spec.name != "Stop-Cluster") {
        let outcome = lab
            .client
            .invoke(spec.name, arguments(spec, lab.folder.path()));
        if let Err(error) = outcome {
            let nobody = error.kind == ErrorKind::Internal
                || error.message.contains("no command")
                || error.message.contains("unknown command");
            assert!(!nobody, "{} ({:?}): {error}", spec.name, spec.runs_at);
        }
    }
}

#[test]
fn without_a_cluster_every_command_says_so_or_needs_none() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(PROGRAM, folder.path()).unwrap();
    for spec in COMMANDS
        .iter()
        .filter(|spec| spec.runs_at != RunsAt::Client)
    {
        let error = client
            .invoke(spec.name, arguments(spec, folder.path()))
            .unwrap_err();
        assert_eq!(
            error.kind,
            ErrorKind::ClusterNotFound,
            "{}: {error}",
            spec.name
        );
        assert!(error.hint.is_some(), "{} gives no hint", spec.name);
    }
}

#[test]
fn documentation_python_and_shell_have_every_command() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |path: &str| std::fs::read_to_string(format!("{root}/{path}")).unwrap();
    let (docs, python) = (
        read("docs/commands.md"),
        read("python/python/hamq/_commands.py"),
    );
    for spec in COMMANDS {
        let method = format!("def {}(", spec.snake_name());
        assert!(python.contains(&method), "Python has no {method}");
        assert!(
            docs.contains(spec.name),
            "docs/commands.md has no {}",
            spec.name
        );
        assert!(
            hamq_shell::cmdlet::find(spec.name).is_some(),
            "the shell has no {}",
            spec.name
        );
    }
}

#[test]
fn every_command_is_a_function_of_the_script_language_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut script = String::new();
    for spec in COMMANDS {
        script.push_str(&format!("print(type_of(Fn(\"{}\")));\n", spec.snake_name()));
        script.push_str(&format!(
            "try {{ {}(#{{NoSuchParameter: 1}}); }} catch (e) {{ print(`{} ${{e.kind}}`); }}\n",
            spec.snake_name(),
            spec.name
        ));
    }
    let file = folder.path().join("all.rhai");
    std::fs::write(&file, script).unwrap();
    let output = std::process::Command::new(PROGRAM)
        .env("HAMQ_HOME", folder.path())
        .arg("run")
        .arg(&file)
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    for spec in COMMANDS {
        assert!(
            shown.contains(&format!("{} Usage", spec.name)),
            "{}: {shown}\n{}",
            spec.name,
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn names_and_aliases_are_unique() {
    for spec in COMMANDS {
        for name in std::iter::once(&spec.name).chain(spec.aliases) {
            assert_eq!(
                find(name).map(|found| found.name),
                Some(spec.name),
                "{name}"
            );
        }
    }
}
