//! `hamq node`: the agent of one node, and the server of its commands.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use super::control::{self, Order};
use super::queue_manager::wait_for_signal;
use crate::api::server::serve_commands;
use crate::cluster::agent::{Agent, AgentOptions, ProcessFencer, ResourceFactory, Timing};
use crate::cluster::functional_level::Build;
use crate::database::{self, Location};
use crate::error::{Error, Result};
use crate::resource_types::{Resource, create};
use crate::sys::clock::SystemClock;
use crate::sys::network::{AGENT_PORT, listen};
use crate::sys::trust::{Door, Identity};
use crate::sys::{event_log, folder, process};

/// How long the server goes on after the agent has stopped, so that who asked for it gets an answer.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_millis(200);

/// What `hamq node` was told.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// The cluster's name.
    pub cluster: String,
    /// The node's name.
    pub name: String,
    /// The address of its own; beyond loopback, the folder `tls` in its data folder proves who it is.
    pub listen: IpAddr,
    /// Its data folder.
    pub data: PathBuf,
    /// Where the cluster database lies.
    pub database: Location,
    /// Whether the end of standard input means that it shall stop at once.
    pub supervised: bool,
    /// How to start this program in another role.
    pub program: Vec<PathBuf>,
    /// How this very process was started, after the program: the role and its arguments.
    pub arguments: Vec<OsString>,
    /// Takes part as a program would that knows no functional level above this one.
    pub level: Option<u64>,
    /// The timing of a cluster that does not exist yet.
    pub timing: Timing,
}

struct Types;

impl ResourceFactory for Types {
    fn create(&self, type_name: &str) -> Option<Box<dyn Resource>> {
        create(type_name)
    }
}

/// Runs a node until it is told to stop, by a command or a signal. One whose starter vanishes ends the
/// process at once, and its children with it.
///
/// # Errors
/// Why it could not start or end in order.
pub fn run_node(options: &NodeOptions) -> Result<()> {
    event_log::install();
    let resume = process::take_over()?;
    if options.supervised {
        end_with_starter()?;
    }
    let address = SocketAddr::new(options.listen, AGENT_PORT);
    let identity = Identity::load(&options.data.join("tls"))?.map(Arc::new);
    let door = Door::at(address, identity.as_ref())?;
    folder::create_all(&options.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .map_err(|e| Error::system("start the node's threads", &e))?;
    // Children belong to the thread that started them, and the main thread is the one that outlives an exec.
    process::with_spawner_here(|| {
        runtime.block_on(serve(options, address, identity, door, resume))
    })?
}

async fn serve(
    options: &NodeOptions,
    address: SocketAddr,
    identity: Option<Arc<Identity>>,
    door: Door,
    resume: Option<String>,
) -> Result<()> {
    // First of all the port: a second agent of this node must not get as far as the database.
    let listener = listen(address)?;
    let clock = Arc::new(SystemClock);
    let database = database::open(&options.database, clock.clone())?;
    let agent = Agent::start(AgentOptions {
        cluster: options.cluster.clone(),
        node: options.name.clone(),
        address: options.listen,
        identity,
        data: options.data.clone(),
        database,
        clock,
        factory: Arc::new(Types),
        fencer: Arc::new(ProcessFencer),
        program: options.program.clone(),
        restart: restart(options),
        resume,
        build: options.level.map_or_else(Build::current, Build::held_at),
        timing: options.timing,
    })
    .await?;
    let host = Arc::new(agent.clone());
    let server = tokio::spawn(serve_commands(
        listener,
        door,
        host,
        options.cluster.clone(),
    ));
    let outcome = tokio::select! {
        () = agent.stopped() => Ok(()),
        signal = wait_for_signal() => match signal {
            Ok(()) => agent.stop(false).await,
            Err(error) => Err(error),
        },
    };
    tokio::time::sleep(LAST_WORDS).await;
    server.abort();
    outcome
}

fn restart(options: &NodeOptions) -> Vec<OsString> {
    let program = options.program.iter().map(OsString::from);
    program.chain(options.arguments.iter().cloned()).collect()
}

/// Ends this process when the pipe to its standard input closes.
fn end_with_starter() -> Result<()> {
    let mut orders = control::orders()?;
    let watch = move || {
        while !matches!(orders.blocking_recv(), None | Some(Order::Gone)) {}
        std::process::exit(4);
    };
    std::thread::Builder::new()
        .name("hamq-lifeline".to_owned())
        .spawn(watch)
        .map(|_| ())
        .map_err(|e| Error::system("start the thread that watches the starter", &e))
}
