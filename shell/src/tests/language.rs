//! What a table cannot tell: files, imported modules, streams that stop, and what binds to what.

use std::rc::Rc;
use std::sync::Arc;

use hamq_core::api::value::Value;

use super::{Double, argument, record, run, session_on, shown, shows, text};
use crate::syntax::{TokenKind, Wanted, site, tokens};

#[test]
fn a_slip_in_the_last_command_stops_the_first_one_too() {
    let ran = run("Move-ClusterGroup VS1 | select -First many");
    assert_eq!((ran.code, ran.calls.len()), (2, 0), "{}", ran.shown);
}

#[test]
fn an_endless_command_is_asked_only_for_what_is_wanted() {
    let ran = run("Receive-MsmqQueue VS1/private$/q -Wait | select -First 3 | Out-Null");
    assert_eq!((ran.code, ran.calls.len()), (0, 3), "{}", ran.shown);
    let named = |v: &Value| {
        v.as_map()
            .unwrap()
            .iter()
            .any(|(k, _)| k.as_text() == Some("Wait"))
    };
    assert!(
        !ran.calls.iter().any(|(_, arguments)| named(arguments)),
        "the core knows no -Wait"
    );
}

#[test]
fn errors_passed_over_are_kept_and_make_code_three() {
    let ran = run("[1, 2] | Start-ClusterGroup -ErrorAction Continue\nprint($Error.len())");
    assert!(ran.shown.ends_with("2\n"), "{}", ran.shown);
    assert_eq!(ran.code, 3);
    let ran = run("Start-ClusterGroup VS9 -ErrorAction SilentlyContinue\nprint($Error[0].message)");
    assert_eq!((ran.code, ran.shown.as_str()), (0, "there is no group\n"));
    let ran = run("Write-Error 'no backup'\necho on");
    assert!(
        ran.shown.contains("no backup") && ran.shown.ends_with("on\n"),
        "{}",
        ran.shown
    );
    assert_eq!(ran.code, 3);
}

#[test]
fn rows_go_to_files_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (table, csv, json) = (path("t.txt"), path("t.csv"), path("t.jsonl"));
    shows(
        &format!("Get-ClusterGroup | select Name > {table}\necho end >> {table}"),
        "",
    );
    assert_eq!(
        std::fs::read_to_string(&table).unwrap(),
        "Name\n----\nVS1\nVS2\n\nend\n"
    );
    shows(
        &format!("Get-ClusterGroup | Export-Csv {csv}\nImport-Csv {csv} | % OwnerNode"),
        "n1\nn2",
    );
    let changed = format!(
        "Get-ClusterGroup | Export-Json {json}\nImport-Json {json} | Compare-Object (Get-ClusterGroup)"
    );
    shows(&changed, "");
    shows(
        &format!("Get-ClusterGroup | tee {table} | measure | % Count"),
        "2",
    );
    let ran = run(&format!("echo a > {table} b"));
    assert_eq!(ran.code, 2, "{}", ran.shown);
    let ran = run(&format!(
        "echo a > {}/no/such/folder",
        folder.path().display()
    ));
    assert_eq!(ran.code, 1, "{}", ran.shown);
}

#[test]
fn a_csv_field_may_hold_anything() {
    shows(
        "#{ a: \"x, \\\"y\\\"\\nz\", b: '' } | ConvertTo-Csv | ConvertFrom-Csv | % a",
        "x, \"y\"\nz",
    );
}

