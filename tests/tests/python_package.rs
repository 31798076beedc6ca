//! The generated part of the Python package is what the list of commands says now.

use std::path::Path;

use hamq_tests::python_source;

#[test]
fn the_python_methods_are_those_of_the_command_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join(python_source::PATH);
    let generated = python_source::generate();
    if std::env::var_os("HAMQ_WRITE").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = committed
        .lines()
        .zip(generated.lines())
        .position(|(committed, generated)| committed != generated);
    assert!(
        committed == generated,
        "{} is out of date from line {} on; run \
         HAMQ_WRITE=1 cargo test -p hamq-tests --test python_package",
        python_source::PATH,
        differs.map_or(
            committed.lines().count().min(generated.lines().count()),
            |line| line
        ) + 1,
    );
}
