//! At most one owner: an epoch belongs to one node, and to one queue manager process at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hamq_core::sys::process;

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Looks at the processes on one store until it is finished.
pub struct Owners {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What is wrong, and how far it came.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The owner of each epoch.
    pub of_epoch: BTreeMap<u64, String>,
    /// What must not be.
    pub violations: Vec<String>,
}

impl Owners {
    /// Watches the queue managers whose arguments have `store` in them.
    #[must_use]
    pub fn watch(store: String) -> Self {
        let (seen, stop) = (
            Arc::new(Mutex::<Seen>::default()),
            Arc::new(AtomicBool::new(false)),
        );
        let (shared, ended) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::SeqCst) {
                let running = epochs(&store);
                let mut seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
                for (epoch, pids) in running {
                    // The first may have ended between being listed and being looked at.
                    let alive: Vec<_> = pids.iter().filter(|p| !process::is_gone(**p)).collect();
                    if alive.len() > 1 {
                        seen.violations
                            .push(format!("processes {alive:?} all have epoch {epoch}"));
                    }
                }
                drop(seen);
                std::thread::sleep(LOOK_EVERY);
            }
        });
        Self {
            seen,
            stop,
            thread: Some(thread),
        }
    }

    /// A node's view: this owner has this epoch.
    pub fn saw(&self, epoch: u64, owner: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let first = seen
            .of_epoch
            .entry(epoch)
            .or_insert_with(|| owner.to_owned())
            .clone();
        if first != owner {
            let text = format!("epoch {epoch} belongs to {first} and to {owner}");
            seen.violations.push(text);
        }
    }

    /// What was seen up to the end.
    #[must_use]
    pub fn finish(mut self) -> Seen {
        self.stop();
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The queue managers on a store by the epoch they were started with.
fn epochs(store: &str) -> BTreeMap<u64, Vec<u32>> {
    let mut found = BTreeMap::<u64, Vec<u32>>::new();
    for pid in crate::process::mentioning(store) {
        let arguments = process::arguments(pid);
        let mut behind = arguments.iter().skip_while(|a| *a != "--epoch");
        if let Some(epoch) = behind.nth(1).and_then(|text| text.parse().ok()) {
            found.entry(epoch).or_default().push(pid);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_owners_of_one_epoch_are_found_and_the_next_epoch_is_another_matter() {
        let owners = Owners::watch("/no/such/store".into());
        owners.saw(1, "n1");
        owners.saw(1, "n1");
        owners.saw(2, "n2");
        owners.saw(1, "n2");
        let seen = owners.finish();
        assert_eq!(seen.violations, ["epoch 1 belongs to n1 and to n2"]);
        assert_eq!(seen.of_epoch.len(), 2);
    }
}
