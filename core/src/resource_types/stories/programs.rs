//! Scripts, services, and the types whose services come later.

use std::os::unix::fs::PermissionsExt;

use super::*;

impl Node {
    fn program(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

fn script(node: &Node, text: &str) -> Context {
    let program = node.program("script", text);
    let mut context = node.context("Job", &[("ScriptFilePath", program.to_str().unwrap())]);
    context.provided.network_name = Some("VS1".to_owned());
    context
}

#[tokio::test]
async fn a_script_is_called_with_each_word_and_knows_where_it_is() {
    let node = Node::new();
    let seen = node.folder.path().join("seen");
    let text = format!(
        "echo $1 $HAMQ_NETWORK_NAME $HAMQ_EPOCH \"$HAMQ_RESOURCE\" >> {}",
        seen.display()
    );
    let context = script(&node, &text);
    let mut job = GenericScript::default();
    job.looks_alive().await.unwrap_err();
    job.online(&context).await.unwrap();
    job.looks_alive().await.unwrap();
    job.is_alive().await.unwrap();
    job.offline().await.unwrap();
    job.terminate().await;
    let expected: String = ["online", "looksalive", "isalive", "offline"]
        .map(|verb| format!("{verb} VS1 5 Job\n"))
        .concat();
    assert_eq!(node.file("seen"), expected);
}

#[tokio::test]
async fn a_script_that_fails_says_why_and_one_that_hangs_is_ended() {
    let node = Node::new();
    let context = script(
        &node,
        "case $1 in online) echo no licence >&2; exit 5;; esac",
    );
    let error = GenericScript::default().online(&context).await.unwrap_err();
    assert!(
        error.message.ends_with("exit code 5: no licence"),
        "{error}"
    );
    assert!(node.log().contains("online: no licence"), "{}", node.log());

    let pid = node.folder.path().join("pid");
    let text = format!(
        "case $1 in online) echo $$ > {0}.new; mv {0}.new {0}; sleep 600;; esac",
        pid.display()
    );
    let context = script(&node, &text);
    let mut job = GenericScript::default();
    let written = async {
        while !pid.exists() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        result = job.online(&context) => panic!("{result:?}"),
        () = within(written) => {}
    }
    let process = ProcessIdentity::of(node.file("pid").trim().parse().unwrap());
    job.terminate().await;
    assert!(process.is_err() || process.unwrap().ends_within(Duration::from_secs(5)));
}

#[tokio::test]
async fn a_script_that_is_not_there_or_cannot_run_is_told() {
    let node = Node::new();
    let context = node.context("Job", &[("ScriptFilePath", "/no/such/script")]);
    let error = GenericScript::default().online(&context).await.unwrap_err();
    assert!(
        error.hint.unwrap().contains("also on n1"),
        "{}",
        error.message
    );
}

/// A systemctl that keeps a unit's state in a file and starts a process of its own for it.
const SYSTEMCTL: &str = r#"
d=$(dirname "$0"); shift 2; echo "$@" >> "$d/calls"
active=inactive; sub=dead; pid=0
alive() { kill -0 "$1" 2>/dev/null && ! grep -q ') Z ' /proc/$1/stat; }
[ -s "$d/main" ] && alive $(cat "$d/main") && { active=active; sub=running; pid=$(cat "$d/main"); }
case "$1" in
  show) echo "LoadState=$(cat "$d/load")"; echo "UnitFileState=$(cat "$d/enabled")"
        echo "ActiveState=$active"; echo "SubState=$sub"; echo "Result=success"; echo "MainPID=$pid";;
  start) [ -e "$d/broken" ] && { echo "Job failed." >&2; exit 1; }
         sleep 600 >/dev/null 2>&1 </dev/null & echo $! > "$d/main";;
  stop|kill) [ $pid = 0 ] || { kill -9 $pid; while alive $pid; do :; done; }; : > "$d/main";;
esac"#;

struct Systemd(Node);

impl Systemd {
    fn new() -> (Self, GenericService) {
        let node = Node::new();
        std::fs::create_dir(node.folder.path().join("runtime")).unwrap();
        std::fs::write(node.folder.path().join("load"), "loaded").unwrap();
        std::fs::write(node.folder.path().join("enabled"), "disabled").unwrap();
        let systemctl = node.program("systemctl", SYSTEMCTL);
        let service = GenericService::with(systemctl, node.folder.path().join("runtime"));
        (Self(node), service)
    }

    fn set(&self, file: &str, text: &str) {
        std::fs::write(self.0.folder.path().join(file), text).unwrap();
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        if let Ok(Ok(main)) = self.0.file("main").trim().parse().map(ProcessIdentity::of) {
            main.kill_and_wait(Duration::from_secs(5)).unwrap();
        }
    }
}

