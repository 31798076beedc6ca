//! *Generic Script*: a program of the operator's own that is called with one word.
//!
//! ```text
//!   PROGRAM online      makes it work; 0 when it does        PROGRAM looksalive   0 while it works: cheap
//!   PROGRAM offline     ends it in order                     PROGRAM isalive      the same, thorough
//!   PROGRAM terminate   ends it at once, whatever it does
//! ```
//!
//! Any other exit code is a failure, and the last line it wrote is the reason. What it knows comes in its
//! environment: `HAMQ_RESOURCE`, `HAMQ_GROUP`, `HAMQ_NODE`, `HAMQ_CLUSTER`, `HAMQ_EPOCH`, and of what it depends
//! on `HAMQ_DISK`, `HAMQ_ADDRESS`, `HAMQ_NETWORK_NAME`, `HAMQ_QUEUE_MANAGER`.
//!
//! What it starts in the background is its own: it is not ended with the node agent.

use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use super::{Answer, Context, OnlineReport, Resource};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::process::{Spawn, run};

/// How long `terminate` may take; the others have the resource's PendingTimeout.
const TERMINATE_MAX: Duration = Duration::from_secs(30);
const CALL_MAX: Duration = Duration::from_secs(24 * 3600);

/// The resource; see the module.
#[derive(Debug, Default)]
pub struct GenericScript {
    script: Option<Script>,
}

#[derive(Clone, Debug)]
struct Script {
    program: PathBuf,
    context: Context,
}

impl Script {
    fn of(context: &Context) -> Result<Self> {
        Ok(Self {
            program: PathBuf::from(context.required("ScriptFilePath")?.trim()),
            context: context.clone(),
        })
    }

    async fn call(&self, verb: &str, limit: Duration) -> Result<()> {
        let what = Spawn {
            command: vec![self.program.clone().into(), verb.into()],
            environment: self.context.environment(),
            directory: None,
            keep_as: None,
        };
        let done = run(what, limit).await.map_err(|e| match e.kind {
            ErrorKind::NotFound | ErrorKind::AccessDenied => {
                let node = &self.context.node;
                e.hint(format!(
                    "the program must be there and executable on each node, also on {node}"
                ))
            }
            _ => e,
        })?;
        for line in done.errors.lines().filter(|l| !l.trim().is_empty()) {
            self.context.note("INFO", format_args!("{verb}: {line}"));
        }
        if done.exit.code == Some(0) {
            return Ok(());
        }
        let text = format!("{} {verb}: {}", self.program.display(), done.story());
        Err(Error::new(ErrorKind::ResourceFailed, text))
    }
}

impl GenericScript {
    async fn start(&mut self, context: &Context) -> Result<OnlineReport> {
        let started = Instant::now();
        let script = self.script.insert(Script::of(context)?);
        script.call("online", CALL_MAX).await?;
        Ok(OnlineReport {
            provides: context.provided.clone(),
            steps: vec![("started".to_owned(), started.elapsed().as_secs_f64() * 1e3)],
        })
    }

    async fn check(&self, verb: &str) -> Result<()> {
        match &self.script {
            Some(script) => script.call(verb, CALL_MAX).await,
            None => Err(Error::new(
                ErrorKind::InvalidState,
                "the script is not online",
            )),
        }
    }
}

impl Resource for GenericScript {
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport> {
        Box::pin(self.start(context))
    }

    fn offline(&mut self) -> Answer<'_, ()> {
        Box::pin(async move {
            if let Some(script) = &self.script {
                script.call("offline", CALL_MAX).await?;
            }
            self.script = None;
            Ok(())
        })
    }

    fn terminate(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            // Taken only when it is done: if the wait is given up it is called again.
            if let Some(script) = &self.script
                && let Err(error) = script.call("terminate", TERMINATE_MAX).await
            {
                script.context.note("ERR", &error.message);
            }
            self.script = None;
        })
    }

    fn looks_alive(&mut self) -> Answer<'_, ()> {
        Box::pin(self.check("looksalive"))
    }

    fn is_alive(&mut self) -> Answer<'_, ()> {
        Box::pin(self.check("isalive"))
    }
}
