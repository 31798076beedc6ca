//! Plays faults on a world until enough failovers have happened, and reconciles.

use std::time::{Duration, Instant};

use hamq_core::Result;

use super::catalogue::Fault;
use super::dice::Dice;
use super::load::{Load, fill};
use super::owners::Owners;
use super::report::Report;
use super::world::{GROUP, Strike, World, group, nodes};

/// How long anything may take to come back.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long a node may be down before it is started, as an operator would.
const REVIVE_AFTER: Duration = Duration::from_secs(5);

/// What is to be played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What all chance follows from.
    pub seed: u64,
    /// Faults to make.
    pub events: u64,
    /// Enough failovers.
    pub failovers: u64,
    /// The faults to choose from; all that the world can make where empty.
    pub only: Vec<Fault>,
    /// No fault after this.
    pub longest: Duration,
    /// MiB of messages that lie in another queue of the same store meanwhile.
    pub backlog_mib: u64,
}

/// Plays it; `tell` hears of each fault.
///
/// # Errors
/// When the load cannot start.
pub fn rehearse(world: &mut dyn World, plan: &Plan, tell: &mut dyn FnMut(&str)) -> Result<Report> {
    let mut dice = Dice::new(plan.seed);
    let faults = match plan.only.is_empty() {
        true => world.faults(),
        false => plan.only.clone(),
    };
    if plan.backlog_mib > 0 {
        let mut filled = Ok(());
        world.inside(&mut |client| filled = fill(client, GROUP, plan.backlog_mib));
        filled?;
    }
    let load = world.load()?;
    let owners = Owners::watch(world.store());
    let mut report = Report {
        seed: plan.seed,
        ..Report::default()
    };
    let end = Instant::now() + plan.longest;
    let mut deck = Vec::new();
    for number in 0..plan.events {
        let enough = Instant::now() > end || report.failovers >= plan.failovers;
        if enough || !report.stuck.is_empty() {
            break;
        }
        // Each of them before one comes again.
        if deck.is_empty() {
            deck = faults.clone();
        }
        let index = usize::try_from(dice.roll(u64::try_from(deck.len()).unwrap_or(1))).unwrap_or(0);
        let fault = deck.swap_remove(index);
        let stage = Stage {
            load: &load,
            owners: &owners,
        };
        stage.play(world, number, fault, &mut dice, &mut report, tell);
    }
    world.heal();
    report.lanes = load.finish(PATIENCE);
    report.owners = owners.finish();
    Ok(report)
}

struct Stage<'a> {
    load: &'a Load,
    owners: &'a Owners,
}

impl Stage<'_> {
    fn play(
        &self,
        world: &mut dyn World,
        number: u64,
        fault: Fault,
        dice: &mut Dice,
        report: &mut Report,
        tell: &mut dyn FnMut(&str),
    ) {
        std::thread::sleep(dice.time(50, 400));
        let before = self.epoch(world);
        self.load.begin();
        let strike = world.strike(fault, dice);
        self.load.struck();
        let served = self.last(&strike);
        let outage = self.load.outage();
        world.heal();
        tell(&format!(
            "{number}: {}: {:.0} ms",
            strike.what,
            outage.as_secs_f64() * 1e3
        ));
        report.events.push((fault, outage));
        if strike.survivable && !served {
            report.stuck.push(format!(
                "not served during: {}; {}",
                strike.what,
                self.load.last_error()
            ));
        }
        if let Err(why) = self.recover(world) {
            report
                .stuck
                .push(format!("after {} ({fault:?}): {why}", strike.what));
        }
        let after = self.epoch(world);
        // A restart in place raises no epoch, and is one all the same.
        let in_place = u64::from(fault == Fault::KillManager);
        report.failovers += after.saturating_sub(before).max(in_place);
    }

    /// Waits until the fault has lasted, and clients are served though it does where they should be.
    fn last(&self, strike: &Strike) -> bool {
        let began = Instant::now();
        loop {
            let (held, served) = (began.elapsed() >= strike.hold, self.load.is_served());
            if held && (served || !strike.survivable || began.elapsed() > PATIENCE) {
                return served;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Waits until all nodes are up, the group is online, and clients are served.
    fn recover(&self, world: &mut dyn World) -> std::result::Result<(), String> {
        let end = Instant::now() + PATIENCE;
        let mut look_after = Instant::now() + REVIVE_AFTER;
        self.load.struck();
        loop {
            let nodes = nodes(world);
            let state = group(world);
            let all_up = nodes.len() == 3 && nodes.iter().all(|(_, state)| state == "Up");
            let online = state.as_ref().is_some_and(|group| group.state == "Online");
            if all_up && online && self.load.is_served() {
                self.epoch(world);
                return Ok(());
            }
            if Instant::now() > look_after {
                world.revive();
                look_after = Instant::now() + REVIVE_AFTER;
            }
            if Instant::now() > end {
                let state = state.map(|g| (g.state, g.owner_node, g.status));
                let (served, error) = (self.load.is_served(), self.load.last_error());
                return Err(format!(
                    "nodes {nodes:?}, group {state:?}, served {served}; {error}"
                ));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// The group's epoch now, entered for its owner.
    fn epoch(&self, world: &dyn World) -> u64 {
        let Some(group) = group(world) else {
            return 0;
        };
        if let Some(owner) = &group.owner_node {
            self.owners.saw(group.epoch, owner);
        }
        group.epoch
    }
}
