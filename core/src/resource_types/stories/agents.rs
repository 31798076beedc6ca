//! OCF agents: one of our own for every exit code, and Debian's where they are installed.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// Does what the files beside it say: `start.code`, `monitor.code` …; runs while `up` is there.
const AGENT: &str = r#"#!/bin/sh
d=$OCF_RESKEY_state
case "$1" in
meta-data) cat <<END
<?xml version="1.0"?><!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="Probe"><version>1.1</version><shortdesc>For tests</shortdesc>
<parameters><parameter name="state" required="1"><shortdesc>Folder</shortdesc><content type="string"/></parameter>
<parameter name="Level"><shortdesc>Level</shortdesc><content type="integer" default="1"/></parameter></parameters>
<actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/>
<action name="monitor" timeout="2s" interval="1s"/><action name="validate-all" timeout="5s"/></actions>
</resource-agent>
END
exit 0;;
esac
echo "$1 $OCF_RESOURCE_INSTANCE $OCF_RESKEY_Level $OCF_RESKEY_CRM_meta_timeout $HAMQ_EPOCH" >> "$d/calls"
[ -e "$d/$1.sleep" ] && sleep 600
[ -s "$d/$1.code" ] && { echo "because of $1" >&2; exit $(cat "$d/$1.code"); }
case "$1" in
start) touch "$d/up";;
stop) rm -f "$d/up";;
monitor) [ -e "$d/up" ] || exit 7;;
esac
exit 0
"#;

struct Lab(Node);

impl Lab {
    fn new() -> (Self, OcfAgent) {
        let node = Node::new();
        let folder = node.folder.path().join("ocf/resource.d/test");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("Probe"), AGENT).unwrap();
        std::fs::set_permissions(folder.join("Probe"), std::fs::Permissions::from_mode(0o755))
            .unwrap();
        let agent = OcfAgent::at(node.folder.path().join("ocf"), "test", "Probe");
        (Self(node), agent)
    }

    fn context(&self) -> Context {
        let state = self.0.folder.path().to_str().unwrap().to_owned();
        self.0
            .context("My Job", &[("STATE", &state), ("level", "4")])
    }

    fn answer(&self, action: &str, code: i32) {
        let text = if code == 0 {
            String::new()
        } else {
            code.to_string()
        };
        std::fs::write(self.0.folder.path().join(format!("{action}.code")), text).unwrap();
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(self.0.folder.path().join("calls")).unwrap_or_default()
    }
}

#[tokio::test]
async fn an_agent_is_validated_started_watched_and_stopped_with_its_own_times() {
    let (lab, mut agent) = Lab::new();
    agent.online(&lab.context()).await.unwrap();
    assert_eq!(
        lab.calls(),
        "validate-all My_Job 4 5000 5\nstart My_Job 4 20000 5\nmonitor My_Job 4 2000 5\n"
    );
    agent.looks_alive().await.unwrap();
    agent.offline().await.unwrap();
    assert!(lab.calls().ends_with("stop My_Job 4 20000 5\n"));
    assert!(!lab.0.folder.path().join("up").exists());
    agent.looks_alive().await.unwrap_err();
}

#[tokio::test]
async fn what_stops_by_itself_is_noticed_at_the_agent_s_interval() {
    let (lab, mut agent) = Lab::new();
    agent.online(&lab.context()).await.unwrap();
    let failed = agent.failed();
    std::fs::remove_file(lab.0.folder.path().join("up")).unwrap();
    assert_eq!(within(failed).await, "ocf:test:Probe is not running");
    agent.looks_alive().await.unwrap_err();
    agent.terminate().await;
}

#[tokio::test]
async fn a_monitor_that_hangs_or_fails_is_a_failure_and_a_degraded_one_a_warning() {
    let (lab, mut agent) = Lab::new();
    lab.answer("monitor", 190);
    agent.online(&lab.context()).await.unwrap();
    assert!(lab.0.log().contains("degraded"), "{}", lab.0.log());
    lab.answer("monitor", 1);
    let why = within(agent.failed()).await;
    assert!(why.contains("exit code 1: because of monitor"), "{why}");
    agent.terminate().await;

    let (lab, mut agent) = Lab::new();
    agent.online(&lab.context()).await.unwrap();
    std::fs::write(lab.0.folder.path().join("monitor.sleep"), "").unwrap();
    let why = within(agent.failed()).await;
    assert!(why.contains("did not end within 2 s"), "{why}");
    agent.terminate().await;
}

