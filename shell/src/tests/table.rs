//! Where a command may stand and what its words become: one test for each row of the comparison that
//! the front end was chosen by.

use super::{argument, run, shows, text};

#[test]
fn a_pipeline_at_statement_position() {
    shows("Get-ClusterGroup | select -ExpandProperty Name", "VS1\nVS2");
}

#[test]
fn two_statements_on_two_lines_without_semicolons() {
    let ran = run("Move-ClusterGroup VS1\nMove-ClusterGroup VS2");
    let names: Vec<_> = ran.calls.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Move-ClusterGroup", "Move-ClusterGroup"]);
}

#[test]
fn a_command_after_let_followed_by_more() {
    shows("let g = Get-ClusterGroup; print(g.Count)", "2");
    shows("let g = Get-ClusterGroup\nprint(g[1].Name)", "VS2");
}

#[test]
fn a_command_in_parentheses_a_condition_a_function_a_closure_and_a_call() {
    shows("print((Get-ClusterGroup).Count)", "2");
    shows("if (Get-ClusterGroup).Count > 1 { echo many }", "many");
    shows("fn f() { Get-ClusterGroup }\nprint(f().Count)", "2");
    shows("let f = || (Get-ClusterGroup).Count; print(f.call())", "2");
    shows("print(max((Get-ClusterGroup).Count, 1))", "2");
}

#[test]
fn a_command_in_an_interpolation() {
    shows(
        "print(`there are ${(Get-ClusterGroup).Count}`)",
        "there are 2",
    );
    shows(
        "echo \"there are $((Get-ClusterGroup).Count)\"",
        "there are 2",
    );
}

#[test]
fn a_script_block_that_captures_a_local() {
    shows(
        "let w = 'Online'\nGet-ClusterGroup | where { $_.State == w } | % Name",
        "VS1",
    );
    shows(
        "fn f(w) { Get-ClusterGroup | where { $_.State == w } | % Name }\nf('Offline')[0]",
        "VS2",
    );
}

#[test]
fn a_local_queue_path() {
    assert_eq!(
        argument("Get-MsmqQueue .\\private$\\orders", "Name"),
        text(".\\private$\\orders")
    );
}

#[test]
fn a_word_with_slashes_is_not_cut_at_a_comment() {
    assert_eq!(
        argument("Send-MsmqQueue tcp://h/x y", "Name"),
        text("tcp://h/x")
    );
}

#[test]
fn a_guid_with_an_exponent_in_it() {
    let guid = "3f2504e0-4f89-11d3-9a0c-0305e84c3301";
    assert_eq!(
        argument(&format!("Get-MsmqQueue {guid}"), "Name"),
        text(guid)
    );
}

#[test]
fn a_time_stamp() {
    let time = "2026-01-01T10:00:00Z";
    assert_eq!(
        argument(&format!("Get-MsmqQueue {time}"), "Name"),
        text(time)
    );
}

#[test]
fn a_name_with_a_blank_in_quotes() {
    assert_eq!(
        argument("Get-MsmqQueue 'my queue'", "Name"),
        text("my queue")
    );
}

#[test]
fn words_that_look_like_sums_patterns_and_networks() {
    for word in ["30s", "a*b", "10.0.0.1/24", "5MB"] {
        assert_eq!(
            argument(&format!("Get-MsmqQueue {word}"), "Name"),
            text(word)
        );
    }
}

#[test]
fn variables_that_look_like_verbs() {
    shows("let Get = 5; let T = 2; print(Get - T)", "3");
    shows("let a = 7; let b = 2; print(a-b)", "5");
}

#[test]
fn comments_inside_and_many_lines() {
    shows(
        "Get-ClusterGroup | # all of them\n  where State -eq Online | /* their\n names */ % Name // done",
        "VS1",
    );
}

#[test]
fn an_unknown_parameter_is_told_before_anything_runs() {
    let ran = run("Get-ClusterGroup\n\n  Move-ClusterGroup VS1 -Noode n2");
    assert!(ran.calls.is_empty(), "{:?}", ran.calls);
    assert!(ran.shown.contains("no parameter '-Noode'"), "{}", ran.shown);
    assert!(ran.shown.contains("test:3:25"), "{}", ran.shown);
    assert_eq!(ran.code, 2);
}

#[test]
fn a_fault_in_a_block_in_a_stage_and_in_a_function_has_its_column() {
    for (source, place) in [
        ("Get-ClusterGroup | where { 1 / 0 == 1 }", "test:1:30"),
        ("Get-ClusterGroup | % Nmae", "test:1:22"),
        ("fn f() {\n    let x = 1 / 0;\n}\n\nf()", "test:2:15"),
    ] {
        let ran = run(source);
        assert!(ran.shown.contains(place), "{source}\n{}", ran.shown);
        assert_eq!(ran.code, 1, "{source}");
    }
}
