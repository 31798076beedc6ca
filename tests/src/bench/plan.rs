//! A run: every chosen workload in every round, floor and product next to each other.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hamq_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::area::Area;
use super::floor_client::FloorSender;
use super::hamq::Hamq;
use super::load::Sender;
use super::report::Report;
use super::row::{Measured, Row, System};
use super::server::Server;
use super::workload::{Often, WORKLOADS, Workload};

/// How long a queue manager may take to open an empty store.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// The queue of workloads that need one.
pub const QUEUE: &str = "bench";

/// What `hamq-bench run` was told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The workloads by their letters; empty: all.
    pub workloads: Vec<String>,
    /// How long a timed figure takes.
    pub time: Duration,
    /// How often each figure is taken.
    pub rounds: u32,
    /// Whether the queues of ten million messages are measured too.
    pub big: bool,
    /// Bytes of a body in the queues that are long: workloads g and i.
    pub body_bytes: usize,
    /// Where the stores lie.
    pub folder: PathBuf,
    /// The `hamq` that is measured.
    pub program: PathBuf,
    /// Where the machine-readable report goes.
    pub json: Option<PathBuf>,
    /// When the whole run is given up.
    pub timeout: Duration,
}

/// What came of a run.
pub struct Outcome {
    /// The figures.
    pub report: Report,
    /// Workloads that broke off, and why.
    pub failures: Vec<String>,
    /// What is to be known before the figures are believed.
    pub warnings: Vec<String>,
}

impl Outcome {
    /// Everything, machine-readable.
    #[must_use]
    pub fn json(&self, options: &Options) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let others = self.report.disturbance();
        json!({
            "unix_seconds": now.map_or(0, |time| time.as_secs()),
            "seconds": options.time.as_secs_f64(),
            "rounds": options.rounds,
            "rows": self.report.json(),
            "failures": self.failures,
            "warnings": self.warnings,
            "cores_used_by_others": others.map(|(median, most)| json!({"median": median, "most": most})),
        })
    }
}

/// A run under way: what workloads need.
pub struct Bench<'a> {
    /// What was asked for.
    pub options: &'a Options,
    /// What came out so far.
    pub report: Report,
    area: Area,
    floor: Server,
    round: u32,
}

/// Measures everything that was chosen. `progress` is told what is being done.
///
/// # Errors
/// When nothing can be measured at all: the folder, the floor, an unknown workload.
pub fn run(options: &Options, progress: &mut dyn FnMut(&str)) -> Result<Outcome> {
    let chosen = choose(&options.workloads)?;
    let area = Area::create(&options.folder)?;
    let mut bench = Bench {
        floor: Server::floor(area.path())?,
        report: Report::default(),
        round: 0,
        options,
        area,
    };
    drop(FloorSender::connect(bench.floor.address()).map_err(|e| bench.floor.explain(e))?);
    let warnings = bench.warnings();
    let mut failures = Vec::new();
    for round in 0..options.rounds {
        bench.round = round;
        let due = |workload: &&&Workload| round == 0 || workload.often == Often::EveryRound;
        for workload in chosen.iter().filter(due) {
            let (rounds, Workload { letter, about, .. }) = (options.rounds, workload);
            progress(&format!(
                "round {} of {rounds}: {letter}: {about}",
                round + 1
            ));
            if let Err(error) = (workload.run)(&mut bench) {
                let hint = error.hint.as_ref().map(|hint| format!(" ({hint})"));
                let hint = hint.unwrap_or_default();
                failures.push(format!("{letter}, round {}: {error}{hint}", round + 1));
            }
        }
    }
    Ok(Outcome {
        report: std::mem::take(&mut bench.report),
        failures,
        warnings,
    })
}

fn choose(letters: &[String]) -> Result<Vec<&'static Workload>> {
    let known = || {
        WORKLOADS
            .iter()
            .map(|w| w.letter)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let unknown = |letter: &String| {
        Error::new(ErrorKind::Usage, format!("{letter} is no workload"))
            .hint(format!("choose from {}", known()))
    };
    for letter in letters {
        if !WORKLOADS.iter().any(|w| w.letter == letter) {
            return Err(unknown(letter));
        }
    }
    let chosen = |w: &&Workload| letters.is_empty() || letters.iter().any(|l| l == w.letter);
    Ok(WORKLOADS.iter().filter(chosen).collect())
}

