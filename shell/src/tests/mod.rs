//! Tests of the shell as a whole, on a scripted double of the client.

mod cases;
mod commands;
mod corpus;
mod language;
mod pitfalls;
mod scripts;
mod table;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use hamq_core::api::value::Value;
use hamq_core::api::what_if::StepInfo;
use hamq_core::{Error, ErrorKind, Result};

use crate::script::Session;
use crate::session::{Invoke, State};
use crate::syntax::translate;

/// A cluster of two groups that remembers what it was asked.
#[derive(Default)]
struct Double {
    calls: Mutex<Vec<(String, Value)>>,
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn record(fields: &[(&str, Value)]) -> Value {
    Value::Map(fields.iter().map(|(k, v)| (text(k), v.clone())).collect())
}

impl Invoke for Double {
    fn what_if(&self, name: &str, _: Value) -> Result<Option<Vec<StepInfo>>> {
        Ok((name == "Move-ClusterGroup").then(|| {
            vec![StepInfo {
                step: 1,
                action: "Move".to_owned(),
                object: "VS1".to_owned(),
                node: "n2".to_owned(),
                note: "from n1".to_owned(),
            }]
        }))
    }

    fn invoke(&self, name: &str, arguments: Value) -> Result<Vec<Value>> {
        self.calls
            .lock()
            .unwrap()
            .push((name.to_owned(), arguments.clone()));
        let group = |name, node, state| {
            record(&[
                ("Name", text(name)),
                ("OwnerNode", text(node)),
                ("State", text(state)),
            ])
        };
        match name {
            "Get-ClusterGroup" => Ok(vec![
                group("VS1", "n1", "Online"),
                group("VS2", "n2", "Offline"),
            ]),
            "Start-ClusterGroup" => Err(Error::new(ErrorKind::GroupNotFound, "there is no group")
                .hint("Get-ClusterGroup lists them")),
            "Stop-ClusterGroup" => Err(Error::new(ErrorKind::InvalidRequest, "not now")),
            "Get-ClusterParameter" => Ok(vec![record(&[("Name", text("Address"))])]),
            "Get-MsmqQueue" if arguments.as_map().is_some_and(|m| m.len() == 1) => {
                let name = record(&[("Name", text("VS1\\private$\\orders"))]);
                Ok(vec![name])
            }
            _ => Ok(vec![arguments]),
        }
    }
    fn cancel(&self) {}
    fn cluster(&self) -> Option<String> {
        Some("lab".into())
    }
    fn connect(&self, _: &str) -> Result<()> {
        Ok(())
    }
}

struct Ran {
    code: u8,
    shown: String,
    calls: Vec<(String, Value)>,
}

fn session_on(double: &Arc<Double>) -> Session {
    let mut state = State::new(Arc::clone(double) as Arc<dyn Invoke>, false);
    state.captured = Some(RefCell::default());
    state.colour = false;
    Session::new(Rc::new(state), rhai::Map::new().into())
}

fn session() -> Session {
    session_on(&Arc::default())
}

/// What a session has shown so far.
fn shown(session: &Session) -> String {
    session.state.captured.as_ref().unwrap().borrow().clone()
}

fn run(source: &str) -> Ran {
    let double = Arc::new(Double::default());
    let mut session = session_on(&double);
    let code = session.run("test", source).err().unwrap_or(0);
    let shown = shown(&session);
    let calls = double.calls.lock().unwrap().clone();
    Ran { code, shown, calls }
}

/// What the last call got for one parameter.
fn argument(source: &str, name: &str) -> Value {
    let ran = run(source);
    let (_, arguments) = ran.calls.last().unwrap_or_else(|| panic!("{}", ran.shown));
    let entries = arguments.as_map().unwrap();
    let found = entries.iter().find(|(k, _)| k.as_text() == Some(name));
    found.unwrap_or_else(|| panic!("{arguments:?}")).1.clone()
}

fn shows(source: &str, expected: &str) {
    let ran = run(source);
    assert_eq!(ran.shown.trim_end(), expected, "{source}");
    assert_eq!(ran.code, 0, "{source}");
}

#[test]
fn words_arrive_as_they_were_typed() {
    for word in [
        ".\\private$\\q",
        "VS1/private$/orders",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
        "tcp://10.0.0.1/x",
        "2026-01-01T10:00:00Z",
        "127.0.0.1",
        "10.0.0.1/24",
        "a*b",
        "[a-z]*",
        "30s",
    ] {
        assert_eq!(
            argument(&format!("Move-ClusterGroup {word}"), "Name"),
            text(word)
        );
    }
    assert_eq!(argument("Move-ClusterGroup 'it''s'", "Name"), text("it's"));
    assert_eq!(
        argument("let w = 3; move-clustergroup \"a$w $(w + 1)\"", "Name"),
        text("a3 4")
    );
    assert_eq!(
        argument("let w = 3; Move-ClusterGroup $w/private$/q", "Name"),
        text("3/private$/q")
    );
}

#[test]
fn parameters_take_their_types() {
    assert_eq!(
        argument("Move-ClusterGroup VS1 -Wait 30s", "Wait"),
        Value::from(30_000)
    );
    assert_eq!(
        argument("Move-ClusterGroup VS1 -Wait:500ms", "Wait"),
        Value::from(500)
    );
    assert_eq!(
        argument("Move-ClusterGroup VS1\n  -Node n2", "Node"),
        text("n2")
    );
    let owners = argument(
        "Add-ClusterGroup VS1 -PreferredOwners n1,\n n2",
        "PreferredOwners",
    );
    assert_eq!(owners, Value::Array(vec![text("n1"), text("n2")]));
    let force = argument(
        "Remove-ClusterGroup VS1 -Force -RemoveResources:$false",
        "RemoveResources",
    );
    assert_eq!(force, Value::Bool(false));
}

#[test]
fn a_pipeline_filters_binds_and_is_shown() {
    shows(
        "Get-ClusterGroup | Where-Object State -eq Online | Select-Object -ExpandProperty Name",
        "VS1",
    );
    shows(
        "let w = \"Offline\"\nGet-ClusterGroup | where { $_.state == w } | % Name",
        "VS2",
    );
    shows(
        "let g = Get-ClusterGroup | sort Name -Descending\nprint(g[0].Name); print(g.Count)",
        "VS2\n2",
    );
    shows("for g in (Get-ClusterGroup) { echo $g.Name }", "VS1\nVS2");
    shows(
        "fn f(w) { Get-ClusterGroup | ? { $_.State == w } | select -First 1 }\nlet r = f(\"Online\")\nr.Name",
        "VS1",
    );
    shows(
        "if (Get-ClusterGroup).Count == 2 { echo two } else { echo other }",
        "two",
    );
    shows("get_cluster_group().Count", "2");
    shows(
        "Get-ClusterGroup\n| Select-Object Name,State\n| Format-Table",
        "Name  State\n----  -----\nVS1   Online\nVS2   Offline",
    );
    let moved = run("Get-ClusterGroup | Move-ClusterGroup -Node n2");
    assert_eq!(moved.calls.len(), 3);
    assert_eq!(
        moved.calls[1].1,
        record(&[("Node", text("n2")), ("Name", text("VS1"))])
    );
}

#[test]
fn errors_have_their_place() {
    for (source, place, hint) in [
        (
            "\n\n  Move-ClusterGroup VS1 -Noode n2",
            "test:3:25",
            "did you mean -Node?",
        ),
        (
            "Get-ClusterGruop",
            "test:1:1",
            "did you mean Get-ClusterGroup?",
        ),
        (
            "Mvoe-ClusterGroup VS1",
            "test:1:1",
            "did you mean Move-ClusterGroup?",
        ),
        ("let a = 1 + Get-ClusterGroup", "test:1:13", "parentheses"),
        (
            "Get-ClusterGroup | ft | select Name",
            "test:1:20",
            "before it",
        ),
        (
            "\nGet-ClusterGroup | ? { $_.Stat == 1 }",
            "test:2:26",
            "did you mean State?",
        ),
        (
            "fn f() {\n  Start-ClusterGroup VS9\n}\nf()",
            "test:2:3",
            "lists them",
        ),
    ] {
        let ran = run(source);
        assert!(ran.shown.contains(place), "{source}\n{}", ran.shown);
        assert!(ran.shown.contains(hint), "{source}\n{}", ran.shown);
        assert_ne!(ran.code, 0);
    }
}

#[test]
fn errors_are_caught_and_codes_are_kept() {
    shows(
        "\ntry { Start-ClusterGroup VS9 } catch (e) { print(`${e.kind} ${e.line}`) }",
        "GroupNotFound 2",
    );
    shows(
        "try {\n let x = 1 + ();\n} catch (e) { print(e.line) }",
        "2",
    );
    assert_eq!(run("throw \"x\"").code, 1);
    assert_eq!(run("exit 7").code, 7);
    assert_eq!(run("Start-ClusterGroup VS9").code, 1);
    assert_eq!(
        run("Start-ClusterGroup VS9 -ErrorAction Continue\necho on").code,
        3
    );
    assert_eq!(run("Remove-ClusterGroup VS1").code, 4);
    assert!(run("Remove-ClusterGroup VS1 -WhatIf").calls.is_empty());
    let moved = run("Move-ClusterGroup VS1 -WhatIf");
    assert!(moved.calls.is_empty());
    assert_eq!(
        moved.shown,
        "What if: Move-ClusterGroup on 'VS1': risk: medium, it interrupts service\n\
         What if: 1. Move VS1 to n2: from n1\n"
    );
    shows("(Move-ClusterGroup VS1 -WhatIf -As name).Count", "1");
    assert_eq!(run("let x = (").code, 2);
}

#[test]
fn help_fits_eighty_columns() {
    let page = run("Get-Help Move-ClusterGroup -Full").shown;
    assert!(
        page.contains("-Node <text>") && page.contains("EXAMPLES"),
        "{page}"
    );
    for spec in crate::cmdlet::all() {
        let page = run(&format!("Get-Help {} -Full", spec.name)).shown;
        let long = page
            .lines()
            .find(|l| l.chars().count() > 80 && !l.contains(spec.name));
        assert_eq!(long, None, "{}", spec.name);
    }
}

#[test]
fn every_example_can_be_read() {
    for spec in crate::cmdlet::all() {
        for example in spec.examples {
            assert!(
                translate(example.code, 0, false).is_ok(),
                "{}",
                example.code
            );
        }
    }
}

#[test]
fn any_text_is_read_without_a_panic() {
    let seed = "let x = Get-ClusterGroup | ? { $_.State -eq \"a$x $(1)\" } | select Name,@{a=1;b:'c'}\n\
                try { Send-MsmqQueue ./private$/q 'ö' -Label:x } catch (e) { exit 3 } /* c */ # d\n`t${x}`";
    let seed: Vec<char> = seed.chars().collect();
    let mut random: u64 = 42;
    let mut next = |n: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(random >> 33).unwrap() % n
    };
    let (mut good, mut bad) = (0, 0);
    for _ in 0..5_000 {
        let mut text = seed.clone();
        for _ in 0..=next(6) {
            let at = next(text.len().max(1)).min(text.len());
            match next(3) {
                0 if at < text.len() => drop(text.remove(at)),
                1 => text.insert(at, seed[next(seed.len())]),
                _ => text.truncate(at.max(1)),
            }
        }
        match translate(&text.iter().collect::<String>(), 0, next(2) == 0) {
            Ok(_) => good += 1,
            Err(error) => {
                assert!(error.span.start <= text.iter().map(|c| c.len_utf8()).sum::<usize>());
                bad += 1;
            }
        }
    }
    assert!(good > 50 && bad > 50, "{good} {bad}");
}

#[test]
fn a_value_can_lead_a_pipeline() {
    for (text, expected) in [
        ("let rows = [3, 1, 2]; $rows | Sort-Object", "1\n2\n3"),
        ("let m = #{a: 1, b: 2}; m.b | echo", "2"),
        (
            "let n = ([5, 6] | Select-Object -First 1); print(n[0])",
            "5",
        ),
        (
            "let k = 4; print(6 | 1); $k | ForEach-Object { $_ + k }",
            "7\n8",
        ),
        (
            "[1, 2, 3] | where { $_ > 1 } | measure | select -ExpandProperty Count",
            "2",
        ),
    ] {
        shows(text, expected);
    }
}
