//! The verbs of the shell, and what completion offers.

use std::sync::Arc;

use super::{Double, run, shows};
use crate::editor::Completion;

#[test]
fn rows_are_chosen_by_each_operator() {
    for (test, expected) in [
        ("State -eq online", "VS1"),
        ("State -ne Online", "VS2"),
        ("Name -like 'vs*1'", "VS1"),
        ("Name -notlike '*1'", "VS2"),
        ("Name -match '^vs[12]$'", "VS1\nVS2"),
        ("Name -notmatch 1", "VS2"),
        ("Name -in VS2,VS3", "VS2"),
        ("Name -gt VS1", "VS2"),
        ("Name -le VS1", "VS1"),
    ] {
        shows(
            &format!("Get-ClusterGroup | where {test} | % Name"),
            expected,
        );
    }
    let ran = run("Get-ClusterGroup | where Name -match '('");
    assert!(
        ran.shown.contains("is no regular expression"),
        "{}",
        ran.shown
    );
    assert_eq!(ran.code, 2);
}

#[test]
fn a_csv_file_becomes_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orders.csv");
    std::fs::write(&path, "Name,Text\r\na,\"x, \"\"y\"\"\nz\"\n\nb,\n").unwrap();
    let path = path.display();
    shows(
        &format!("Import-Csv {path} | % {{ print(`${{$_.Name}}=${{$_.text}}`) }}"),
        "a=x, \"y\"\nz\nb=",
    );
    std::fs::write(folder.path().join("torn.csv"), "a,b\n1\n").unwrap();
    let ran = run(&format!("Import-Csv {}/torn.csv", folder.path().display()));
    assert!(ran.shown.contains("row 1 of"), "{}", ran.shown);
    assert_eq!(ran.code, 1);
}

#[test]
fn rows_are_shown_while_they_come() {
    // The second row fails: the first was shown before.
    let ran = run("[1, 0] | % { 6 / $_ }");
    assert!(ran.shown.starts_with("6\nerror: "), "{}", ran.shown);
}

#[test]
fn a_refusal_of_the_cluster_is_a_failure_and_one_of_the_shell_a_refusal() {
    let ran = run("Stop-ClusterGroup VS1");
    assert_eq!((ran.code, ran.shown.contains("InvalidRequest")), (1, true));
    let ran = run("Remove-ClusterGroup VS1");
    assert_eq!((ran.code, ran.shown.contains("InvalidRequest")), (4, true));
    assert!(ran.calls.is_empty());
    assert_eq!(run("Remove-ClusterGroup VS1 -Confirm:$false").code, 0);
}

#[test]
fn a_message_from_the_pipeline_is_sent_with_what_it_says_to_its_receiver() {
    let message = "#{ Queue: 'VS1\\\\private$\\\\dead', Label: 'l', Body: 'x', Priority: 5, IdempotencyKey: 'k' }";
    let rows = "select Queue,Label,Body,Priority,IdempotencyKey";
    let ran = run(&format!(
        "{message} | {rows} | Send-MsmqQueue VS1/private$/q"
    ));
    assert_eq!(ran.code, 0, "{}", ran.shown);
    let (name, arguments) = &ran.calls[0];
    assert_eq!(name, "Send-MsmqQueue");
    let mut given: Vec<String> = arguments
        .as_map()
        .unwrap()
        .iter()
        .map(|(name, value)| format!("{}={value:?}", name.as_text().unwrap_or_default()))
        .collect();
    given.sort();
    let names: Vec<_> = given
        .iter()
        .map(|pair| pair.split('=').next().unwrap_or_default())
        .collect();
    assert_eq!(names, ["Body", "Label", "Name", "Priority"], "{given:?}");
}

fn offers(before: &str) -> Vec<String> {
    let mut completion = Completion::new(Arc::new(Double::default()));
    completion.offers(before); // the first press of the key asks the cluster
    completion.settle(std::time::Duration::from_secs(20));
    let (_, offers) = completion.offers(before);
    offers.into_iter().map(|(word, _)| word).collect()
}

#[test]
fn what_is_typed_is_completed() {
    assert_eq!(offers("Move-ClusterG"), ["Move-ClusterGroup"]);
    assert_eq!(offers("Get-ClusterGroup | Where-O"), ["Where-Object"]);
    assert_eq!(offers("Move-ClusterGroup VS1 -No"), ["-Node"]);
    assert_eq!(offers("Move-ClusterGroup v"), ["VS1", "VS2"]);
    assert_eq!(offers("Send-MsmqQueue vs"), ["VS1/", "VS2/"]);
    assert_eq!(offers("Send-MsmqQueue VS1/p"), ["VS1/private$/orders"]);
    assert_eq!(offers("Set-ClusterParameter VS1-IP a"), ["Address"]);
    assert_eq!(
        offers("Add-ClusterResource D VS1 phys"),
        ["'Physical Disk'"]
    );
    assert_eq!(
        offers("Start-ClusterGroup VS1 -ErrorAction S"),
        ["Stop", "SilentlyContinue"]
    );
}
