//! *MSMQ Triggers*: rules and actions when messages arrive at the virtual server.
//!
//! The type and all its rules are here; the service that evaluates rules is not part of this version, and
//! coming online says so. It is not brought online empty: a rule that is never evaluated loses work.

use std::pin::Pin;

use super::{Answer, Context, OnlineReport, Resource};
use crate::error::{Error, ErrorKind, Result};

/// The feature that a node must have.
const FEATURE: &str = "MSMQ-Triggers";

/// The resource; see the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageQueuingTriggers;

fn start(context: &Context) -> Result<OnlineReport> {
    let Context { node, resource, .. } = context;
    if !context
        .features
        .iter()
        .any(|f| f.eq_ignore_ascii_case(FEATURE))
    {
        let text =
            format!("device not ready: Message Queuing Triggers is not installed on node {node}");
        return Err(Error::new(ErrorKind::DeviceNotReady, text)
            .hint(format!("Install-MsmqFeature {node} -Feature {FEATURE}")));
    }
    if context.provided.queue_manager.is_none() {
        return Err(context.lacks("MSMQ"));
    }
    if context.provided.network_name.is_none() {
        return Err(context.lacks("Network Name"));
    }
    let text = format!("{resource:?} cannot come online: this version has no triggers service");
    Err(
        Error::new(ErrorKind::ServiceNotAvailable, text).hint(format!(
            "Stop-ClusterResource {resource:?}; a Generic Application can receive and act"
        )),
    )
}

impl Resource for MessageQueuingTriggers {
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport> {
        Box::pin(std::future::ready(start(context)))
    }

    fn offline(&mut self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn terminate(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}