#[test]
fn imported_files_are_read_by_the_same_front_end_with_their_own_places() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file(
        "lib.rhai",
        "# commands are read here too\nfn count() { (Get-ClusterGroup | where State -eq Online).Count }\nfn bad() {\n  Start-ClusterGroup VS9\n}\n",
    );
    file(
        "outer.rhai",
        "import \"lib\" as lib\nfn count() { lib::count() + 1 }\n",
    );
    file("wrong.rhai", "let x = 1\n\n  Mvoe-ClusterGroup VS1\n");
    file("circle.rhai", "import \"circle\" as c");
    let main = folder.path().join("main.rhai").display().to_string();
    let run = |source: &str| {
        let mut session = session_on(&Arc::default());
        let code = session.run(&main, source).err().unwrap_or(0);
        (code, shown(&session))
    };
    assert_eq!(
        run("import \"lib\" as lib\nprint(lib::count())"),
        (0, "1\n".to_owned())
    );
    let (code, told) = run("import \"lib\" as lib\nlib::bad()");
    assert!(code == 1 && told.contains("lib.rhai:4:3"), "{code} {told}");
    let (code, told) = run("import \"wrong\" as w");
    assert!(
        code == 2 && told.contains("wrong.rhai:3:3"),
        "{code} {told}"
    );
    let (code, told) = run("\nimport \"nothing\" as w");
    assert!(code != 0 && told.contains("main.rhai:2:"), "{code} {told}");
    let (_, told) = run("import \"circle\" as c");
    assert!(told.contains("imports itself"), "{told}");
}

/// A row of a shape of the core.
fn row(shape: &'static str, name: &str) -> rhai::Dynamic {
    let value = record(&[("Name", text(name)), ("OwnerNode", text("n7"))]);
    crate::script::value::from_wire(value, shape)
}

fn bound(command: &str, row: &rhai::Dynamic) -> Vec<(String, String)> {
    let spec = crate::cmdlet::find(command).unwrap();
    let bound = crate::pipeline::Bound::new(spec).with_row(row).unwrap();
    let mut all: Vec<_> = bound
        .iter()
        .map(|(name, value)| ((*name).to_owned(), crate::script::value::text(value)))
        .collect();
    all.sort();
    all
}

#[test]
fn what_a_row_is_counts_before_what_its_properties_are_called() {
    let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    assert_eq!(
        bound("Get-ClusterGroup", &row("ClusterNode", "n3")),
        one("Node", "n3")
    );
    assert_eq!(
        bound("Get-ClusterGroup", &row("ClusterGroup", "VS1"))[0].0,
        "Name"
    );
    assert_eq!(
        bound("Get-ClusterNode", &row("ClusterGroup", "VS1")),
        one("Name", "n7")
    );
    assert_eq!(
        bound("Get-ClusterResource", &row("ClusterGroup", "VS1")),
        one("Group", "VS1")
    );
    assert_eq!(
        bound("Move-ClusterGroup", &row("", "VS1")),
        one("Name", "VS1")
    );
    assert_eq!(
        bound("Stop-ClusterGroup", &"VS1".into()),
        one("Name", "VS1")
    );
}

#[test]
fn a_node_sends_its_groups_on() {
    // Example 3 of Microsoft's page on Move-ClusterGroup.
    let ran = run("#{ OwnerNode: 'n2' } | Get-ClusterGroup | Move-ClusterGroup -Node n1");
    let moved: Vec<_> = ran
        .calls
        .iter()
        .filter(|(name, _)| name == "Move-ClusterGroup")
        .collect();
    assert_eq!(moved.len(), 1, "{:?}", ran.calls);
    assert_eq!(
        moved[0].1,
        record(&[("Node", text("n1")), ("Name", text("VS2"))])
    );
}

#[test]
fn sizes_reach_the_core_as_bytes() {
    assert_eq!(
        argument(
            "New-MsmqQueue VS1/private$/q -ReceiveRetryCount 1KB",
            "ReceiveRetryCount"
        ),
        Value::from(1 << 10)
    );
}

#[test]
fn what_is_typed_has_its_kinds() {
    let line = "let x = Get-ClusterGroup | where -FilterScript { $_.a == \"b $x\" } # c";
    let (found, error) = tokens(line);
    assert_eq!(error, None);
    let kinds: Vec<_> = found
        .iter()
        .map(|t| (t.kind, line.get(t.span.start..t.span.end).unwrap()))
        .collect();
    for wanted in [
        (TokenKind::Keyword, "let"),
        (TokenKind::Command, "Get-ClusterGroup"),
        (TokenKind::Command, "where"),
        (TokenKind::Parameter, "-FilterScript"),
        (TokenKind::Variable, "$_"),
        (TokenKind::Text, "\"b $x\""),
        (TokenKind::Variable, "$x"),
        (TokenKind::Comment, "# c"),
    ] {
        assert!(kinds.contains(&wanted), "{wanted:?} in {kinds:?}");
    }
    let (found, error) = tokens("Move-ClusterGroup VS1 -Noode n2");
    assert!(error.is_some());
    assert_eq!(
        found.last().map(|t| (t.kind, t.span.start)),
        Some((TokenKind::Error, 22))
    );
}

