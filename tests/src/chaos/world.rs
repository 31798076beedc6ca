//! What a rehearsal needs of a cluster: look at it, break it, mend it.

use std::path::PathBuf;
use std::time::Duration;

use hamq_core::Result;
use hamq_core::api::client::Client;
use hamq_core::api::group::{GetClusterGroup, GroupInfo, MoveClusterGroup};
use hamq_core::api::node::{GetClusterNode, ResumeClusterNode, SuspendClusterNode};
use hamq_core::api::value::Millis;

use super::catalogue::Fault;
use super::dice::Dice;
use super::load::Load;

/// The virtual server under load.
pub const GROUP: &str = "VS1";
/// The lease, as it is by default.
pub const LEASE: Duration = Duration::from_secs(2);
/// Rather more restarts and failovers than anybody plays.
pub const OFTEN: u64 = 1_000_000;

/// A fault that was made.
#[derive(Clone, Debug)]
pub struct Strike {
    /// What was hit and how, for people.
    pub what: String,
    /// How long it stays at least.
    pub hold: Duration,
    /// Whether clients are served again while it lasts; it is healed only then.
    pub survivable: bool,
}

impl Strike {
    /// One that the cluster survives as it is.
    #[must_use]
    pub const fn survivable(what: String) -> Self {
        Self {
            what,
            hold: Duration::ZERO,
            survivable: true,
        }
    }

    /// One that is healed after a while, whatever the cluster does meanwhile.
    #[must_use]
    pub const fn passing(what: String, hold: Duration) -> Self {
        Self {
            what,
            hold,
            survivable: false,
        }
    }
}

/// A cluster with the group [`GROUP`] and its queues `orders` and `events`.
pub trait World {
    /// What can be made here.
    fn faults(&self) -> Vec<Fault>;

    /// Its folder, which from now on outlives it: logs, stores.
    fn keep(&mut self) -> PathBuf;

    /// A client of the cluster.
    fn client(&self) -> &Client;

    /// Does `work` where the client is.
    fn inside(&self, work: &mut (dyn FnMut(&Client) + Send));

    /// Puts a load on the group.
    ///
    /// # Errors
    /// When the virtual server's name is not known.
    fn load(&self) -> Result<Load>;

    /// The folder of the group's message store.
    fn store(&self) -> String;

    /// Makes a fault.
    fn strike(&mut self, fault: Fault, dice: &mut Dice) -> Strike;

    /// Undoes every fault and starts what is down.
    fn heal(&mut self);

    /// Starts what is down: a frozen agent may be ended by the others in the very moment in which it thaws.
    fn revive(&mut self);
}

/// The group as the cluster sees it.
pub fn group(world: &dyn World) -> Option<GroupInfo> {
    let mut found = None;
    world.inside(&mut |client| {
        let name = Some(GROUP.to_owned());
        found = client.run(GetClusterGroup { name }).ok();
    });
    found?.into_iter().next()
}

/// The names and states of the nodes.
pub fn nodes(world: &dyn World) -> Vec<(String, String)> {
    let mut found = Vec::new();
    world.inside(&mut |client| {
        let nodes = client
            .run(GetClusterNode { name: None })
            .unwrap_or_default();
        found = nodes
            .into_iter()
            .map(|node| (node.name, node.state))
            .collect();
    });
    found
}

/// What operators do while the load runs; errors are outcomes, too.
pub fn operate(world: &dyn World, fault: Fault, owner: &str, dice: &mut Dice) -> Option<Strike> {
    let others: Vec<String> = ["n1", "n2", "n3"]
        .into_iter()
        .filter(|node| *node != owner)
        .map(Into::into)
        .collect();
    let (first, second) = match dice.roll(2) {
        0 => (others[0].clone(), others[1].clone()),
        _ => (others[1].clone(), others[0].clone()),
    };
    let what = match fault {
        Fault::Move => {
            world.inside(&mut |client| drop(client.run(to(&first, 30_000))));
            format!("move from {owner} to {first}")
        }
        Fault::MoveDuringMove => {
            world.inside(&mut |client| {
                drop(client.run(to(&first, 0)));
                drop(client.run(to(&second, 30_000)));
            });
            format!("move from {owner} to {first}, and at once to {second}")
        }
        Fault::TwoOperators => {
            world.inside(&mut |client| {
                std::thread::scope(|scope| {
                    scope.spawn(|| drop(client.run(to(&first, 0))));
                    drop(client.run(to(&second, 0)));
                });
            });
            format!("one operator moves {owner}'s group to {first}, one to {second}")
        }
        Fault::Drain => {
            world.inside(&mut |client| {
                let wait = Some(Millis(30_000));
                let (name, drain) = (owner.to_owned(), true);
                drop(client.run(SuspendClusterNode {
                    name,
                    drain,
                    wait,
                    ..Default::default()
                }));
                let name = owner.to_owned();
                drop(client.run(ResumeClusterNode {
                    name,
                    failback: None,
                }));
            });
            format!("drain {owner}, and resume it")
        }
        _ => return None,
    };
    Some(Strike::survivable(what))
}

/// A move that is waited for.
#[must_use]
pub fn to(node: &str, wait_ms: u64) -> MoveClusterGroup {
    MoveClusterGroup {
        name: GROUP.into(),
        node: Some(node.into()),
        wait: Some(Millis(wait_ms)),
    }
}