/// A queue manager on a fresh store and a client of it; the store is removed in the end.
pub struct Subject {
    /// The client.
    pub hamq: Hamq,
    /// The process.
    pub server: Server,
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.server.kill();
        // What is left goes with the run's folder.
        let _ = std::fs::remove_dir_all(self.server.folder());
    }
}

/// Where senders send: the floor or the product.
pub enum Target {
    /// The floor's process.
    Floor(std::net::SocketAddr, u32),
    /// The product's, with the queue [`QUEUE`].
    Hamq(Box<Subject>),
}

impl Target {
    /// A sender with a connection of its own.
    ///
    /// # Errors
    /// When it cannot connect.
    pub fn sender(&self) -> Result<Box<dyn Sender>> {
        Ok(match self {
            Self::Floor(address, _) => Box::new(FloorSender::connect(*address)?),
            Self::Hamq(subject) => Box::new(subject.hamq.sender(QUEUE, false)?),
        })
    }

    /// The server's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        match self {
            Self::Floor(_, pid) => *pid,
            Self::Hamq(subject) => subject.server.pid(),
        }
    }
}

impl Bench<'_> {
    fn warnings(&self) -> Vec<String> {
        let in_memory = self.area.is_in_memory().then(|| {
            let folder = self.area.path().display();
            format!("{folder} is in memory: nothing here was written to a disk; use --folder")
        });
        let slow = cfg!(debug_assertions)
            .then(|| "this is a debug build: build with --release to believe a figure".to_owned());
        in_memory.into_iter().chain(slow).collect()
    }

    /// A folder for a store, new.
    pub fn next_store(&mut self) -> PathBuf {
        self.area.next_store()
    }

    /// Starts a queue manager on a fresh store.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&mut self) -> Result<Subject> {
        let folder = self.area.next_store();
        let mut server = Server::queue_manager(&self.options.program, &folder)?;
        server.wait_until_it_listens(START_TIMEOUT)?;
        let hamq = Hamq::new(server.address(), self.area.path())?;
        Ok(Subject { hamq, server })
    }

    /// Starts a queue manager on a fresh store, lets `work` have it, and says why it ended if it did.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn with_hamq(
        &mut self,
        work: impl FnOnce(&mut Self, &mut Subject) -> Result<()>,
    ) -> Result<()> {
        let mut subject = self.start()?;
        let outcome = work(self, &mut subject);
        outcome.map_err(|error| subject.server.explain(error))
    }

    /// Measures floor and product with the same `work`, in this order or the other from round to round.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn with_both(
        &mut self,
        row: &Row,
        mut work: impl FnMut(&Self, &Target) -> Result<Measured>,
    ) -> Result<()> {
        let mut order = [System::Floor, System::Hamq];
        if self.round % 2 == 1 {
            order.reverse();
        }
        for system in order {
            let mut target = self.target(system)?;
            let outcome = work(self, &target);
            let measured = match (&mut target, outcome) {
                (Target::Hamq(subject), Err(error)) => Err(subject.server.explain(error)),
                (_, outcome) => outcome,
            }?;
            self.report.add(row.clone(), system, measured);
        }
        Ok(())
    }

    fn target(&mut self, system: System) -> Result<Target> {
        if system == System::Floor {
            return Ok(Target::Floor(self.floor.address(), self.floor.pid()));
        }
        let mut subject = self.start()?;
        let created = subject.hamq.create_queue(QUEUE, false);
        created.map_err(|error| subject.server.explain(error))?;
        Ok(Target::Hamq(Box::new(subject)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_are_chosen_by_letter_and_an_unknown_one_is_refused_with_the_list() {
        let letters = |of: &[&str]| {
            let chosen = choose(&of.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>());
            chosen.map(|all| all.iter().map(|w| w.letter).collect::<Vec<_>>())
        };
        assert_eq!(letters(&["e1", "a"]).unwrap(), ["a", "e1"]);
        assert_eq!(letters(&[]).unwrap().len(), WORKLOADS.len());
        let error = letters(&["a", "z"]).unwrap_err();
        assert!(error.hint.unwrap().contains("e1"));
    }
}
