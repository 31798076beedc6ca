//! Traps of the embedded language, each with the test that keeps it shut.

use super::{argument, run, shows, text};
use crate::syntax::translate;

#[test]
fn an_error_is_told_in_the_unit_it_is_in() {
    let mut session = super::session();
    assert_eq!(session.run("first", "fn f() {\n  1 / 0\n}"), Ok(()));
    assert_eq!(session.run("second", "\n\n\nf()"), Err(1));
    let shown = super::shown(&session);
    assert!(shown.contains("first:2:5"), "{shown}");
}

#[test]
fn a_later_unit_redefines_a_function() {
    let mut session = super::session();
    assert_eq!(session.run("a", "fn f() { 1 }\nfn g() { f() }"), Ok(()));
    assert_eq!(session.run("b", "fn f() { 2 }\nprint(g())"), Ok(()));
    assert_eq!(super::shown(&session), "2\n");
}

#[test]
fn lines_beyond_the_positions_of_the_engine_are_refused() {
    let long = format!("let x = \"{}\"", "a".repeat(70_000));
    let many = "\n".repeat(70_000);
    for source in [long, many] {
        let error = translate(&source, 0, false).unwrap_err();
        assert!(error.message.contains("more than"), "{}", error.message);
    }
}

#[test]
fn a_caught_error_has_the_place_and_the_text_of_the_source() {
    shows(
        "let a = Get-ClusterGroup | where State -eq Online; try {\n  let x = 1 / 0;\n} catch (e) { print(`${e.line}:${e.column} ${e.message}`) }",
        "2:13 Division by zero: 1 / 0",
    );
}

#[test]
fn line_ends_end_statements_where_they_should_and_nowhere_else() {
    shows(
        "let a = true\nlet i = if a {1} else {2}\nwhile i < 3 { i += 1 }\nprint(i)",
        "3",
    );
    shows("let x = 5\n- 1\nprint(x)", "4");
    shows("let x = 1 +\n  2\nprint(x)", "3");
    shows("let m = #{\n  a: 1,\n  b: 2\n}\nprint(m.b)", "2");
    shows("let x = [1, 2]\n  .len()\nprint(x)", "2");
    shows("if false {\n  echo a\n}\nelse {\n  echo b\n}", "b");
}

#[test]
fn a_failed_statement_can_be_answered_without_try() {
    let ran = run("Start-ClusterGroup VS9 || echo sorry");
    assert!(ran.shown.ends_with("sorry\n"), "{}", ran.shown);
    assert_eq!(ran.code, 0);
    let ran = run("Start-ClusterGroup VS9 || exit 9\necho never");
    assert_eq!(ran.code, 9);
    let ran = run("Start-ClusterGroup VS9 && echo never");
    assert!(!ran.shown.contains("\nnever"), "{}", ran.shown);
    assert_eq!(ran.code, 1);
    shows("echo a && echo b || echo c", "a\nb");
    let ran = run("Start-ClusterGroup VS9 || Start-ClusterGroup VS8 || echo both && echo on");
    assert!(ran.shown.ends_with("both\non\n"), "{}", ran.shown);
    shows("fn f() { echo a && echo b }\nf()", "a\nb");
    shows("let a = true; let b = a && false || a; print(b)", "true");
    assert!(translate("echo a &&", 0, true).unwrap_err().incomplete);
}

#[test]
fn a_function_sees_its_parameters_and_not_the_session() {
    let ran = run("let secret = 1\nfn f() { secret }\nf()");
    assert_eq!(ran.code, 2, "{}", ran.shown);
    assert!(ran.shown.contains("no variable and no command 'secret'"));
    assert!(ran.shown.contains("test:2:10"), "{}", ran.shown);
}

#[test]
fn a_block_sees_the_value_of_the_loop_it_runs_in() {
    shows("for n in [1, 2, 3] { [10] | % { $_ + n } }", "11\n12\n13");
}

#[test]
fn an_undefined_name_is_told_before_anything_runs() {
    let ran = run("Move-ClusterGroup VS1\nprint(nowhere)");
    assert!(ran.calls.is_empty());
    assert_eq!(ran.code, 2);
    assert!(ran.shown.contains("'nowhere'"), "{}", ran.shown);
}

#[test]
fn properties_ignore_case_and_plain_maps_can_be_written() {
    shows(
        "let g = Get-ClusterGroup | select -First 1; print(g.ownernode)",
        "n1",
    );
    shows("let m = #{}; m[\"x\"] = 3; m.y = 4; print(m.x + m.y)", "7");
}

#[test]
fn text_is_never_evaluated_behind_the_front_end() {
    let ran = run("eval(\"1\")");
    assert_eq!(ran.code, 2, "{}", ran.shown);
}

#[test]
fn endless_recursion_ends_with_an_error_and_not_with_the_process() {
    let deep = std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(|| run("fn f(n) { f(n + 1) }\nf(0)").code)
        .unwrap();
    assert_eq!(deep.join().unwrap(), 1);
}

#[test]
fn brackets_nested_without_end_are_refused() {
    let error = translate(&"(".repeat(5_000), 0, false).unwrap_err();
    assert!(error.message.contains("deeper than"), "{}", error.message);
}

#[test]
fn a_bare_variable_gives_its_value_and_not_its_name() {
    assert_eq!(
        argument("let vs = 'VS1'; Move-ClusterGroup $vs", "Name"),
        text("VS1")
    );
    assert_eq!(
        argument("let vs = 'VS1'; Move-ClusterGroup vs", "Name"),
        text("vs")
    );
}

#[test]
fn single_quotes_are_texts_as_they_stand() {
    shows("print('a'.len()); print('it''s $x \\n')", "1\nit's $x \\n");
}

#[test]
fn aliases_that_are_plain_words_stay_usable_as_variables() {
    shows(
        "let where = 3; where = where + 1; print(where)\nlet sort = #{ by: 2 }; print(sort.by)",
        "4\n2",
    );
}

#[test]
fn slashes_do_for_backslashes_and_a_wrong_escape_is_told() {
    assert_eq!(
        argument("Get-MsmqQueue \"./private$/orders\"", "Name"),
        text("./private$/orders")
    );
    let ran = run("Get-MsmqQueue \".\\private$\\orders\"");
    assert!(ran.calls.is_empty(), "{:?}", ran.calls);
    assert_eq!(ran.code, 2, "{}", ran.shown);
}
