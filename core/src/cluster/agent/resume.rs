//! The agent's program is replaced under its resources.
//!
//! ```text
//!  restart ─ until nothing is on its way ─ the answer goes out ─ exec, with the children's pipes (sys/process/handover)
//!  resume ── same process, same session, its lease renewed ─► a life as before: what the engine starts is adopted
//!         └─ the lease has run out ─► the children are ended, and a new life begins
//! ```
//!
//! Nothing of the engine is carried over: the database knows what this node owns and at which epoch, and a resource that
//! is started while its process waits to be adopted goes on with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::membership::{Registered, process};
use super::{Shared, message_service};
use crate::cluster::configuration::{check_keepable, is_settled};
use crate::cluster::record::{ClusterConfig, STATE_PREFIX};
use crate::cluster::view::View;
use crate::database::LeaseId;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::process::{become_program, end_unadopted};

/// How long the server goes on, so that who asked for the restart gets an answer.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How long a restart waits for what is on its way: who restarts twice in a row need not look in between.
const SETTLE_MAX: Duration = Duration::from_secs(10);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the next program must know.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    node: String,
    incarnation: String,
    lease: u64,
}

pub(super) async fn restart(shared: &Arc<Shared>) -> Result<()> {
    check_keepable(&settled(shared).await?, &shared.options.node)?;
    let lease = *shared.lease.borrow();
    let (Some(lease), false) = (lease, shared.options.restart.is_empty()) else {
        let text = format!(
            "the agent of {} cannot be restarted now",
            shared.options.node
        );
        return Err(Error::new(ErrorKind::InvalidState, text).hint(
            "it is joining, or part of another program: Stop-ClusterNode, Start-ClusterNode",
        ));
    };
    let left = Left {
        node: shared.options.node.clone(),
        incarnation: shared.incarnation.borrow().clone(),
        lease: lease.0,
    };
    let own = serde_json::to_string(&left)
        .map_err(|e| Error::new(ErrorKind::Internal, format!("encode a hand-over: {e}")))?;
    shared.log(
        "INFO",
        "NM",
        "the agent becomes the program that is installed now",
    );
    let told = Arc::clone(shared);
    shared.spawn(async move {
        tokio::time::sleep(LAST_WORDS).await;
        let failed = become_program(told.options.restart.clone(), own).await;
        told.log(
            "ERR",
            "NM",
            &format!("it stays the program it was: {failed}"),
        );
    });
    Ok(())
}

/// The view in which nothing of this node is on its way, or the one after which there is no more waiting.
async fn settled(shared: &Shared) -> Result<View> {
    let began = Instant::now();
    loop {
        let view = View::parse(&shared.options.database.read(STATE_PREFIX).await?);
        if is_settled(&view, &shared.options.node) || began.elapsed() > SETTLE_MAX {
            return Ok(view);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Goes on with the session of the program before this one, if that still stands.
pub(super) async fn resume(
    shared: &Arc<Shared>,
    config: &ClusterConfig,
) -> Result<Option<Registered>> {
    let Some(text) = &shared.options.resume else {
        return Ok(None);
    };
    let session = match serde_json::from_str::<Left>(text) {
        Ok(left) => stands(shared, &left).await,
        Err(_) => Ok(None),
    };
    let Ok(Some(session)) = session else {
        let why = session.err().map_or_else(
            || "its session does not stand any more".to_owned(),
            |e| e.message,
        );
        shared.log(
            "ERR",
            "NM",
            &format!("the resources are ended, not kept: {why}"),
        );
        end(shared).await;
        return Ok(None);
    };
    shared.incarnation.send_replace(session.incarnation.clone());
    shared.lease.send_replace(Some(session.lease));
    shared.log("INFO", "NM", "the agent was restarted under its resources");
    shared.spawn(message_service::adopt(Arc::clone(shared)));
    let ttl = Duration::from_millis(config.lease_ttl_ms);
    let waiting = Arc::clone(shared);
    shared.spawn(async move {
        tokio::time::sleep(ttl / 2).await;
        end(&waiting).await;
    });
    Ok(Some(session))
}

async fn stands(shared: &Shared, left: &Left) -> Result<Option<Registered>> {
    let database = &shared.options.database;
    let sent = shared.options.clock.boot();
    let lease = LeaseId(left.lease);
    let view = View::parse(&database.read(STATE_PREFIX).await?);
    let session = view.session_of(&left.node, &left.incarnation);
    let same = session.filter(|s| s.process == process(&shared.process));
    let (Some(session), true) = (same, database.renew(lease).await?) else {
        return Ok(None);
    };
    Ok(Some(Registered {
        incarnation: left.incarnation.clone(),
        lease,
        revision: session.version,
        sent,
    }))
}

/// Ends what nobody has adopted.
async fn end(shared: &Shared) {
    let ended = tokio::task::spawn_blocking(end_unadopted).await;
    for name in ended.unwrap_or_default() {
        let text = format!("the process of {name}, which nothing needs any more, was ended");
        shared.log("WARN", "RCM", &text);
    }
}
