//! Scripts: their parameters, texts that run inside them, and tests of runbooks.

use std::sync::Arc;

use super::{run, session_on, shown, shows};
use crate::cmdlet::help;

/// What a script with these words behind its name shows, and its code.
fn with_words(source: &str, words: &[&str]) -> (u8, String) {
    let mut session = session_on(&Arc::default());
    session.words = words.iter().map(ToString::to_string).collect();
    let code = session.run("x.rhai", source).err().unwrap_or(0);
    (code, shown(&session).trim_end().to_owned())
}

const SCRIPT: &str = "#!/usr/bin/env -S hamq run
# Backs a group up.
#
# Twice is once.
param(
    # The group.
    [Parameter(Mandatory)] [string] $Group,
    [int] $Count = 2 + 1,      # how many
    [ValidateSet('Full', 'Quick')] [Alias('m')] $Mode = 'Full',
    [ValidateRange(1, 10)] [double] $Rate = 1,
    [timespan] $Timeout = '1m',
    [string[]] $Nodes,
    /* dry */ [switch] $WhatIf
)
echo \"$Group $Count $Mode $Rate $Timeout $(Nodes.len()) $WhatIf\"
";

#[test]
fn parameters_of_a_script_are_bound_by_name_and_by_position() {
    for (words, expected) in [
        (&["VS1"] as &[&str], "VS1 3 Full 1.0 60000ms 0 false"),
        (
            &["-Group", "VS1", "-WhatIf"],
            "VS1 3 Full 1.0 60000ms 0 true",
        ),
        (
            &["-group:VS1", "7", "quick"],
            "VS1 7 Quick 1.0 60000ms 0 false",
        ),
        (
            &["--Group=a=b", "-Count", "-3"],
            "a=b -3 Full 1.0 60000ms 0 false",
        ),
        (&["--", "-VS1"], "-VS1 3 Full 1.0 60000ms 0 false"),
        (
            &["VS1", "-Nodes", "n1,n2", "-m", "Full"],
            "VS1 3 Full 1.0 60000ms 2 false",
        ),
        (
            &["VS1", "-Count", "5KB", "-Timeout", "30"],
            "VS1 5120 Full 1.0 30000ms 0 false",
        ),
        (
            &["VS1", "-WhatIf:$false", "-Rate", "2.5"],
            "VS1 3 Full 2.5 60000ms 0 false",
        ),
    ] {
        assert_eq!(
            with_words(SCRIPT, words),
            (0, expected.to_owned()),
            "{words:?}"
        );
    }
}

#[test]
fn what_does_not_fit_a_script_is_told_with_the_place_of_its_parameter() {
    for (words, told, place) in [
        (&[] as &[&str], "x.rhai needs -Group", "x.rhai:7:37"),
        (&["VS1", "-Cuont", "1"], "did you mean -Count?", ""),
        (
            &["VS1", "-Count", "many"],
            "-Count of x.rhai cannot be 'many'",
            "x.rhai:8:11",
        ),
        (
            &["VS1", "-Count"],
            "-Count of x.rhai needs a value",
            "x.rhai:8:11",
        ),
        (
            &["VS1", "-Mode", "quik"],
            "did you mean Quick?",
            "x.rhai:9:49",
        ),
        (&["VS1", "-Rate", "11"], "it takes 1 to 10", "x.rhai:10:37"),
        (
            &["VS1", "-Group", "VS2"],
            "-Count of x.rhai cannot be 'VS1'",
            "x.rhai:8:11",
        ),
        (
            &["a", "1", "Full", "1", "1s", "n1", "more"],
            "no further value: 'more'",
            "",
        ),
        (
            &["-Group", "a", "-Group", "b"],
            "is given twice",
            "x.rhai:7:37",
        ),
        (
            &["VS1", "-WhatIf:perhaps"],
            "$true or $false",
            "x.rhai:13:24",
        ),
    ] {
        let (code, shown) = with_words(SCRIPT, words);
        assert_eq!(code, 2, "{words:?} {shown}");
        assert!(
            shown.contains(told) && shown.contains(place),
            "{words:?}\n{shown}"
        );
    }
    // A default is held to the type as well, where it is asked for.
    let (code, shown) = with_words("param([int] $n = 'many')\necho $n", &[]);
    assert!(code == 2 && shown.contains("x.rhai:1:13"), "{code} {shown}");
}

