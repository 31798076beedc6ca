//! What a node tells for Test-Cluster: the rows of the database, and facts about itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::cluster::agent::Agent;
use crate::cluster::record::STATE_PREFIX;
use crate::cluster::validation::{
    ClusterFacts, DatabaseFacts, NodeFacts, ProcessFacts, SyncFacts, VolumeFacts, VolumeUse,
};
use crate::cluster::view::View;
use crate::database::Location;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::network::netlink::addresses;
use crate::sys::network::{AGENT_PORT, PEER_PORT, QUEUE_MANAGER_PORT, holder};
use crate::sys::process::boot_id;
use crate::sys::{folder, survey};

/// Between queue managers, by the protocol.
const MSMQ_PORT: u16 = 1801;
/// The role of a queue manager's process.
const ROLE: &str = "queue-manager";
/// Where systemd keeps what is enabled.
const UNITS: &str = "/etc/systemd/system";
/// The record of a Physical Disk's holder (docs/format.md).
const HOLD_FILE: &str = ".hamq-hold";

/// `Read-ClusterFacts`.
pub(super) async fn cluster(agent: &Agent) -> Result<ClusterFacts> {
    let options = agent.options();
    let started = options.clock.boot();
    let range = options.database.read(STATE_PREFIX).await?;
    let read_ms = millis(options.clock.boot().saturating_sub(started));
    let location = options.database.location();
    let etcd_members = match location.parse::<Location>() {
        Ok(Location::Etcd(etcd)) => Some(etcd.members.len()),
        _ => None,
    };
    Ok(ClusterFacts {
        rows: range
            .entries
            .into_iter()
            .map(|e| (e.key, e.value, e.version))
            .collect(),
        revision: range.revision,
        database: DatabaseFacts {
            location,
            etcd_members,
            notices: options.database.notices().await?,
            read_ms,
        },
    })
}

