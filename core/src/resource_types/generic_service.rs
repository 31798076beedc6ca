//! *Generic Service*: a systemd service that the cluster starts and stops.
//!
//! The unit must not start at boot: then it would run on two nodes. With UseNetworkName it gets, as a
//! drop-in of this boot only, the virtual server's name and queue manager in its environment.
//!
//! ```text
//!   systemd there? ► unit there, not enabled? ► drop-in ► systemctl start ► active, with a main process
//! ```

use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use super::{Answer, Context, OnlineReport, Resource, blocking};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;
use crate::sys::process::{Finished, ProcessIdentity, Spawn, run};

/// One call of systemctl that only asks.
const ASK_MAX: Duration = Duration::from_secs(15);
/// A start or stop; the resource's PendingTimeout comes first as a rule.
const ACT_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long the unit may take to end when it is killed.
const KILL_MAX: Duration = Duration::from_secs(30);
const DROP_IN: &str = "50-hamq.conf";

/// The resource; see the module.
#[derive(Debug)]
pub struct GenericService {
    systemctl: PathBuf,
    /// systemd's folder for what holds until the next boot; there only where systemd runs.
    runtime: PathBuf,
    running: Option<Running>,
}

#[derive(Clone, Debug)]
struct Running {
    unit: String,
    main: Option<ProcessIdentity>,
    drop_in: Option<PathBuf>,
}

impl Default for GenericService {
    fn default() -> Self {
        Self {
            systemctl: "systemctl".into(),
            runtime: "/run/systemd/system".into(),
            running: None,
        }
    }
}

/// What systemd says of a unit.
#[derive(Debug, Default)]
struct Unit {
    load: String,
    active: String,
    sub: String,
    file: String,
    result: String,
    main_pid: u32,
}

impl GenericService {
    async fn start(&mut self, context: &Context) -> Result<OnlineReport> {
        let started = Instant::now();
        let unit = unit_name(context)?;
        self.check_systemd(context)?;
        check_startable(&unit, &self.show(&unit).await?)?;
        let drop_in = self.write_drop_in(context, &unit).await?;
        // Known before the start, so that an end finds what was begun.
        self.running = Some(Running {
            unit: unit.clone(),
            main: None,
            drop_in,
        });
        let done = self.systemctl(&["start", &unit], ACT_MAX).await?;
        let now = self.show(&unit).await?;
        if done.exit.code != Some(0) || now.active != "active" {
            let text = format!(
                "service {unit} did not start: {} ({}/{}, {})",
                done.story(),
                now.active,
                now.sub,
                now.result
            );
            return Err(
                Error::new(ErrorKind::ResourceOnlineFailed, text).hint(format!(
                    "journalctl -u {unit} on {} shows more",
                    context.node
                )),
            );
        }
        if let Some(running) = &mut self.running {
            running.main = ProcessIdentity::of(now.main_pid)
                .ok()
                .filter(|p| p.pid != 0);
        }
        Ok(OnlineReport {
            provides: context.provided.clone(),
            steps: vec![("started".to_owned(), started.elapsed().as_secs_f64() * 1e3)],
        })
    }

    fn check_systemd(&self, context: &Context) -> Result<()> {
        if self.runtime.is_dir() {
            return Ok(());
        }
        let text = format!("node {} does not run systemd", context.node);
        Err(Error::new(ErrorKind::DeviceNotReady, text)
            .hint("use a Generic Application or a Generic Script there"))
    }

    async fn show(&self, unit: &str) -> Result<Unit> {
        let what = "--property=LoadState,ActiveState,SubState,UnitFileState,Result,MainPID";
        let done = self.systemctl(&["show", what, "--", unit], ASK_MAX).await?;
        if done.exit.code != Some(0) {
            let text = format!("systemctl show {unit}: {}", done.story());
            return Err(Error::new(ErrorKind::ServiceNotAvailable, text));
        }
        Ok(Unit::parse(&done.output))
    }

    async fn systemctl(&self, arguments: &[&str], limit: Duration) -> Result<Finished> {
        let mut command = vec![self.systemctl.clone().into_os_string()];
        command.extend(["--no-ask-password", "--no-pager"].map(Into::into));
        command.extend(arguments.iter().map(Into::into));
        let what = Spawn {
            command,
            environment: vec![("LC_ALL".to_owned(), "C".to_owned())],
            directory: None,
            keep_as: None,
        };
        run(what, limit).await
    }

    async fn write_drop_in(&self, context: &Context, unit: &str) -> Result<Option<PathBuf>> {
        if context.number("UseNetworkName", 0)? == 0 {
            return Ok(None);
        }
        if context.provided.network_name.is_none() {
            return Err(context.lacks("Network Name").hint(format!(
                "UseNetworkName is set: make {:?} dependent on the Network Name of the group, or it \
                 would talk to the node's own queues",
                context.resource
            )));
        }
        let mut text = String::from(
            "# While the cluster runs this service; gone with the next boot.\n[Service]\n",
        );
        for (name, value) in context.environment() {
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('%', "%%");
            text.push_str(&format!("Environment=\"{name}={value}\"\n"));
        }
        let path = self.runtime.join(format!("{unit}.d")).join(DROP_IN);
        let file = path.clone();
        blocking(move || {
            if let Some(above) = file.parent() {
                folder::create_all(above)?;
            }
            folder::write_durably(&file, text.as_bytes())
        })
        .await?;
        self.systemctl(&["daemon-reload"], ACT_MAX).await?;
        Ok(Some(path))
    }