#[test]
fn the_end_of_a_text_says_what_may_stand_there() {
    let parameter = |before: &str| match site(before).wanted {
        Wanted::Argument { parameter, .. } => parameter.map(|p| p.name),
        _ => None,
    };
    assert_eq!(parameter("Move-ClusterGroup "), Some("Name"));
    assert_eq!(parameter("Move-ClusterGroup VS1 -Node "), Some("Node"));
    assert_eq!(parameter("Move-ClusterGroup VS1 -Node:n"), Some("Node"));
    assert_eq!(
        parameter("Add-ClusterGroup X -PreferredOwners n1,n"),
        Some("PreferredOwners")
    );
    assert_eq!(parameter("let x = (Get-MsmqQueue 'VS1/pri"), Some("Name"));
    assert_eq!(site("Add-ClusterGroup X -PreferredOwners n1,n").start, 39);
    assert!(matches!(
        site("Get-ClusterGroup | Wh").wanted,
        Wanted::Command
    ));
    assert!(matches!(site("let x = Get-Cl").wanted, Wanted::Command));
    let inside = site("Get-ClusterGroup | where { $_.Sta");
    assert!(matches!(inside.wanted, Wanted::Property));
    assert_eq!(inside.input.map(|r| r.name), Some("ClusterGroup"));
    assert_eq!(inside.start, 30);
}

#[test]
fn an_interrupt_ends_a_wait_and_cannot_be_caught() {
    let double = Arc::new(Double::default());
    let mut session = session_on(&double);
    session
        .state
        .interrupt
        .store(130, std::sync::atomic::Ordering::Relaxed);
    let state = Rc::clone(&session.state);
    assert_eq!(
        session.run("test", "Invoke-Try { Wait-Condition { false } }\nprint(1)"),
        Err(130)
    );
    assert_eq!(state.captured.as_ref().unwrap().borrow().as_str(), "");
}

/// The fenced blocks of a document: language and text.
fn blocks(document: &str) -> Vec<(&str, &str)> {
    let parts = document.split("```").skip(1).step_by(2);
    parts.filter_map(|part| part.split_once('\n')).collect()
}

#[test]
fn what_the_document_of_the_language_shows_is_what_is_shown() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/language.md");
    let document = std::fs::read_to_string(path).unwrap();
    let blocks = blocks(&document);
    let mut compared = 0;
    for pair in blocks.windows(2) {
        if let [("hamq", source), ("text", expected)] = pair {
            let mut session = super::session();
            let _ = session.run("docs", source.trim_end());
            assert_eq!(shown(&session).trim_end(), expected.trim_end(), "{source}");
            compared += 1;
        }
    }
    assert_eq!(compared, 12);
}

#[test]
fn every_example_fits_the_parameters_of_its_commands() {
    use crate::pipeline::bind::bind;
    use crate::syntax::{Operand, translate};
    fn written(operand: &Operand) -> bool {
        match operand {
            Operand::Bare(_) | Operand::Quoted(_) => true,
            Operand::List(items) => items.iter().all(written),
            _ => false,
        }
    }
    let mut bound = 0;
    for example in crate::cmdlet::all().flat_map(|spec| spec.examples) {
        let unit = translate(example.code, 0, false).unwrap();
        for mut stage in unit.pipelines.into_iter().flat_map(|p| p.stages) {
            // Values that only a run gives are left out.
            stage
                .arguments
                .retain(|a| a.operand.as_ref().is_none_or(written));
            let result = bind(&stage, &[]);
            assert!(result.is_ok(), "{}: {:?}", example.code, result.err());
            bound += 1;
        }
    }
    assert!(bound > 150, "{bound}");
}