#[test]
fn a_declaration_that_cannot_be_read_is_told_where_it_is() {
    for (source, place, told) in [
        (
            "param([strin] $a)",
            "x.rhai:1:7",
            "there is no type [strin]",
        ),
        (
            "param([Parameter(Mandatry)] $a)",
            "x.rhai:1:7",
            "no 'mandatry'",
        ),
        ("param($a, $A)", "x.rhai:1:11", "declared twice"),
        ("param($a, 3)", "x.rhai:1:11", "unexpected '3'"),
        ("param($a", "x.rhai:1:6", "not closed"),
        ("param($a = )", "x.rhai:1:10", "a value must follow"),
        (
            "param([Parameter(Mandatory)] $a = 1)",
            "x.rhai:1:30",
            "has a default",
        ),
        ("param($a = 1 + Get-Cluster)", "x.rhai:1:16", "parentheses"),
        ("param($a)\n\n  echo $b", "x.rhai:3:9", "no variable"),
    ] {
        let (code, shown) = with_words(source, &[]);
        let found = shown.contains(&format!("{place}\n")) && shown.contains(told);
        assert!(code != 0 && found, "{source}\n{shown}");
    }
    // A call of a function of this name is no declaration.
    shows("fn param(x) { x + 1 }\nprint(param(1))", "2");
}

#[test]
fn the_help_of_a_script_shows_what_it_takes() {
    let page = help::script("x.rhai", SCRIPT).unwrap();
    for part in [
        "Backs a group up.",
        "Twice is once.",
        "[-Group] <text>",
        "[[-Count] <int>]",
        "[-WhatIf]",
        "-Group <text>  (required)",
        "The group.",
        "-Count <int>  (default 2 + 1)",
        "how many",
        "(also -m; Full | Quick; default 'Full')",
        "1 to 10",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.rhai");
    std::fs::write(&path, SCRIPT).unwrap();
    let ran = run(&format!("Get-Help {}", path.display()));
    assert!(
        ran.code == 0 && ran.shown.contains("Backs a group up."),
        "{}",
        ran.shown
    );
}

#[test]
fn a_runbook_runs_inside_a_script_with_its_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.rhai");
    let text = "param([Parameter(Mandatory)] $Group, [int] $n = 1)\nif n > 5 { exit n }\nif n == 5 { exit }\nif n == 4 {\n  1 / 0 }\nGet-ClusterGroup | where Name -eq $Group | % State";
    std::fs::write(&path, text).unwrap();
    let path = path.display();
    shows(
        &format!("Invoke-Runbook {path} @{{ Group = 'VS2' }}"),
        "Offline",
    );
    shows(
        &format!("Invoke-Runbook {path} @{{ Group = 'VS2'; n = 5 }}\necho on"),
        "on",
    );
    for (map, told) in [
        ("@{ n = 2 }", "needs -Group"),
        ("@{ Group = 'a'; m = 2 }", "no parameter '-m'"),
        ("@{ Group = 'a'; n = 'x' }", "cannot be 'x'"),
        ("@{ Group = 'a'; n = 7 }", "ended with code 7"),
        ("@{ Group = 'a'; n = 4 }", "book.rhai:5:5"),
    ] {
        let ran = run(&format!("Invoke-Runbook {path} {map}"));
        assert!(
            ran.code != 0 && ran.shown.contains(told),
            "{map}\n{}",
            ran.shown
        );
    }
    // It runs itself: that ends.
    std::fs::write(
        folder.path().join("self.rhai"),
        "Invoke-Runbook ($ScriptRoot + '/self.rhai')",
    )
    .unwrap();
    let ran = run(&format!(
        "Invoke-Runbook {}/self.rhai",
        folder.path().display()
    ));
    assert!(ran.shown.contains("texts run texts"), "{}", ran.shown);
}

#[test]
fn texts_run_with_the_places_of_their_errors() {
    shows("let r = Invoke-Expression '1 + 2'; print(r[0])", "3");
    shows("iex 'Get-ClusterGroup' | % Name", "VS1\nVS2");
    shows(
        "$global:x = 4\nfn twice(n) { n * 2 }\niex 'twice($global:x)'",
        "8",
    );
    shows("['let a = 1', 'a + 1'] | iex", "2");
    let ran = run("iex \"echo a\n  Move-ClusterGroup VS1 -Noode n2\"");
    assert!(
        ran.shown.contains("Invoke-Expression:2:25"),
        "{}",
        ran.shown
    );
    assert_eq!(ran.code, 2);
    let ran = run("let a = 1\niex '\n  1 / 0'");
    assert!(ran.shown.contains("Invoke-Expression:2:5"), "{}", ran.shown);
    let ran = run("let a = 1\niex 'a'");
    assert!(ran.shown.contains("no variable"), "{}", ran.shown);
}