    /// Ends the service; answers why it did not, if it did not.
    async fn end(&mut self, at_once: bool) -> Result<()> {
        let Some(running) = self.running.clone() else {
            return Ok(());
        };
        let unit = running.unit.as_str();
        if at_once {
            self.systemctl(&["kill", "--signal=SIGKILL", unit], ASK_MAX)
                .await?;
        }
        let limit = if at_once { KILL_MAX } else { ACT_MAX };
        let done = self.systemctl(&["stop", unit], limit).await?;
        let now = self.show(unit).await?;
        if !matches!(now.active.as_str(), "inactive" | "failed") {
            let text = format!(
                "service {unit} did not stop: {} ({})",
                done.story(),
                now.active
            );
            return Err(Error::new(ErrorKind::ResourceFailed, text));
        }
        if let Some(path) = running.drop_in {
            blocking(move || folder::remove_durably(&path)).await?;
            self.systemctl(&["daemon-reload"], ACT_MAX).await?;
        }
        self.running = None;
        Ok(())
    }
}

impl Unit {
    fn parse(text: &str) -> Self {
        let mut unit = Self::default();
        for line in text.lines() {
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim().to_owned();
            match name {
                "LoadState" => unit.load = value,
                "ActiveState" => unit.active = value,
                "SubState" => unit.sub = value,
                "UnitFileState" => unit.file = value,
                "Result" => unit.result = value,
                "MainPID" => unit.main_pid = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        unit
    }
}

/// `NAME.service`; an instance of `NAME@.service` where StartupParameters is set.
fn unit_name(context: &Context) -> Result<String> {
    let name = context.required("ServiceName")?.trim();
    let name = name.strip_suffix(".service").unwrap_or(name);
    let template = name.ends_with('@');
    let instance = context.parameter("StartupParameters").map(str::trim);
    match (template, instance) {
        (false, None) => Ok(format!("{name}.service")),
        (true, Some(instance)) => Ok(format!("{name}{}.service", escaped(instance))),
        (true, None) => Err(Error::new(
            ErrorKind::InvalidParameter,
            format!(
                "{name}.service is a template: {:?} names no instance of it",
                context.resource
            ),
        )
        .hint(format!(
            "Set-ClusterParameter {:?} StartupParameters …",
            context.resource
        ))),
        (false, Some(_)) => Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("{name}.service takes no StartupParameters: it is no template"),
        )
        .hint(format!("make a template unit of it: {name}@.service"))),
    }
}

/// As systemd-escape has it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'/' => out.push('-'),
            b'.' if at == 0 => out.push_str("\\x2e"),
            b if b.is_ascii_alphanumeric() || b":_.".contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("\\x{b:02x}")),
        }
    }
    out
}

fn check_startable(unit: &str, now: &Unit) -> Result<()> {
    if now.load != "loaded" {
        let text = format!("service {unit} cannot be started: its unit is {}", now.load);
        return Err(Error::new(ErrorKind::ResourceNotAvailable, text).hint(
            "the unit must be installed on each node; systemctl list-unit-files shows them",
        ));
    }
    if matches!(now.file.as_str(), "enabled" | "enabled-runtime") {
        let text = format!("service {unit} starts by itself at boot");
        return Err(Error::new(ErrorKind::InvalidRequest, text).hint(format!(
            "systemctl disable {unit}: only the cluster may start it, or it runs on two nodes at once"
        )));
    }
    Ok(())
}

impl Resource for GenericService {
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport> {
        Box::pin(self.start(context))
    }

    fn offline(&mut self) -> Answer<'_, ()> {
        Box::pin(self.end(false))
    }

    fn terminate(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            // systemd goes on with the stop, and says what hangs.
            let _ = self.end(true).await;
            self.running = None;
        })
    }

    /// By its main process, which costs nothing; a service without one is asked for.
    fn looks_alive(&mut self) -> Answer<'_, ()> {
        let main = self.running.as_ref().and_then(|r| r.main.clone());
        match main {
            Some(main) if main.is_alive() => Box::pin(std::future::ready(Ok(()))),
            _ => self.is_alive(),
        }
    }

    fn is_alive(&mut self) -> Answer<'_, ()> {
        Box::pin(async move {
            let Some(unit) = self.running.as_ref().map(|r| r.unit.clone()) else {
                return Err(Error::new(
                    ErrorKind::InvalidState,
                    "the service is not online",
                ));
            };
            let now = self.show(&unit).await?;
            if now.active == "active" {
                let main = ProcessIdentity::of(now.main_pid)
                    .ok()
                    .filter(|p| p.pid != 0);
                self.running.iter_mut().for_each(|r| r.main = main.clone());
                return Ok(());
            }
            let text = format!(
                "service {unit} is {}/{}: {}",
                now.active, now.sub, now.result
            );
            Err(Error::new(ErrorKind::ResourceFailed, text))
        })
    }
}

#[cfg(test)]
impl GenericService {
    pub(super) fn with(systemctl: PathBuf, runtime: PathBuf) -> Self {
        Self {
            systemctl,
            runtime,
            running: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn instances_are_escaped_as_systemd_does() {
        assert_eq!(escaped("a b/c"), r"a\x20b-c");
        assert_eq!(escaped(".x-1"), r"\x2ex\x2d1");
    }
}
