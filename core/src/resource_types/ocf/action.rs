//! One call of an agent: its environment, its time, its exit code.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::Context;
use super::{MetaData, TIMEOUT_DEFAULT};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::process::{Finished, Spawn, run};

/// How long an agent may take to tell about itself.
const META_DATA_MAX: Duration = Duration::from_secs(30);

/// What `monitor` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// 0, 8: it works.
    Running,
    /// 190, 191: it works, and something is wrong.
    Degraded,
    /// 7: it does not run.
    Stopped,
}

/// An agent with all it must be told.
#[derive(Clone, Debug)]
pub(super) struct Agent {
    program: PathBuf,
    label: String,
    environment: Vec<(String, String)>,
    about: MetaData,
}

impl Agent {
    pub(super) fn new(root: &Path, provider: &str, name: &str, context: Option<&Context>) -> Self {
        let mut environment = vec![
            ("OCF_ROOT".to_owned(), root.display().to_string()),
            ("OCF_RA_VERSION_MAJOR".to_owned(), "1".to_owned()),
            ("OCF_RA_VERSION_MINOR".to_owned(), "1".to_owned()),
            ("OCF_RESOURCE_TYPE".to_owned(), name.to_owned()),
            ("OCF_RESOURCE_PROVIDER".to_owned(), provider.to_owned()),
            (
                "PATH".to_owned(),
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            ),
            ("LC_ALL".to_owned(), "C".to_owned()),
        ];
        let instance = context.map_or(name, |c| &c.resource).replace(' ', "_");
        environment.push(("OCF_RESOURCE_INSTANCE".to_owned(), instance));
        if let Some(context) = context {
            environment.extend(context.environment());
            let set = context.parameters.iter();
            environment.extend(set.map(|(n, v)| (format!("OCF_RESKEY_{n}"), v.clone())));
        }
        Self {
            program: root.join("resource.d").join(provider).join(name),
            label: format!("ocf:{provider}:{name}"),
            environment,
            about: MetaData::default(),
        }
    }

