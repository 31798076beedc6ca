//! The names that the cluster has, for a key press that waits for nothing.
//!
//! ```text
//!  key press ── lookup ──> table (fresh | old | nothing yet)
//!                 │ ask, when not fresh; a full queue drops it
//!                 ▼
//!              one thread ── the cluster ──> table ──> the menu is drawn again
//! ```

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hamq_core::api::spec::CommandSpec;
use hamq_core::api::value::Value;
use reedline::CompletionStatus;

use crate::session::Invoke;

/// What was asked of the cluster this long ago is asked again.
const FRESH: Duration = Duration::from_secs(3);
/// So many lists are kept, and so many names of each.
const LISTS_MAX: usize = 64;
const NAMES_MAX: usize = 10_000;
/// So many questions may wait for a slow cluster.
const QUESTIONS_MAX: usize = 8;

/// See the module.
pub(super) struct Known {
    invoke: Arc<dyn Invoke>,
    shared: Arc<Shared>,
    questions: SyncSender<Question>,
}

#[derive(Default)]
struct Shared {
    table: Mutex<Table>,
    answered: Condvar,
}

#[derive(Default)]
struct Table {
    lists: HashMap<String, List>,
    /// Questions without an answer.
    open: usize,
    /// An answer has come that no menu has seen.
    news: bool,
}

#[derive(Default)]
struct List {
    names: Vec<String>,
    at: Option<Instant>,
    asked: bool,
}

struct Question {
    key: String,
    command: &'static str,
    arguments: Value,
}

/// Names, and whether better ones are on their way.
pub(super) struct Found {
    pub(super) names: Vec<String>,
    pub(super) settled: bool,
}

impl Known {
    /// A table that `invoke` fills.
    pub(super) fn new(invoke: Arc<dyn Invoke>) -> Self {
        let (questions, waiting) = sync_channel(QUESTIONS_MAX);
        let shared = Arc::<Shared>::default();
        let (asks, fills) = (Arc::clone(&invoke), Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("completion".into());
        // Without a thread the queue has no reader: nothing is known, and nothing waits.
        drop(thread.spawn(move || answer(asks.as_ref(), &fills, &waiting)));
        Self {
            invoke,
            shared,
            questions,
        }
    }

    /// The names that `lists` has (of `of`), as far as they are known now.
    pub(super) fn names(&self, lists: &'static CommandSpec, of: Option<&str>) -> Found {
        let cluster = self.invoke.cluster().unwrap_or_default();
        let key = format!("{cluster}\n{} {}", lists.name, of.unwrap_or_default());
        let mut table = lock(&self.shared.table);
        if table.lists.len() >= LISTS_MAX && !table.lists.contains_key(&key) {
            table.lists.retain(|_, list| list.asked);
        }
        let list = table.lists.entry(key.clone()).or_default();
        let names = list.names.clone();
        if list.at.is_some_and(|at| at.elapsed() < FRESH) {
            return Found {
                names,
                settled: true,
            };
        }
        if !list.asked {
            let question = Question {
                key,
                command: lists.name,
                arguments: arguments(lists, of),
            };
            if self.questions.try_send(question).is_err() {
                return Found {
                    names,
                    settled: true,
                };
            }
            list.asked = true;
            table.open += 1;
        }
        Found {
            names,
            settled: false,
        }
    }

    /// What an editor that draws a menu should do.
    pub(super) fn status(&self) -> CompletionStatus {
        let mut table = lock(&self.shared.table);
        match (std::mem::take(&mut table.news), table.open) {
            (true, _) => CompletionStatus::Ready,
            (false, 0) => CompletionStatus::Idle,
            (false, _) => CompletionStatus::Pending,
        }
    }

    /// Waits until every question has its answer, at most so long.
    pub(super) fn settle(&self, patience: Duration) {
        let table = lock(&self.shared.table);
        let waiting = |table: &mut Table| table.open > 0;
        drop(
            self.shared
                .answered
                .wait_timeout_while(table, patience, waiting),
        );
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn arguments(lists: &CommandSpec, of: Option<&str>) -> Value {
    let first = lists.parameters.iter().find(|p| p.position == Some(0));
    Value::Map(match (first, of) {
        (Some(first), Some(of)) => vec![(Value::from(first.name), Value::from(of))],
        _ => Vec::new(),
    })
}

/// Answers until nobody can ask any more.
fn answer(invoke: &dyn Invoke, shared: &Shared, questions: &Receiver<Question>) {
    for question in questions {
        let records = invoke.invoke(question.command, question.arguments);
        let records = records.unwrap_or_default(); // a cluster that fails has no names to offer
        let names = records.iter().filter_map(name_of).take(NAMES_MAX).collect();
        let mut table = lock(&shared.table);
        let at = Some(Instant::now());
        let list = List {
            names,
            at,
            asked: false,
        };
        table.lists.insert(question.key, list);
        table.open = table.open.saturating_sub(1);
        table.news = true;
        shared.answered.notify_all();
    }
}

fn name_of(record: &Value) -> Option<String> {
    let mut fields = record.as_map()?.iter();
    let name = fields.find(|(key, _)| key.as_text() == Some("Name"))?;
    name.1.as_text().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::mpsc::Sender;

    use hamq_core::Result;

    use super::*;

    /// A cluster that answers when it is let.
    struct Slow(Mutex<Receiver<()>>);

    impl Slow {
        fn new() -> (Sender<()>, Arc<Self>) {
            let (lets, waits) = std::sync::mpsc::channel();
            (lets, Arc::new(Self(Mutex::new(waits))))
        }
    }

    use hamq_core::api::what_if::StepInfo;

    impl Invoke for Slow {
        fn invoke(&self, _: &str, _: Value) -> Result<Vec<Value>> {
            let _ = self.0.lock().unwrap().recv();
            let name = (Value::from("Name"), Value::from("VS1"));
            Ok(vec![Value::Map(vec![name])])
        }
        fn what_if(&self, _: &str, _: Value) -> Result<Option<Vec<StepInfo>>> {
            Ok(None)
        }
        fn cancel(&self) {}
        fn cluster(&self) -> Option<String> {
            None
        }
        fn connect(&self, _: &str) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_slow_cluster_is_waited_for_aside() {
        let (lets, slow) = Slow::new();
        let known = Known::new(slow);
        let groups = crate::cmdlet::find("Get-ClusterGroup").unwrap();
        // The cluster has not answered: were it waited for, this would hang.
        let found = known.names(groups, None);
        assert!(found.names.is_empty() && !found.settled);
        assert_eq!(known.status(), CompletionStatus::Pending);
        lets.send(()).unwrap();
        known.settle(Duration::from_secs(20));
        assert_eq!(known.status(), CompletionStatus::Ready);
        assert_eq!(known.status(), CompletionStatus::Idle);
        let found = known.names(groups, None);
        assert!(found.settled);
        assert_eq!(found.names, ["VS1"]);
    }

    #[test]
    fn questions_to_a_dead_cluster_are_bounded() {
        let (_lets, slow) = Slow::new();
        let known = Known::new(slow);
        let groups = crate::cmdlet::find("Get-ClusterGroup").unwrap();
        for n in 0..10 * LISTS_MAX {
            known.names(groups, Some(&n.to_string()));
        }
        let table = lock(&known.shared.table);
        assert!(table.open <= QUESTIONS_MAX + 1, "{}", table.open);
        assert!(table.lists.len() <= LISTS_MAX, "{}", table.lists.len());
    }
}