/// `Read-NodeFacts`.
pub(super) async fn node(agent: &Agent) -> Result<NodeFacts> {
    let view = agent.view();
    let agent = agent.clone();
    let gathering = tokio::task::spawn_blocking(move || gather(&agent, &view));
    gathering
        .await
        .map_err(|e| Error::new(ErrorKind::Internal, format!("facts were not gathered: {e}")))
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn gather(agent: &Agent, view: &View) -> NodeFacts {
    let options = agent.options();
    let clock = &options.clock;
    let (wall, boot) = (clock.wall_ms(), clock.boot());
    let machine = survey::machine();
    let volumes = volumes(agent, view);
    let disks: Vec<String> = paths(view).into_values().collect();
    let running = survey::running(ROLE, &disks).into_iter();
    let on_links = addresses().unwrap_or_default();
    let duplicates = on_links.iter().filter(|a| a.is_duplicate);
    let mut facts = NodeFacts {
        node: options.node.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program_bytes: machine.program_bytes,
        kernel: machine.kernel,
        architecture: machine.architecture,
        host_name: machine.host_name,
        boot_id: boot_id().unwrap_or_default(),
        processors: machine.processors,
        memory_total: machine.memory_total,
        memory_available: machine.memory_available,
        descriptors_max: machine.descriptors_max,
        processes_max: machine.processes_max,
        load_hundredths: machine.load_hundredths,
        clock_source: machine.clock_source,
        suspended_ms: machine.suspended_ms,
        pid: std::process::id(),
        user_id: machine.user_id,
        may_set_addresses: machine.may_set_addresses,
        has_certificate: options.identity.is_some(),
        address: options.address.to_string(),
        duplicates: duplicates.map(|a| a.address.to_string()).collect(),
        addresses: on_links.iter().map(|a| a.address.to_string()).collect(),
        binds_anything: survey::bound_anywhere(),
        ephemeral_ports: survey::ephemeral_ports(),
        listeners: own_listeners(options.address),
        address_listeners: address_listeners(view),
        volumes,
        queue_managers: running.map(process).collect(),
        automatic_services: survey::automatic(Path::new(UNITS), ROLE),
        ..NodeFacts::default()
    };
    facts.gathering_ms = millis(clock.boot().saturating_sub(boot));
    facts.wall_ms = clock.wall_ms();
    facts.clock_step_ms = facts
        .wall_ms
        .abs_diff(wall.saturating_add(facts.gathering_ms));
    facts
}

fn process(running: survey::Running) -> ProcessFacts {
    ProcessFacts {
        pid: running.pid,
        ancestors: running.ancestors,
        store: running.store,
    }
}

fn own_listeners(address: IpAddr) -> BTreeMap<u16, String> {
    let held = |port| Some((port, holder(SocketAddr::new(address, port))?));
    [AGENT_PORT, PEER_PORT]
        .into_iter()
        .filter_map(held)
        .collect()
}

/// Who listens where a virtual server would.
fn address_listeners(view: &View) -> BTreeMap<String, String> {
    let given = view
        .resources
        .values()
        .filter_map(|r| r.parameters.get("Address"));
    let all = given.filter_map(|text| text.trim().parse::<IpAddr>().ok());
    let places =
        all.flat_map(|ip| [MSMQ_PORT, QUEUE_MANAGER_PORT].map(|port| SocketAddr::new(ip, port)));
    places
        .filter_map(|place| Some((place.to_string(), holder(place)?)))
        .collect()
}

/// The folders of Physical Disk resources, by resource.
fn paths(view: &View) -> BTreeMap<String, String> {
    let all = view.resources.values();
    all.filter_map(|r| {
        Some((
            r.name.clone(),
            r.parameters.get("DiskPath")?.trim().to_owned(),
        ))
    })
    .collect()
}

fn volumes(agent: &Agent, view: &View) -> Vec<VolumeFacts> {
    let options = agent.options();
    let mut all = vec![look(VolumeUse::Agent, &options.data, true)];
    if let Ok(Location::Sqlite(file)) = options.database.location().parse::<Location>()
        && let Some(quorum) = file.parent()
    {
        all.push(look(VolumeUse::Quorum, quorum, true));
    }
    for (resource, path) in paths(view) {
        let group = view
            .resources
            .get(&crate::cluster::record::fold(&resource))
            .map(|r| r.group.clone());
        let owner = group.and_then(|g| view.live_owner(&g).map(|o| o.node.clone()));
        // Who does not own a disk writes nothing on it, not even for a moment.
        let own = owner.is_some_and(|node| node.eq_ignore_ascii_case(&options.node));
        all.push(look(VolumeUse::Disk(resource), Path::new(&path), own));
    }
    all
}

fn look(used_as: VolumeUse, path: &Path, try_it: bool) -> VolumeFacts {
    let volume = survey::volume(path);
    let tried = (try_it && volume.is_folder).then(|| survey::trial(path));
    let (trial, trial_error) = match tried {
        Some(Ok(trial)) => (Some(trial), None),
        Some(Err(error)) => (None, Some(error.message)),
        None => (None, None),
    };
    let hold = hold(path);
    VolumeFacts {
        used_as,
        path: path.display().to_string(),
        exists: volume.exists,
        is_folder: volume.is_folder,
        can_be_made: volume.can_be_made,
        mode: volume.mode,
        user_id: volume.user_id,
        hold_epoch: hold.as_ref().and_then(|h| h.get("epoch")?.as_u64()),
        hold_of: hold.as_ref().and_then(|h| {
            let text = |name: &str| Some(h.get(name)?.as_str()?.to_owned());
            Some((text("cluster")?, text("group")?))
        }),
        file_system: volume.mount.file_system,
        device: volume.mount.device,
        options: volume.mount.options,
        free: volume.free,
        total: volume.total,
        files_free: volume.files_free,
        trial: trial.map(|t| SyncFacts {
            median_us: t.median_us,
            max_us: t.max_us,
            renames: t.renames,
            locks: t.locks,
        }),
        trial_error,
    }
}

fn hold(path: &Path) -> Option<serde_json::Value> {
    let bytes = folder::read_if_there(&path.join(HOLD_FILE)).ok()??;
    serde_json::from_slice(&bytes).ok()
}
