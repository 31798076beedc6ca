//! The node's own queue manager: Message Queuing as a service of the node, not of a virtual server.
//!
//! ```text
//!  start ─ address (cluster/messaging_address) ─ the queue manager of the MSMQ resource type ─ row, leased with the session
//!  it ends by itself ─ log, row away          the agent's program is replaced ─ adopted
//!  the Cluster service stops ─ stopped too    it starts again ─ nothing: this service is started by hand
//! ```
//!
//! Its store lies in the node's data folder and never fails over.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use super::{Agent, Shared};
use crate::cluster::messaging_address::{messaging_address, multicast_address};
use crate::cluster::record::{MessageService, STATE_PREFIX, encode, fold, key};
use crate::cluster::view::View;
use crate::database::{Commit, Transaction, Write};
use crate::error::{Error, ErrorKind, Result};
use crate::resource_types::{Context, Fencing, LogSink, Provided, Resource};
use crate::sys::{file, folder};

/// The resource type whose queue manager it is.
const TYPE: &str = "MSMQ";
/// Its name where resources have theirs: in the pool of message memory, and for whoever adopts its process.
const NAME: &str = "Message Queuing of the node";
/// The component of its lines in the cluster log.
const COMPONENT: &str = "MSMQ";
/// The key of its settings (`HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\MSMQ\Parameters` of the original).
const SETTINGS: &str = "MSMQ/Parameters";
/// Longest value of those settings.
const SETTING_BYTES_MAX: usize = 256;
/// Tries of a transaction that others keep outrunning.
const TRIES_MAX: usize = 20;

/// The service, while it runs.
#[derive(Default)]
pub(super) struct Slot {
    running: Mutex<Option<Running>>,
    serial: AtomicU64,
}

struct Running {
    resource: Box<dyn Resource>,
    row: MessageService,
    serial: u64,
}

impl Agent {
    /// Starts the node's own queue manager; one that runs goes on.
    ///
    /// # Errors
    /// `DeviceNotReady` when Message Queuing is not installed here or there is no address; `ResourceNotAvailable` when the pool
    /// of message memory is full; those of a start.
    pub async fn start_message_service(&self) -> Result<()> {
        start(&self.shared, None).await
    }

    /// Stops it in order; one that does not run is left alone.
    pub async fn stop_message_service(&self) {
        stop(&self.shared).await;
    }
}

async fn start(shared: &Arc<Shared>, former: Option<MessageService>) -> Result<()> {
    let mut running = shared.message_service.running.lock().await;
    if running.is_some() {
        return Ok(());
    }
    let view = View::parse(&shared.options.database.read(STATE_PREFIX).await?);
    if view.uninstalled.contains_key(&fold(&shared.options.node)) {
        let text = "the queues of the node are being deleted: Message Queuing was uninstalled";
        return Err(Error::new(ErrorKind::InvalidState, text).hint("try again"));
    }
    let mut row = match former {
        Some(row) => row,
        None => chosen(shared, &view)?,
    };
    let share = shared.take_message_memory(&view, NAME, TYPE);
    share.map_err(|text| Error::new(ErrorKind::ResourceNotAvailable, text))?;
    let begun = begin(shared, &view, &mut row).await;
    let resource = begun.inspect_err(|_| shared.free_message_memory(NAME))?;
    let serial = shared
        .message_service
        .serial
        .fetch_add(1, Ordering::Relaxed)
        + 1;
    let started = running.insert(Running {
        resource,
        row: row.clone(),
        serial,
    });
    shared.spawn(tell_end(
        Arc::clone(shared),
        started.resource.failed(),
        serial,
    ));
    drop(running);
    shared.log(
        "INFO",
        COMPONENT,
        &format!("Message Queuing runs at {} ({})", row.endpoint, row.rule),
    );
    tell(shared, Some(row)).await
}

/// A row with the addresses that the rules choose.
fn chosen(shared: &Shared, view: &View) -> Result<MessageService> {
    let node = &shared.options.node;
    let messaging = messaging_address(view, node, setting(shared, "BindInterfaceIP").as_deref())?;
    let multicast = setting(shared, "MulticastBindIP");
    let multicast = multicast_address(view, node, multicast.as_deref(), &messaging);
    for (level, text) in messaging.events.iter().chain(&multicast.events) {
        shared.log(level, COMPONENT, text);
    }
    Ok(MessageService {
        incarnation: String::new(),
        endpoint: SocketAddr::new(messaging.address, 0).to_string(),
        rule: messaging.rule.name().to_owned(),
        multicast: multicast.address.to_string(),
        since_ms: shared.options.clock.wall_ms(),
    })
}

fn setting(shared: &Shared, name: &str) -> Option<String> {
    let path = shared.settings().join(SETTINGS).join(name);
    let bytes = file::read_up_to(&path, SETTING_BYTES_MAX).ok().flatten()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Starts the queue manager, or goes on with the one that the program before this one has left.
async fn begin(
    shared: &Arc<Shared>,
    view: &View,
    row: &mut MessageService,
) -> Result<Box<dyn Resource>> {
    let options = &shared.options;
    let mut resource = options
        .factory
        .create(TYPE)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "this program has no queue manager"))?;
    let address: SocketAddr = row.endpoint.parse().map_err(|_| {
        Error::new(
            ErrorKind::Internal,
            format!("{:?} is no address", row.endpoint),
        )
    })?;
    let node = view.nodes.get(&fold(&options.node));
    let speaker = Arc::clone(shared);
    let context = Context {
        cluster: options.cluster.clone(),
        node: options.node.clone(),
        data: options.data.clone(),
        resource: NAME.to_owned(),
        group: String::new(),
        epoch: 0,
        parameters: Default::default(),
        provided: Provided {
            disk: Some(options.data.clone()),
            address: Some(address.ip()),
            network_name: Some(options.node.clone()),
            queue_manager: None,
        },
        program: options.program.clone(),
        features: node
            .map(|n| n.features.iter().cloned().collect())
            .unwrap_or_default(),
        fencing: Fencing::Storage,
        log: LogSink(Arc::new(move |level: &str, text: String| {
            speaker.log(level, COMPONENT, &text);
        })),
    };
    let report = resource.online(&context).await?;
    if let Some(endpoint) = report.provides.queue_manager {
        row.endpoint = endpoint.to_string();
    }
    Ok(resource)
}

