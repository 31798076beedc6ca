//! Commands typed in the monitor: those that change something are refused, or asked for.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hamq_core::api::spec::Risk;
use hamq_core::api::value::Value;
use hamq_core::api::what_if::StepInfo;
use hamq_core::{Error, ErrorKind, Result};

use super::view::News;
use crate::session::Invoke;

/// How long a question waits for its answer.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// The way to the cluster for a command line of the monitor.
pub(super) struct Guard {
    inner: Arc<dyn Invoke>,
    asks: Option<Mutex<(Sender<News>, Receiver<bool>)>>,
}

impl Guard {
    /// Lets nothing through that changes something.
    pub(super) fn read_only(inner: Arc<dyn Invoke>) -> Self {
        Self { inner, asks: None }
    }

    /// Asks before each change: the question goes out with the news, the answer comes back.
    pub(super) fn asking(
        inner: Arc<dyn Invoke>,
        news: Sender<News>,
        answers: Receiver<bool>,
    ) -> Self {
        Self {
            inner,
            asks: Some(Mutex::new((news, answers))),
        }
    }

    fn may(&self, name: &str, arguments: &Value) -> Result<()> {
        let spec = hamq_core::api::find(name);
        let Some(spec) = spec.filter(|spec| spec.risk != Risk::None) else {
            return Ok(());
        };
        let Some(asks) = &self.asks else {
            let text = format!(
                "{} changes something, and this monitor is read-only",
                spec.name
            );
            return Err(Error::new(ErrorKind::AccessDenied, text)
                .hint("start it with Show-ClusterMonitor -AllowChanges"));
        };
        let asks = asks.lock().unwrap_or_else(PoisonError::into_inner);
        let (news, answers) = &*asks;
        while answers.try_recv().is_ok() {} // an answer to an earlier question is none to this one
        let question = format!(
            "{} {}: {}",
            spec.name,
            words(arguments),
            spec.summary.trim()
        );
        let sent = news.send(News::Question(question));
        match sent
            .ok()
            .and_then(|()| answers.recv_timeout(ANSWER_MAX).ok())
        {
            Some(true) => Ok(()),
            _ => {
                let text = format!("{} was not confirmed", spec.name);
                Err(Error::new(ErrorKind::OperationCancelled, text))
            }
        }
    }
}

impl Invoke for Guard {
    fn invoke(&self, name: &str, arguments: Value) -> Result<Vec<Value>> {
        self.may(name, &arguments)?;
        self.inner.invoke(name, arguments)
    }

    fn invoke_because(
        &self,
        name: &str,
        arguments: Value,
        reason: Option<&str>,
    ) -> Result<Vec<Value>> {
        self.may(name, &arguments)?;
        self.inner.invoke_because(name, arguments, reason)
    }

    fn what_if(&self, name: &str, arguments: Value) -> Result<Option<Vec<StepInfo>>> {
        self.inner.what_if(name, arguments)
    }

    fn cancel(&self) {
        self.inner.cancel();
    }

    fn cluster(&self) -> Option<String> {
        self.inner.cluster()
    }
    fn certificate(&self) -> Option<String> {
        self.inner.certificate()
    }

    fn connect(&self, _: &str) -> Result<()> {
        let text = "the monitor stays with its cluster";
        Err(Error::new(ErrorKind::AccessDenied, text).hint("leave it with q, then Connect-Cluster"))
    }
}

/// The arguments as they would be typed.
fn words(arguments: &Value) -> String {
    let entries = arguments.as_map().map(Vec::as_slice).unwrap_or_default();
    let word = |(name, value): &(Value, Value)| {
        let name = name.as_text().unwrap_or_default();
        match value {
            Value::Text(text) => format!("-{name} {text}"),
            Value::Bool(true) => format!("-{name}"),
            Value::Array(items) => {
                let items: Vec<_> = items.iter().filter_map(Value::as_text).collect();
                format!("-{name} {}", items.join(","))
            }
            Value::Integer(n) => format!("-{name} {}", i128::from(*n)),
            _ => format!("-{name} …"),
        }
    };
    entries.iter().map(word).collect::<Vec<_>>().join(" ")
}
