//! Screens as people see them, drawn into a buffer and compared with files.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use hamq_core::api::explain::LogEntry;
use hamq_core::api::group::GroupInfo;
use hamq_core::api::node::NodeInfo;
use hamq_core::api::resource::ResourceInfo;
use hamq_core::api::value::{Time, Value, from_value};
use hamq_core::{ErrorKind, Result};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;

use super::draw::{Ink, draw};
use super::guard::Guard;
use super::keys::Effect;
use super::view::{ClusterNews, Mode, Monitor, News, Panel, QueueNews};
use crate::session::Invoke;

fn typed<T: serde::de::DeserializeOwned>(value: &serde_json::Value) -> T {
    from_value(&Value::serialized(value).unwrap()).unwrap()
}

fn node(name: &str, state: &str, status: Option<&str>) -> NodeInfo {
    typed(
        &json!({"Name": name, "ID": 1, "State": state, "Address": "", "ProcessId": null, "Features": [], "BuildNumber": "", "NodeLowestVersion": 1, "NodeHighestVersion": 1, "StatusInformation": status}),
    )
}

fn group(name: &str, owner: Option<&str>, state: &str) -> GroupInfo {
    typed(
        &json!({"Name": name, "OwnerNode": owner, "State": state, "Epoch": 3, "PersistentState": 1, "PreferredOwners": [],
        "AutoFailbackType": 0, "FailoverThreshold": 2, "FailoverPeriod": 6, "FailbackWindow": "", "Priority": 2000,
        "AntiAffinityClassNames": [], "DefaultOwner": null, "StatusInformation": null}),
    )
}

fn resource(
    name: &str,
    group: &str,
    kind: &str,
    state: &str,
    status: Option<&str>,
) -> ResourceInfo {
    let mut fields = serde_json::Map::new();
    for field in <ResourceInfo as hamq_core::api::spec::Record>::SPEC.fields {
        use hamq_core::api::spec::ValueKind;
        let value = match field.kind {
            _ if field.optional => serde_json::Value::Null,
            ValueKind::Int => json!(0),
            ValueKind::TextList | ValueKind::List => json!([]),
            ValueKind::Switch | ValueKind::Bool => json!(false),
            _ => json!(""),
        };
        fields.insert(field.name.to_owned(), value);
    }
    for (field, value) in [
        ("Name", name),
        ("Group", group),
        ("ResourceType", kind),
        ("State", state),
    ] {
        fields.insert(field.to_owned(), json!(value));
    }
    fields.insert("StatusInformation".to_owned(), json!(status));
    typed(&fields.into())
}

fn event(second: u64, node: &str, level: &str, text: &str) -> LogEntry {
    LogEntry {
        time: Time(1_700_000_000_000 + second * 1_000),
        process_id: None,
        node: node.to_owned(),
        level: level.to_owned(),
        component: "[RCM]".to_owned(),
        group: Some("VS1".to_owned()),
        text: text.to_owned(),
    }
}

fn queue(name: &str, depth: u64, arrived: u64, left: u64) -> QueueNews {
    QueueNews {
        name: name.to_owned(),
        depth,
        arrived,
        left,
    }
}

/// A cluster with one group that works and one that does not.
fn monitor() -> Monitor {
    let mut monitor = Monitor::new(false);
    let cluster = ClusterNews {
        name: "lab".to_owned(),
        nodes: vec![
            node("n1", "Up", None),
            node("n2", "Down", Some("its connection closed at 22:13:20")),
            node("n3", "Up", None),
        ],
        groups: vec![
            group("VS1", Some("n1"), "Online"),
            group("VS2", Some("n3"), "Failed"),
        ],
        resources: vec![
            resource("VS1-Disk", "VS1", "Physical Disk", "Online", None),
            resource("VS1-MSMQ", "VS1", "MSMQ", "Online", None),
            resource(
                "VS2-Disk",
                "VS2",
                "Physical Disk",
                "Failed",
                Some("/srv/vs2 is not there"),
            ),
            resource(
                "VS2-MSMQ",
                "VS2",
                "MSMQ",
                "Offline",
                Some("waits for VS2-Disk"),
            ),
        ],
    };
    monitor.learn(News::Cluster(Ok(cluster)), 1_000);
    let server = || "VS1".to_owned();
    monitor.learn(News::Servers(vec![server()]), 1_000);
    let before = vec![queue("orders", 10, 100, 90), queue("bills", 3, 5, 2)];
    monitor.learn(News::Queues(server(), Ok(before)), 1_000);
    let after = vec![queue("orders", 20, 350, 330), queue("bills", 3, 5, 2)];
    monitor.learn(News::Queues(server(), Ok(after)), 3_000);
    let events = vec![
        event(1, "n2", "ERR", "node n2 is down: its connection closed"),
        event(2, "n1", "INFO", "group VS1 claimed with epoch 3"),
        event(
            4,
            "n3",
            "WARN",
            "resource VS2-Disk failed: /srv/vs2 is not there",
        ),
    ];
    monitor.learn(News::Events(Ok(events)), 3_000);
    monitor
}

