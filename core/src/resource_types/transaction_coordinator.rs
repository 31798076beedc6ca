//! *Distributed Transaction Coordinator*: one in a cluster, for transactions between queues and databases.
//!
//! The type and all its rules are here; the coordinator is not part of this version, and coming online
//! says so. MSMQ resources come online without it, as transactions inside one queue manager need none.

use std::pin::Pin;

use super::{Answer, Context, OnlineReport, Resource};
use crate::error::{Error, ErrorKind, Result};

/// The resource; see the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransactionCoordinator;

fn start(context: &Context) -> Result<OnlineReport> {
    if context.provided.disk.is_none() {
        return Err(context.lacks("Physical Disk"));
    }
    let resource = &context.resource;
    let text =
        format!("{resource:?} cannot come online: this version has no transaction coordinator");
    Err(Error::new(ErrorKind::ServiceNotAvailable, text).hint(format!(
        "Stop-ClusterResource {resource:?}; transactions inside one virtual server work without it"
    )))
}

impl Resource for TransactionCoordinator {
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
