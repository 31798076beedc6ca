//! The command language case by case: what a text shows, or where and why it is refused.

use super::run;
use Expected::{Fails, Shows};

/// What becomes of a text.
pub(super) enum Expected {
    /// It ends with code 0 and shows this.
    Shows(&'static str),
    /// It ends with another code; the place and a part of what is told.
    Fails(&'static str, &'static str),
}

/// The table.
pub(super) const CASES: &[(&str, Expected)] = &[
    // Variables as in PowerShell.
    ("$g = Get-ClusterGroup; echo $g.Count", Shows("2")),
    ("$a = 1\n$a = $a + 1\necho $a", Shows("2")),
    ("$n = 0\nfor i in 0..3 { $n = $n + i }\necho $n", Shows("3")),
    ("$a=7; echo $a", Shows("7")),
    ("let a = 1; $a = 2; echo $a", Shows("2")),
    ("if true { $b = 1 }", Fails("1:12", "b")),
    ("$a == 1", Fails("1:2", "a")),
    // Operators as in PowerShell.
    (
        "Get-ClusterGroup | ? { $_.State -eq 'online' } | % Name",
        Shows("VS1"),
    ),
    (
        "gcg | ? { $_.State -ne \"Online\" -and $_.Name -like 'VS*' } | % Name",
        Shows("VS2"),
    ),
    (
        "gcg | ? { -not ($_.State -match '^on') } | % Name",
        Shows("VS2"),
    ),
    (
        "if (gcg).Count -gt 1 -or false { echo more }",
        Shows("more"),
    ),
    ("let a = 3; if $a + 1 -eq 4 { echo four }", Shows("four")),
    ("echo ('n1' -in ['n1', 'n2'])", Shows("true")),
    ("let eq = 1; let a = 3; print(a -eq)", Shows("2")),
    ("let eq = 1; let a = 3; print(a -eq - 1)", Shows("1")),
    ("print('a' -match '(')", Fails("1:11", "regular expression")),
    // Where commands may stand.
    ("Get-ClusterGroup | % Name", Shows("VS1\nVS2")),
    ("get-clustergroup | FOREACH-object name", Shows("VS1\nVS2")),
    ("gcg | % Name", Shows("VS1\nVS2")),
    ("let g = Get-ClusterGroup; print(g.Count)", Shows("2")),
    (
        "let g = 1\ng = Get-ClusterGroup\nprint(g.Count)",
        Shows("2"),
    ),
    (
        "fn f() { return Get-ClusterGroup }\nprint(f().Count)",
        Shows("2"),
    ),
    (
        "try { throw Get-ClusterGroup } catch (e) { echo caught }",
        Shows("caught"),
    ),
    ("print((Get-ClusterGroup).Count)", Shows("2")),
    ("if true { Get-ClusterGroup | % Name }", Shows("VS1\nVS2")),
    ("if false { echo a } else { echo b }", Shows("b")),
    (
        "for g in (Get-ClusterGroup) { echo $g.Name }",
        Shows("VS1\nVS2"),
    ),
    (
        "let f = || (Get-ClusterGroup).Count; print(f.call())",
        Shows("2"),
    ),
    (
        "let n = switch 1 { 1 => (Get-ClusterGroup).Count, _ => 0 }; print(n)",
        Shows("2"),
    ),
    ("print([(Get-ClusterGroup).Count, 3])", Shows("[2, 3]")),
    ("print(1 + (Get-ClusterGroup).Count)", Shows("3")),
    (
        "let a = 1 + Get-ClusterGroup",
        Fails("test:1:13", "put the command in parentheses"),
    ),
    (
        "print(1, Get-ClusterGroup)",
        Fails("test:1:10", "put the command in parentheses"),
    ),
    (
        "let x = [1, Get-ClusterGroup]",
        Fails("test:1:13", "put the command in parentheses"),
    ),
    (
        "if Get-ClusterGroup { }",
        Fails("test:1:4", "put the command in parentheses"),
    ),
    (
        "Get-ClusterGruop",
        Fails("test:1:1", "did you mean Get-ClusterGroup?"),
    ),
    (
        "echo 1\n  Mvoe-ClusterGroup VS1",
        Fails("test:2:3", "did you mean Move-ClusterGroup?"),
    ),
    (
        "Get-ClusterGroup | Were-Object Name",
        Fails("test:1:20", "did you mean Where-Object?"),
    ),
    (
        "Get-ClusterGroup |",
        Fails("test:1:19", "a command must follow '|'"),
    ),
    ("let Get = 5; let T = 2; print(Get - T)", Shows("3")),
    ("let a = 7; let b = 2; print(a-b)", Shows("5")),
    ("let where = 3; where += 1; print(where)", Shows("4")),
    ("let sort = 4; print(sort * 2)", Shows("8")),
    // Line ends.
    ("Get-ClusterGroup\n| % Name", Shows("VS1\nVS2")),
    ("Get-ClusterGroup |\n  % Name", Shows("VS1\nVS2")),
    (
        "Get-ClusterGroup\n\n  | Select-Object\n  -First 1\n  | % Name",
        Shows("VS1"),
    ),
    ("echo 1,\n 2", Shows("1\n2")),
    ("echo a `\n b", Shows("a\nb")),
    ("let x = 1 +\n 2\nprint(x)", Shows("3")),
    ("let x = 5\n- 1\nprint(x)", Shows("4")),
    ("let x = [\n1,\n2\n]\nprint(x.len())", Shows("2")),
    ("let x = [1, 2]\n .len()\nprint(x)", Shows("2")),
    (
        "let i = if true {1} else {2}\nwhile i < 3 { i += 1 }\nprint(i)",
        Shows("3"),
    ),
    ("echo a; echo b", Shows("a\nb")),
    ("", Shows("")),
    ("\n\n  \n", Shows("")),
    // Comments of both worlds.
    (
        "# all\necho 1 # one\n// two\n/* three */ echo 2",
        Shows("1\n2"),
    ),
    ("<# a\n block #> echo 1", Shows("1")),
    ("echo 1 <# inside #> 2", Shows("1\n2")),
    ("/* a /* b */ c */ print(1)", Shows("1")),
    ("echo a#b", Shows("a#b")),
    ("echo http://h/p//q", Shows("http://h/p//q")),
    // Words as they were typed.
    ("echo .\\private$\\orders", Shows(".\\private$\\orders")),
    ("echo ./private$/orders", Shows("./private$/orders")),
    (
        "echo 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        Shows("3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
    ),
    ("echo tcp://10.0.0.1/x y", Shows("tcp://10.0.0.1/x\ny")),
    ("echo 2026-01-01T10:00:00Z", Shows("2026-01-01T10:00:00Z")),
    (
        "echo 30s 10.0.0.1/24 [a-z]* a*b?",
        Shows("30s\n10.0.0.1/24\n[a-z]*\na*b?"),
    ),
    (
        "echo DIRECT=OS:.\\private$\\q",
        Shows("DIRECT=OS:.\\private$\\q"),
    ),
    ("echo -- -Name", Shows("-Name")),
    ("echo -5", Shows("-5")),
    ("echo é€𝄞", Shows("é€𝄞")),
    ("echo a`,b", Shows("a,b")),
    // Quotes.
    ("echo 'it''s $x'", Shows("it's $x")),
    (
        "let x = 3; echo \"a $x $(x + 1) ${x + 2}\"",
        Shows("a 3 4 5"),
    ),
    ("let g = #{a: 1}; echo \"$(g.a).a\"", Shows("1.a")),
    ("echo \"a `\"b`\" \"\"c\"\"\"", Shows("a \"b\" \"c\"")),
    ("print(\"a \\\n       b\")", Shows("a b")),
    ("echo \"tab\\tend\"", Shows("tab\tend")),
    ("print(`a ${1 + 1}`)", Shows("a 2")),
    ("print(#\"a \"b\" \\n\"#)", Shows("a \"b\" \\n")),
    ("echo \"unclosed", Fails("test:1:6", "not closed")),
    ("echo 'unclosed", Fails("test:1:6", "not closed")),
    (
        "echo \".\\private$\\orders\"",
        Fails("test:1:16", "use '/' as separator"),
    ),
    (
        "echo \"./new$\\x\"",
        Fails("test:1:12", "an escape, not a separator"),
    ),
    ("print(\".\\private\")", Fails("test:1:9", "not an escape")),
    ("echo \"./private$/orders\"", Shows("./private$/orders")),
    // Variables and expressions as arguments.
    ("let x = 3; echo $x", Shows("3")),
    ("let x = 3; echo x", Shows("x")),
    ("let x = #{a: #{b: 4}}; echo $x.a.b", Shows("4")),
    ("let x = [5, 6]; echo $x[1]", Shows("6")),
    ("let s = 'VS1'; echo $s/private$/q", Shows("VS1/private$/q")),
    ("echo (1 + 2)", Shows("3")),
    ("echo (Get-ClusterGroup)[1].Name", Shows("VS2")),
    ("echo (Get-ClusterGroup).Name", Shows("VS1\nVS2")),
    ("echo a,b", Shows("a\nb")),
    ("echo @(1, 2)", Shows("1\n2")),
    ("echo @{ a = 1; b: 2 } | % b", Shows("2")),
    ("echo $true $null $false", Shows("true\nfalse")),
    ("print($true)", Shows("true")),
    ("echo $nowhere", Fails("test:1:7", "'nowhere'")),
    (
        "$global:n = 4\nfn f() { $global:n + 1 }\nprint(f())",
        Shows("5"),
    ),
    (
        "$global:g = Get-ClusterGroup\nprint($global:g.Count)",
        Shows("2"),
    ),
    (
        "Set-Variable site north\necho \"$global:site\"",
        Shows("north"),
    ),
    ("print($global:nothing)", Fails("test:1:7", "has no value")),
    ("print($env:HAMQ_SURELY_NOT_SET == ())", Shows("true")),
    // Parameters.
    (
        "Get-ClusterGroup | Select-Object -First 1 | % Name",
        Shows("VS1"),
    ),
    (
        "Get-ClusterGroup | Select-Object -First:1 | % Name",
        Shows("VS1"),
    ),
    ("Get-ClusterGroup | select -Last 1 | % Name", Shows("VS2")),
    (
        "Get-ClusterGroup | sort Name -Descending:$false | % Name",
        Shows("VS1\nVS2"),
    ),
    (
        "Get-ClusterGroup | sort Name -Descending | % Name",
        Shows("VS2\nVS1"),
    ),
    (
        "Move-ClusterGroup VS1 -Noode n2",
        Fails("test:1:23", "did you mean -Node?"),
    ),
    (
        "Move-ClusterGroup VS1 -Nod n2",
        Fails("test:1:23", "no parameter '-Nod'"),
    ),
    (
        "Move-ClusterGroup VS1 -Node",
        Fails("test:1:23", "needs a value"),
    ),
    (
        "Move-ClusterGroup VS1 -Node -Wait 3s",
        Fails("test:1:23", "needs a value"),
    ),
    (
        "Move-ClusterGroup VS1 -Node n1 -Node n2",
        Fails("test:1:32", "given twice"),
    ),
    (
        "Move-ClusterGroup VS1 VS2 VS3",
        Fails("test:1:27", "takes no further value"),
    ),
    ("Move-ClusterGroup", Fails("test:1:1", "needs -Name")),
    (
        "Move-ClusterGroup VS1 -Wait soon",
        Fails("test:1:23", "a length of time"),
    ),
    (
        "Get-ClusterGroup | select -First many",
        Fails("test:1:27", "a whole number"),
    ),
    (
        "Start-ClusterGroup VS1 -ErrorAction Continu",
        Fails("test:1:24", "did you mean Continue?"),
    ),
    (
        "Get-ClusterGroup -As jsn",
        Fails("test:1:18", "did you mean json?"),
    ),
    (
        "Get-ClusterGroup | where State -eq",
        Fails("test:1:32", "needs a value"),
    ),
    // Splatting.
    (
        "let p = #{ First: 1 }; Get-ClusterGroup | Select-Object @p | % Name",
        Shows("VS1"),
    ),
    (
        "let p = #{ First: 1, Last: 9 }; Get-ClusterGroup | Select-Object -First 2 @p | % Name",
        Shows("VS1\nVS2"),
    ),
    ("let v = ['a', 'b']; echo @v", Shows("a\nb")),
    (
        "let p = #{ Frist: 1 }; Get-ClusterGroup | Select-Object @p",
        Fails("test:1:57", "did you mean First?"),
    ),
    (
        "let p = 5; Get-ClusterGroup @p",
        Fails("test:1:29", "cannot be splatted"),
    ),
    // Sizes.
    ("print(5MB + 1)", Shows("5242881")),
    ("print(2kb)", Shows("2048")),
    ("[1, 3000] | where { $_ > 2KB }", Shows("3000")),
    ("#{ n: 3000 } | where n -gt 2KB | % n", Shows("3000")),
    ("[1, 2, 3] | select -First 1KB", Shows("1\n2\n3")),
    // Script blocks.
    (
        "Get-ClusterGroup | where { $_.State == \"Online\" } | % { $_.Name }",
        Shows("VS1"),
    ),
    (
        "let w = 'Offline'; Get-ClusterGroup | ? { $_.State == w } | % Name",
        Shows("VS2"),
    ),
    ("[1, 2] | % { let x = $_ * 2; x + 1 }", Shows("3\n5")),
    (
        "[1, 2] | % { [10, 20] | % { $_ + 1 } }",
        Shows("11\n21\n11\n21"),
    ),
    ("for n in [1, 2] { [10] | % { $_ + n } }", Shows("11\n12")),
    (
        "Get-ClusterGroup | ? { $_.Stat == 1 }",
        Fails("test:1:26", "did you mean State?"),
    ),
    (
        "Get-ClusterGroup | where { 1 / 0 == 1 }",
        Fails("test:1:30", "Division by zero"),
    ),
    (
        "fn f() {\n  let x = 1 / 0;\n}\n\nf()",
        Fails("test:2:13", "Division by zero"),
    ),
    (
        "Get-ClusterGroup | % {\n  $_.Name +\n  nope\n}",
        Fails("test:3:3", "'nope'"),
    ),
    // Pipelines.
    ("[3, 1, 2] | sort", Shows("1\n2\n3")),
    ("[3, 1, 2] | sort { -$_ }", Shows("3\n2\n1")),
    ("[3, 1, 3] | sort -Unique", Shows("1\n3")),
    ("[3, 1, 2] | sort -Top 2", Shows("1\n2")),
    ("[1, 1, 2] | select -Unique", Shows("1\n2")),
    ("[1, 2, 3] | select -Skip 1", Shows("2\n3")),
    ("[1, 2, 3] | measure | % Count", Shows("3")),
    (
        "[#{n: 1}, #{n: 4}] | measure n -Sum -Maximum | select Sum,Maximum -As csv",
        Shows("Sum,Maximum\n5,4"),
    ),
    (
        "Get-ClusterGroup | group State | % Name",
        Shows("Online\nOffline"),
    ),
    (
        "[1, 2, 3] | group { $_ % 2 } -NoElement -As csv",
        Shows("Count,Name\n2,1\n1,0"),
    ),
    (
        "Get-ClusterGroup | select Name,@{ n = 'Where'; e = { $_.OwnerNode } } -As csv",
        Shows("Name,Where\nVS1,n1\nVS2,n2"),
    ),
    (
        "Get-ClusterGroup | select -ExcludeProperty OwnerNode -As csv",
        Shows("Name,State\nVS1,Online\nVS2,Offline"),
    ),
    (
        "Get-ClusterGroup | select Nmae",
        Fails("test:1:27", "did you mean Name?"),
    ),
    (
        "Get-ClusterGroup | ft | select Name",
        Fails("test:1:20", "must be the last command"),
    ),
    (
        "Get-ClusterGroup -As json | select Name",
        Fails("test:1:18", "-As must be on the last command"),
    ),
    ("Get-ClusterGroup -As name", Shows("VS1\nVS2")),
    (
        "Get-ClusterGroup -As csv",
        Shows("Name,OwnerNode,State\nVS1,n1,Online\nVS2,n2,Offline"),
    ),
    (
        "Get-ClusterGroup | select -First 1 -As jsonl",
        Shows("{\"Name\":\"VS1\",\"OwnerNode\":\"n1\",\"State\":\"Online\"}"),
    ),
    ("[] | select -As json", Shows("[]")),
    ("Get-ClusterGroup | fw", Shows("VS1\nVS2")),
    (
        "let t = (Get-ClusterGroup | ConvertTo-Csv); print(t.Count)",
        Shows("3"),
    ),
    ("echo 'a,b' '1,2' | ConvertFrom-Csv | % b", Shows("2")),
    (
        "'{\"b\":1,\"a\":[2]}' | ConvertFrom-Json | ConvertTo-Json -Compress",
        Shows("{\"b\":1,\"a\":[2]}"),
    ),
    (
        "[1, 2] | Compare-Object @(2, 3) -As csv",
        Shows("InputObject,SideIndicator\n3,=>\n1,<="),
    ),
    (
        "[1, 2] | compare @(2) -IncludeEqual | % SideIndicator",
        Shows("==\n<="),
    ),
    (
        "[1, 2] | tee -Variable kept | measure | % Count\nprint($global:kept.Count)",
        Shows("2\n2"),
    ),
    ("[5] | Get-Member | % Type", Shows("")),
    (
        "Get-ClusterGroup | gm | % Name",
        Shows("Name\nOwnerNode\nState"),
    ),
    ("Invoke-Native printf '%s-%s\\n',a,'b c'", Shows("a-b c")),
    ("[3, 1] | Invoke-Native sort", Shows("1\n3")),
    (
        "Invoke-Native sh '-c','exit 3'",
        Fails("test:1:1", "exit status: 3"),
    ),
    ("Invoke-Native yes | select -First 2", Shows("y\ny")),
    (
        "Invoke-Native hamq-surely-no-such-program",
        Fails("test:1:15", "hamq-surely-no-such-program"),
    ),
    (
        "Receive-MsmqQueue VS1/private$/q -Wait | select -First 2 | measure | % Count",
        Shows("2"),
    ),
    (
        "Receive-MsmqQueue q -Wait -Peek",
        Fails("test:1:1", "cannot go with -Peek"),
    ),
    ("Wait-Condition { 1 == 1 }", Shows("")),
    (
        "Wait-Condition { false } -Timeout 1ms",
        Fails("test:1:1", "still 'false'"),
    ),
    (
        "let r = Invoke-Try { Start-ClusterGroup VS9 }; print(r.kind)",
        Shows("GroupNotFound"),
    ),
    ("let r = Invoke-Try { 1 + 1 }; print(r[0])", Shows("2")),
    // Rows.
    (
        "let r = Get-ClusterGroup | where Name -eq none; print(r.Count); for x in r { print(x) }",
        Shows("0"),
    ),
    (
        "let r = Get-ClusterGroup | where Name -eq VS1; print(r.Count); print(r[0].Name); print(r.Name)",
        Shows("1\nVS1\nVS1"),
    ),
    (
        "print((Get-ClusterGroup).Name)",
        Shows("[\"VS1\", \"VS2\"]"),
    ),
    ("print((Get-ClusterGroup)[-1].Name)", Shows("VS2")),
    (
        "print((Get-ClusterGroup)[7])",
        Fails("test:1:25", "there is no row 7"),
    ),
    ("print(get_cluster_group().Count)", Shows("2")),
    ("fn f(where) { where + 1 }\nprint(f(1))", Shows("2")),
    ("fn f(a, group) { group }\nprint(f(1, 3))", Shows("3")),
    (
        "[1, 2, 3] | measure -Sum -Maximum | select Sum,Maximum -As csv",
        Shows("Sum,Maximum\n6,3"),
    ),
    // Chains, errors, the end.
    ("echo a && echo b || echo c", Shows("a\nb")),
    ("echo a &&\n echo b", Shows("a\nb")),
    ("echo a && ", Fails("test:1:10", "must follow '&&'")),
    ("let a = true; print(a && false || a)", Shows("true")),
    (
        "try { Start-ClusterGroup VS9 } catch (e) { print(`${e.kind} ${e.line}:${e.column}`) }",
        Shows("GroupNotFound 1:7"),
    ),
    (
        "try { Start-ClusterGroup VS9 } catch (e) { }\nprint($Error[0].kind); print($Error.len())",
        Shows("GroupNotFound\n1"),
    ),
    ("echo a\nprint($?)", Shows("a\ntrue")),
    ("throw 'x'", Fails("test:1:1", "x")),
    ("let x = (", Fails("test:1:9", "not closed")),
    ("echo )", Fails("test:1:6", "unexpected ')'")),
    ("let m = @{ a = 1", Fails("test:1:10", "not closed")),
    ("fn f( {", Fails("test:1:7", "not closed")),
    ("let let = 3", Fails("test:1:5", "")),
    ("print(1 +* 2)", Fails("test:1:10", "")),
    ("eval(\"1\")", Fails("test:1:1", "")),
];

#[test]
fn every_case_shows_or_fails_as_the_table_says() {
    assert!(CASES.len() >= 150, "{}", CASES.len());
    let mut wrong = Vec::new();
    for (source, expected) in CASES {
        let ran = run(source);
        let fine = match expected {
            Shows(text) => ran.code == 0 && ran.shown.trim_end() == *text,
            Fails(place, part) => {
                // The column ends where digits end: 1:1 is not 1:12.
                let placed = ran.shown.contains(&format!("{place}\n"));
                ran.code != 0 && placed && ran.shown.contains(part)
            }
        };
        if !fine {
            wrong.push(format!("{source:?} gave {}:\n{}", ran.code, ran.shown));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