fn screen(monitor: &Monitor, width: u16, height: u16, now_ms: u64) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let ink = Ink { colour: false };
    terminal
        .draw(|frame| draw(frame, monitor, now_ms, ink))
        .unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content().chunks(usize::from(width));
    rows.map(|row| {
        let text: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        text.trim_end().to_owned() + "\n"
    })
    .collect()
}

fn press(monitor: &mut Monitor, keys: &str) -> Option<Effect> {
    let mut effect = None;
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        effect = monitor.press(KeyEvent::new(code, KeyModifiers::NONE));
    }
    effect
}

/// Compares with a file; HAMQ_WRITE=1 writes it instead.
fn golden(name: &str, shown: &str) {
    let path = format!(
        "{}/src/monitor/golden/{name}.txt",
        env!("CARGO_MANIFEST_DIR")
    );
    if std::env::var_os("HAMQ_WRITE").is_some() {
        std::fs::write(&path, shown).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(shown, expected, "{name}");
}

#[test]
fn the_usual_screen_and_a_large_one() {
    golden("80x24", &screen(&monitor(), 80, 24, 3_500));
    golden("120x40", &screen(&monitor(), 120, 40, 3_500));
}

#[test]
fn every_size_can_be_drawn() {
    let mut monitor = monitor();
    for mode in ["", "?", "\u{1b}:Get-ClusterGroup", "\u{1b}/vs"] {
        press(&mut monitor, mode);
        for (width, height) in [(1, 1), (40, 10), (41, 11), (80, 24), (200, 60), (300, 5)] {
            screen(&monitor, width, height, 3_500);
        }
    }
}

#[test]
fn old_data_says_how_old_it_is_and_why() {
    let mut monitor = monitor();
    monitor.learn(News::Cluster(Err("no node answers".to_owned())), 9_000);
    let server = "VS1".to_owned();
    monitor.learn(
        News::Queues(
            server,
            Err("the virtual server did not come back".to_owned()),
        ),
        9_000,
    );
    let shown = screen(&monitor, 100, 24, 13_000);
    assert!(shown.contains("12 s old  no node answers"), "{shown}");
    assert!(shown.contains("VS1 orders (10 s old)"), "{shown}");
    assert!(
        shown.contains("! VS1: the virtual server did not"),
        "{shown}"
    );
    assert!(shown.contains("VS1-MSMQ"), "what was known stays: {shown}");
}

#[test]
fn rates_follow_from_two_looks_and_a_restart_is_not_negative() {
    let mut monitor = monitor();
    let orders = |m: &Monitor| {
        let found = m
            .shown_queues()
            .into_iter()
            .find(|(_, l)| l.news.name == "orders");
        found.map(|(_, l)| (l.rate_in, l.rate_out)).unwrap()
    };
    assert_eq!(orders(&monitor), (125.0, 120.0));
    let restarted = vec![queue("orders", 20, 0, 0)];
    monitor.learn(News::Queues("VS1".to_owned(), Ok(restarted)), 4_000);
    assert_eq!(orders(&monitor), (0.0, 0.0));
    monitor.learn(News::Servers(Vec::new()), 5_000);
    assert!(monitor.shown_queues().is_empty());
}

#[test]
fn a_filter_leaves_what_has_it_and_the_group_around_it() {
    let mut monitor = monitor();
    press(&mut monitor, "/vs2-disk\n");
    let shown = screen(&monitor, 80, 24, 3_500);
    for (text, seen) in [
        ("VS2-Disk", true),
        ("! VS2 ", true),
        ("VS2-MSMQ", true),
        ("VS1-Disk", false),
        ("orders", false),
    ] {
        assert_eq!(shown.contains(text), seen, "{text}: {shown}");
    }
    assert!(shown.contains("filter /vs2-disk"), "{shown}");
    press(&mut monitor, "\u{1b}");
    assert!(screen(&monitor, 80, 24, 3_500).contains("orders"));
}

#[test]
fn queues_are_sorted_by_what_was_asked_for() {
    let mut monitor = monitor();
    let names = |m: &Monitor| {
        m.shown_queues()
            .iter()
            .map(|(_, l)| l.news.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&monitor), ["bills", "orders"]);
    press(&mut monitor, "s");
    assert_eq!(names(&monitor), ["orders", "bills"]);
    assert!(screen(&monitor, 80, 24, 3_500).contains("queues by depth"));
}

#[test]
fn the_selected_line_can_be_read_in_full() {
    let mut monitor = monitor();
    press(&mut monitor, "j\n");
    let shown = screen(&monitor, 80, 24, 3_500);
    assert!(
        shown.contains("its connection closed at 22:13:20"),
        "{shown}"
    );
    press(&mut monitor, "x\t\t");
    assert_eq!(
        (&monitor.mode, monitor.focus),
        (&Mode::Watch, Panel::Events)
    );
    press(&mut monitor, "\n");
    let shown = screen(&monitor, 80, 24, 3_500);
    assert!(shown.contains("Level  WARN"), "{shown}");
}

#[test]
fn a_pause_holds_everything_but_what_a_command_says() {
    let mut monitor = monitor();
    press(&mut monitor, "p");
    monitor.learn(News::Cluster(Ok(ClusterNews::default())), 4_000);
    assert_eq!(monitor.cluster.name, "lab");
    assert_eq!(
        press(&mut monitor, ":gcg\n"),
        Some(Effect::Run("gcg".to_owned()))
    );
    monitor.learn(News::Output("VS1\nVS2".to_owned()), 4_000);
    let shown = screen(&monitor, 80, 24, 4_000);
    assert!(
        shown.contains("PAUSED") && shown.contains("output; any other key"),
        "{shown}"
    );
}

/// Remembers what came through.
#[derive(Default)]
struct Through(Mutex<Vec<String>>);

use hamq_core::api::what_if::StepInfo;

impl Invoke for Through {
    fn invoke(&self, name: &str, _: Value) -> Result<Vec<Value>> {
        self.0.lock().unwrap().push(name.to_owned());
        Ok(Vec::new())
    }
    fn what_if(&self, _: &str, _: Value) -> Result<Option<Vec<StepInfo>>> {
        Ok(None)
    }
    fn cancel(&self) {}
    fn cluster(&self) -> Option<String> {
        None
    }
    fn connect(&self, _: &str) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_read_only_monitor_lets_only_reading_through() {
    let through = Arc::new(Through::default());
    let guard = Guard::read_only(Arc::clone(&through) as Arc<dyn Invoke>);
    guard.invoke("Get-ClusterGroup", Value::Null).unwrap();
    for spec in hamq_core::api::COMMANDS {
        let outcome = guard.invoke(spec.name, Value::Null);
        match spec.risk {
            hamq_core::api::spec::Risk::None => drop(outcome.unwrap()),
            _ => assert_eq!(
                outcome.unwrap_err().kind,
                ErrorKind::AccessDenied,
                "{}",
                spec.name
            ),
        }
    }
    assert!(guard.connect("other").is_err());
    assert!(
        !through
            .0
            .lock()
            .unwrap()
            .contains(&"Move-ClusterGroup".to_owned())
    );
}

#[test]
fn a_change_is_asked_for_with_its_object_and_its_consequence() {
    let through = Arc::new(Through::default());
    let (news, learned) = channel();
    let (answers, answered) = channel();
    let guard = Guard::asking(Arc::clone(&through) as Arc<dyn Invoke>, news, answered);
    let call = std::thread::spawn(move || {
        let group = Value::Map(vec![("Name".into(), "VS1".into())]);
        let first = guard.invoke("Stop-ClusterGroup", group.clone());
        (first, guard.invoke("Stop-ClusterGroup", group))
    });
    for (key, expected) in [("n", false), ("y", true)] {
        let mut monitor = monitor();
        monitor.learn(learned.recv().unwrap(), 0);
        let shown = screen(&monitor, 160, 24, 3_500);
        assert!(
            shown.contains("Stop-ClusterGroup -Name VS1: Takes every resource"),
            "{shown}"
        );
        assert_eq!(press(&mut monitor, key), Some(Effect::Answer(expected)));
        answers.send(expected).unwrap();
    }
    let (first, second) = call.join().unwrap();
    assert_eq!(first.unwrap_err().kind, ErrorKind::OperationCancelled);
    second.unwrap();
    assert_eq!(*through.0.lock().unwrap(), ["Stop-ClusterGroup"]);
}