#[tokio::test]
async fn exit_codes_of_a_start_become_errors_with_advice() {
    let (lab, mut agent) = Lab::new();
    for (action, code, kind) in [
        ("start", 1, ErrorKind::ResourceOnlineFailed),
        ("start", 4, ErrorKind::AccessDenied),
        ("start", 5, ErrorKind::DeviceNotReady),
        ("validate-all", 6, ErrorKind::InvalidParameter),
    ] {
        lab.answer(action, code);
        let error = agent.online(&lab.context()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{action} {code}");
        assert!(
            error.message.contains(&format!("because of {action}")),
            "{error}"
        );
        lab.answer(action, 0);
    }
    lab.answer("stop", 1);
    agent.online(&lab.context()).await.unwrap();
    assert_eq!(
        agent.offline().await.unwrap_err().kind,
        ErrorKind::ResourceFailed
    );
    agent.terminate().await;
    assert!(
        lab.0.log().contains("may still be running here"),
        "{}",
        lab.0.log()
    );
}

#[tokio::test]
async fn wrong_properties_and_unknown_agents_are_told_before_anything_starts() {
    let (lab, mut agent) = Lab::new();
    let mut context = lab.context();
    context.parameters.insert("sate".to_owned(), "x".to_owned());
    let error = agent.online(&context).await.unwrap_err();
    assert!(error.hint.unwrap().contains("did you mean state"));
    context = lab.context();
    context.parameters.remove("STATE");
    let error = agent.online(&context).await.unwrap_err();
    assert!(
        error.message.contains("needs the property state"),
        "{error}"
    );
    assert_eq!(lab.calls(), "");
    let mut none = OcfAgent::at(lab.0.folder.path().join("ocf"), "test", "None");
    let error = none.online(&lab.context()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DeviceNotReady);
}

/// Debian's agents; `scripts/components` installs them. Answers whether they are there, and says so if not.
fn installed(agent: &str) -> bool {
    let there = Path::new("/usr/lib/ocf/resource.d/heartbeat")
        .join(agent)
        .exists();
    if !there {
        eprintln!(
            "SKIPPED: ocf:heartbeat:{agent} is not installed; scripts/components installs it"
        );
    }
    there
}

#[tokio::test]
async fn every_agent_of_debian_describes_itself() {
    if !installed("Dummy") {
        return;
    }
    let mut read = 0;
    for entry in std::fs::read_dir("/usr/lib/ocf/resource.d/heartbeat").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with('.') {
            continue;
        }
        match describe(&format!("ocf:heartbeat:{name}")).await {
            Ok(about) => {
                assert!(!about.summary.is_empty(), "{name}");
                read += 1;
            }
            // Some need their program even to tell about it.
            Err(error) => eprintln!("{name}: {error}"),
        }
    }
    assert!(read > 100, "only {read} describe themselves");
}

#[tokio::test]
#[ignore = "needs root"]
async fn as_root_the_dummy_of_debian_runs() {
    if !installed("Dummy") {
        return;
    }
    let node = Node::new();
    let state = node.folder.path().join("dummy.state");
    let context = node.context("Dummy 1", &[("state", state.to_str().unwrap())]);
    let mut agent = create("ocf:heartbeat:Dummy").unwrap();
    agent.online(&context).await.unwrap();
    assert!(state.exists());
    let failed = agent.failed();
    std::fs::remove_file(&state).unwrap();
    let why = tokio::time::timeout(Duration::from_secs(60), failed)
        .await
        .unwrap();
    assert!(why.contains("not running"), "{why}");
    agent.online(&context).await.unwrap();
    agent.offline().await.unwrap();
    assert!(!state.exists());
    let typo = BTreeMap::from([("stat".to_owned(), "/x".to_owned())]);
    let error = check_properties("ocf:heartbeat:Dummy", &typo)
        .await
        .unwrap_err();
    assert!(error.hint.unwrap().contains("did you mean state"));
}