#[tokio::test]
async fn a_service_is_started_watched_and_stopped_with_the_virtual_server_s_name() {
    let (systemd, mut service) = Systemd::new();
    let mut context = systemd
        .0
        .context("Db", &[("ServiceName", "db"), ("UseNetworkName", "1")]);
    assert_eq!(
        service.online(&context).await.unwrap_err().kind,
        ErrorKind::DependencyNotFound
    );
    context.provided.network_name = Some("VS1".to_owned());
    context.provided.queue_manager = Some("127.0.1.9:7801".parse().unwrap());
    service.online(&context).await.unwrap();
    let drop_in = systemd.0.file("runtime/db.service.d/50-hamq.conf");
    assert!(
        drop_in.contains("Environment=\"HAMQ_NETWORK_NAME=VS1\""),
        "{drop_in}"
    );
    assert!(
        drop_in.contains("HAMQ_QUEUE_MANAGER=127.0.1.9:7801"),
        "{drop_in}"
    );
    service.looks_alive().await.unwrap();
    service.is_alive().await.unwrap();
    service.offline().await.unwrap();
    assert_eq!(systemd.0.file("runtime/db.service.d/50-hamq.conf"), "");
    assert!(systemd.0.file("calls").contains("stop db.service"));
}

#[tokio::test]
async fn a_service_whose_process_dies_has_failed() {
    let (systemd, mut service) = Systemd::new();
    let context = systemd.0.context("Db", &[("ServiceName", "db.service")]);
    service.online(&context).await.unwrap();
    let main: u32 = systemd.0.file("main").trim().parse().unwrap();
    let main = ProcessIdentity::of(main).unwrap();
    main.kill_and_wait(Duration::from_secs(5)).unwrap();
    let error = service.looks_alive().await.unwrap_err();
    assert!(error.message.contains("inactive/dead"), "{error}");
    service.terminate().await;
}

#[tokio::test]
async fn a_service_that_starts_at_boot_is_unknown_or_fails_is_refused() {
    let (systemd, mut service) = Systemd::new();
    let context = systemd.0.context("Db", &[("ServiceName", "db")]);
    systemd.set("enabled", "enabled");
    let error = service.online(&context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert!(error.hint.unwrap().contains("systemctl disable db.service"));
    systemd.set("enabled", "disabled");
    systemd.set("load", "not-found");
    let error = service.online(&context).await.unwrap_err();
    assert!(error.message.contains("its unit is not-found"), "{error}");
    systemd.set("load", "loaded");
    systemd.set("broken", "");
    let error = service.online(&context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ResourceOnlineFailed);
    assert!(error.message.contains("Job failed."), "{error}");
    let context = systemd
        .0
        .context("Db", &[("ServiceName", "db"), ("StartupParameters", "x")]);
    let error = service.online(&context).await.unwrap_err();
    assert!(error.hint.unwrap().contains("db@.service"));
}

#[tokio::test]
async fn a_node_without_systemd_says_so() {
    let node = Node::new();
    let mut service = GenericService::with("systemctl".into(), node.folder.path().join("none"));
    let context = node.context("Db", &[("ServiceName", "db")]);
    let error = service.online(&context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DeviceNotReady);
    assert_eq!(error.message, "node n1 does not run systemd");
}

#[tokio::test]
async fn triggers_and_the_coordinator_check_what_they_need_and_say_what_this_version_lacks() {
    let node = Node::new();
    let mut context = node.context("Triggers", &[]);
    let start = |context: Context| async move {
        MessageQueuingTriggers.online(&context).await.unwrap_err()
    };
    let error = start(context.clone()).await;
    assert_eq!(error.kind, ErrorKind::DeviceNotReady);
    assert!(error.message.starts_with("device not ready"), "{error}");
    context.features.push("MSMQ-Triggers".to_owned());
    assert!(
        start(context.clone())
            .await
            .message
            .contains("depends on no MSMQ")
    );
    context.provided.queue_manager = Some("127.0.1.9:7801".parse().unwrap());
    assert!(
        start(context.clone())
            .await
            .message
            .contains("depends on no Network Name")
    );
    context.provided.network_name = Some("VS1".to_owned());
    let error = start(context).await;
    assert_eq!(error.kind, ErrorKind::ServiceNotAvailable);
    assert!(error.message.contains("no triggers service"), "{error}");

    let mut context = node.context("DTC", &[]);
    let error = TransactionCoordinator.online(&context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DependencyNotFound);
    context.provided.disk = Some("/srv".into());
    let error = TransactionCoordinator.online(&context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ServiceNotAvailable);
}