/// Waits until it ends by itself.
async fn tell_end(shared: Arc<Shared>, failed: impl Future<Output = String> + Send, serial: u64) {
    let why = failed.await;
    let mut running = shared.message_service.running.lock().await;
    if running.as_ref().is_none_or(|r| r.serial != serial) {
        return; // it was stopped meanwhile
    }
    if let Some(mut ended) = running.take() {
        ended.resource.terminate().await;
    }
    drop(running);
    shared.free_message_memory(NAME);
    shared.log("ERR", COMPONENT, &format!("Message Queuing ended: {why}"));
    if let Err(e) = tell(&shared, None).await {
        shared.log("WARN", COMPONENT, &format!("its end was not told: {e}"));
    }
}

pub(super) async fn stop(shared: &Arc<Shared>) {
    let Some(mut running) = shared.message_service.running.lock().await.take() else {
        return;
    };
    if let Err(e) = running.resource.offline().await {
        shared.log(
            "WARN",
            COMPONENT,
            &format!("Message Queuing was ended: {e}"),
        );
        running.resource.terminate().await;
    }
    shared.free_message_memory(NAME);
    shared.log("INFO", COMPONENT, "Message Queuing was stopped");
    if let Err(e) = tell(shared, None).await {
        shared.log("WARN", COMPONENT, &format!("its end was not told: {e}"));
    }
}

/// Writes the row under the lease of the present session, or removes it.
async fn tell(shared: &Shared, row: Option<MessageService>) -> Result<()> {
    let (database, node) = (&shared.options.database, &shared.options.node);
    for _ in 0..TRIES_MAX {
        let view = View::parse(&database.read(STATE_PREFIX).await?);
        let incarnation = shared.incarnation.borrow().clone();
        let lease = *shared.lease.borrow();
        let row_key = key("service", node);
        let write = match &row {
            Some(row) => Write::Put {
                key: row_key,
                value: encode(&MessageService {
                    incarnation: incarnation.clone(),
                    ..row.clone()
                }),
                lease,
            },
            None => Write::Delete { key: row_key },
        };
        if row.is_some() && view.session_of(node, &incarnation).is_none() {
            return Ok(()); // the next life tells it
        }
        let transaction = Transaction {
            guards: vec![view.guard("session", &view.sessions, node)],
            writes: vec![write],
        };
        if let Commit::Done { .. } = database.commit(transaction).await? {
            return Ok(());
        }
    }
    let text = "others kept changing the session of the node";
    Err(Error::new(ErrorKind::Timeout, text).hint("try again"))
}

/// A new life of the agent: the row of the one before went with its lease.
pub(super) async fn tell_again(shared: Arc<Shared>) {
    let row = {
        let running = shared.message_service.running.lock().await;
        running.as_ref().map(|r| r.row.clone())
    };
    if row.is_some()
        && let Err(e) = tell(&shared, row).await
    {
        shared.log(
            "WARN",
            COMPONENT,
            &format!("Message Queuing was not told: {e}"),
        );
    }
}

/// The program of the agent was replaced: what ran goes on.
pub(super) async fn adopt(shared: Arc<Shared>) {
    let ran = shared.options.database.read(STATE_PREFIX).await;
    let ran = ran.map(|range| {
        let view = View::parse(&range);
        view.message_service(&shared.options.node).cloned()
    });
    let adopted = match ran {
        Ok(Some(row)) => start(&shared, Some(row)).await,
        Ok(None) => Ok(()),
        Err(e) => Err(e),
    };
    if let Err(e) = adopted {
        shared.log(
            "ERR",
            COMPONENT,
            &format!("Message Queuing does not go on: {e}"),
        );
    }
}

/// Deletes the queues of the node once Message Queuing is uninstalled.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut views = shared.view.subscribe();
    let node = fold(&shared.options.node);
    loop {
        let asked = views
            .borrow_and_update()
            .uninstalled
            .get(&node)
            .map(|row| row.version);
        if let Some(version) = asked {
            delete_queues(&shared, version).await;
        }
        if views.changed().await.is_err() {
            return;
        }
    }
}

async fn delete_queues(shared: &Shared, version: u64) {
    let place = shared.options.data.join("msmq");
    let deleted = tokio::task::spawn_blocking(move || folder::remove_tree(&place)).await;
    if let Ok(Err(e)) = deleted {
        shared.log(
            "ERR",
            COMPONENT,
            &format!("the queues of the node are not deleted: {e}"),
        );
        return;
    }
    let key = key("uninstalled", &shared.options.node);
    let transaction = Transaction {
        guards: vec![crate::database::Guard {
            key: key.clone(),
            version,
        }],
        writes: vec![Write::Delete { key }],
    };
    match shared.options.database.commit(transaction).await {
        Ok(_) => shared.log(
            "INFO",
            COMPONENT,
            "Message Queuing was uninstalled, and its queues deleted",
        ),
        Err(e) => shared.log(
            "WARN",
            COMPONENT,
            &format!("the end of uninstalling is not told: {e}"),
        ),
    }
}