    /// The same with what it says about itself; parameters are then spelled as it spells them.
    pub(super) fn with(mut self, about: MetaData) -> Self {
        for (name, _) in &mut self.environment {
            let key = name
                .strip_prefix("OCF_RESKEY_")
                .and_then(|key| about.spelled(key));
            if let Some(spelled) = key {
                *name = format!("OCF_RESKEY_{spelled}");
            }
        }
        self.about = about;
        self
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// The depths of `monitor`, each with its interval.
    pub(super) fn depths(&self) -> Vec<(u32, Duration)> {
        self.about.depths()
    }

    pub(super) async fn meta_data(&self) -> Result<MetaData> {
        let done = self.call("meta-data", META_DATA_MAX, 0).await?;
        if done.exit.code != Some(0) {
            return Err(self.complaint("meta-data", &done, ErrorKind::ResourceNotAvailable));
        }
        MetaData::parse(&self.label, &done.output)
    }

    /// Its own opinion of its parameters, if it has one.
    pub(super) async fn validate(&self) -> Result<()> {
        if !self.about.has_action("validate-all") {
            return Ok(());
        }
        let done = self
            .call("validate-all", self.limit("validate-all"), 0)
            .await?;
        match done.exit.code {
            Some(0 | 3) => Ok(()),
            _ => Err(self.complaint("validate-all", &done, ErrorKind::InvalidParameter)),
        }
    }

    pub(super) async fn start(&self) -> Result<()> {
        let done = self.call("start", self.limit("start"), 0).await?;
        match done.exit.code {
            Some(0) => Ok(()),
            _ => Err(self.complaint("start", &done, ErrorKind::ResourceOnlineFailed)),
        }
    }

    pub(super) async fn stop(&self) -> Result<()> {
        let done = self.call("stop", self.limit("stop"), 0).await?;
        match done.exit.code {
            Some(0 | 7) => Ok(()),
            _ => Err(self.complaint("stop", &done, ErrorKind::ResourceFailed)),
        }
    }

    pub(super) async fn monitor(&self, depth: u32) -> Result<State> {
        let done = self.call("monitor", self.limit("monitor"), depth).await?;
        match done.exit.code {
            Some(0 | 8) => Ok(State::Running),
            Some(190 | 191) => Ok(State::Degraded),
            Some(7) => Ok(State::Stopped),
            _ => Err(self.complaint("monitor", &done, ErrorKind::ResourceFailed)),
        }
    }

    fn limit(&self, action: &str) -> Duration {
        self.about.timeout(action).unwrap_or(TIMEOUT_DEFAULT)
    }

    async fn call(&self, action: &str, limit: Duration, depth: u32) -> Result<Finished> {
        let mut environment = self.environment.clone();
        environment.push(("OCF_CHECK_LEVEL".to_owned(), depth.to_string()));
        let millis = limit.as_millis().to_string();
        environment.push(("OCF_RESKEY_CRM_meta_timeout".to_owned(), millis));
        environment.push(("OCF_RESKEY_CRM_meta_name".to_owned(), action.to_owned()));
        let what = Spawn {
            command: vec![self.program.clone().into(), action.into()],
            environment,
            directory: None,
            keep_as: None,
        };
        run(what, limit).await.map_err(|e| match e.kind {
            ErrorKind::NotFound => {
                let text = format!("device not ready: {} is not installed on this node", self.label);
                Error::new(ErrorKind::DeviceNotReady, text)
                    .hint("apt-get install resource-agents, or check the name: ls /usr/lib/ocf/resource.d/heartbeat")
            }
            ErrorKind::Timeout => {
                let text = format!("{} {action} did not end within {} s", self.label, limit.as_secs());
                Error::new(ErrorKind::Timeout, text)
            }
            _ => e,
        })
    }

    /// The exit codes of OCF 1.1, in words.
    fn complaint(&self, action: &str, done: &Finished, usual: ErrorKind) -> Error {
        let (kind, words) = match done.exit.code {
            Some(1) => (usual, "failed"),
            Some(2) => (ErrorKind::InvalidParameter, "got wrong arguments"),
            Some(3) => (ErrorKind::InvalidRequest, "has no such action"),
            Some(4) => (ErrorKind::AccessDenied, "lacks a right"),
            Some(5) => (
                ErrorKind::DeviceNotReady,
                "lacks a program or file on this node",
            ),
            Some(6) => (ErrorKind::InvalidParameter, "is configured wrongly"),
            Some(7) => (usual, "is not running"),
            Some(9) => (usual, "failed in its promoted role"),
            _ => (usual, "failed"),
        };
        let text = format!("{} {action} {words}: {}", self.label, done.story());
        let error = Error::new(kind, text);
        match done.exit.code {
            Some(2 | 6) => error.hint(format!(
                "Get-ClusterResourceType {} shows its properties",
                self.label
            )),
            Some(4) => error.hint("OCF agents run as the node agent does, as a rule as root"),
            Some(5) => error.hint("install what it names, or name other possible owners"),
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process::Exit;

    #[test]
    fn each_exit_code_has_its_kind() {
        let agent = Agent::new(Path::new("/usr/lib/ocf"), "heartbeat", "Dummy", None);
        for (code, kind) in [
            (1, ErrorKind::ResourceFailed),
            (2, ErrorKind::InvalidParameter),
            (3, ErrorKind::InvalidRequest),
            (4, ErrorKind::AccessDenied),
            (5, ErrorKind::DeviceNotReady),
            (6, ErrorKind::InvalidParameter),
            (7, ErrorKind::ResourceFailed),
            (9, ErrorKind::ResourceFailed),
            (77, ErrorKind::ResourceFailed),
        ] {
            let done = Finished {
                exit: Exit {
                    code: Some(code),
                    signal: None,
                },
                output: String::new(),
                errors: "ocf-exit-reason:no such thing".to_owned(),
            };
            let error = agent.complaint("start", &done, ErrorKind::ResourceFailed);
            assert_eq!(error.kind, kind, "{code}");
            assert!(error.message.ends_with("no such thing"), "{error}");
        }
    }
}