#[test]
fn tests_of_runbooks_are_told_and_kept() {
    let source = "Describe 'groups' {
  It 'are two' { Assert-Equal 2 (Get-ClusterGroup).Count }
  Describe 'of them' {
    It 'one is online' { Get-ClusterGroup | where State -eq Online | % Name | Assert-Equal VS2 }
    It 'is later' -Skip { throw 'never' }
  }
  It 'fails as it should' { Assert-Throws { Start-ClusterGroup VS9 } -Kind GroupNotFound -Message 'there is*' }
  throw 'outside'
}
It 'stands alone' { Assert-Like 'vs*' VS1; Assert-True { true } }";
    let mut session = session_on(&Arc::default());
    assert_eq!(session.run("x.rhai", source), Err(3));
    let told = shown(&session);
    for part in [
        "groups\n  [+] are two\n  of them\n    [-] one is online\nerror: expected 'VS2', found 'VS1'",
        "x.rhai:4:",
        "    [!] is later (skipped)\n  [+] fails as it should\n  [-] outside of every test\n",
        "[+] stands alone",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let tests = session.state.tests.borrow();
    assert_eq!(tests.cases.len(), 6);
    assert_eq!(tests.cases[1].groups, ["groups", "of them"]);
    assert!(tests.cases[5].groups.is_empty());
}

#[test]
fn assertions_say_what_was_found() {
    for (source, told) in [
        ("Assert-Equal 1 2", "expected '1', found '2'"),
        ("Assert-Equal a A", "expected 'a', found 'A'"),
        ("Assert-Equal 1 2 -Because 'n3 is paused'", "n3 is paused"),
        (
            "['a', 'b'] | Assert-Equal @('a', 'c')",
            "found the list a, b",
        ),
        (
            "Get-ClusterGroup | where Name -eq x | Assert-Equal VS1",
            "found nothing",
        ),
        ("Assert-Equal 1", "needs -Actual"),
        ("Assert-True $false", "it is not so: 'false'"),
        ("Assert-Throws { 1 }", "no error"),
        (
            "Assert-Throws { throw 'x' } -Kind GroupNotFound",
            "expected GroupNotFound",
        ),
        ("Assert-Throws { throw 'x' } -Message y*", "does not fit"),
        ("Assert-Like n* VS1", "'VS1' does not fit 'n*'"),
    ] {
        let ran = run(source);
        assert!(
            ran.code != 0 && ran.shown.contains(told),
            "{source}\n{}",
            ran.shown
        );
    }
    shows(
        "['a', 'b'] | Assert-Equal @('a', 'b')\nAssert-Equal 1 1.0\n@{ a = 1 } | Assert-Equal @{ a = 1 }",
        "",
    );
}

#[test]
fn rows_and_errors_are_kept_in_variables_while_they_pass() {
    shows(
        "Get-ClusterGroup -OutVariable all | select -First 1 | Out-Null\nprint($global:all.Count)",
        "1",
    );
    shows(
        "Get-ClusterGroup -ov g | Out-Null\nGet-ClusterGroup -ov +g | Out-Null\nprint($global:g.Count)",
        "4",
    );
    shows(
        "[1, 2] | Start-ClusterGroup -ErrorAction SilentlyContinue -ErrorVariable bad\nprint($global:bad.Count); print($global:bad[0].kind)",
        "2\nGroupNotFound",
    );
    shows(
        "try { Start-ClusterGroup VS9 -ev e } catch (x) { }\nprint($global:e.kind)",
        "GroupNotFound",
    );
    shows(
        "Get-ClusterGroup -ev e | Out-Null\nprint($global:e.Count)",
        "0",
    );
}

#[test]
fn here_strings_are_whole_lines() {
    for (source, expected) in [
        (
            "echo @'\na \"b\" 'c' $x \\n\n  d\n'@",
            "a \"b\" 'c' $x \\n\n  d",
        ),
        (
            "let x = 2\nlet t = @\"\nx is $x, $(x + 1) and `$x\nC:\\new \"q\"\n\"@\nprint(t)",
            "x is 2, 3 and $x\nC:\\new \"q\"",
        ),
        ("let t = @'\n'@; print(t.len())", "0"),
        ("print(@'\na\n'@ + '!')", "a!"),
        ("echo @'\r\na\r\nb\r\n'@ | % { $_.len() }", "4"),
        ("echo @{ a = @'\nx\n'@ } | % a", "x"),
    ] {
        shows(source, expected);
    }
    let ran = run("echo 1\nlet t = @'\na 'b'@ c");
    assert!(
        ran.shown.contains("test:2:9") && ran.shown.contains("not closed"),
        "{}",
        ran.shown
    );
    let ran = run("echo @'\na\nb\n'@\n  Get-ClusterGruop");
    assert!(ran.shown.contains("test:5:3"), "{}", ran.shown);
    let ran = run("echo @\"\na $(1 + \n\"@");
    assert_eq!(ran.code, 2, "{}", ran.shown);
    assert!(
        crate::syntax::translate("echo @'\na", 0, true)
            .unwrap_err()
            .incomplete
    );
}
