//! Message stores: the epoch fence of DESIGN.md D3(a), and the deadline of D3(b) where it does not hold.

use std::collections::BTreeMap;
use std::time::Duration;

/// One store, by the resource that writes it.
#[derive(Default)]
pub struct Disks {
    epochs: BTreeMap<String, u64>,
    /// Breaks the fence on purpose.
    pub unfenced: bool,
    /// Breaks the deadline on purpose.
    pub no_deadline: bool,
}

/// A queue manager that is online somewhere.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    pub epoch: u64,
    pub serial: u64,
    /// It may acknowledge until this time of its boot clock, where only the deadline protects the store.
    pub until: Duration,
}

impl Disks {
    /// Takes the store over, unless a newer owner has it.
    pub fn take(&mut self, resource: &str, epoch: u64) -> bool {
        let known = self.epochs.entry(resource.to_owned()).or_default();
        let newer = *known > epoch && !self.unfenced;
        *known = (*known).max(epoch);
        !newer
    }

    /// Whether a queue manager would acknowledge now.
    pub fn acknowledges(
        &self,
        resource: &str,
        run: &Running,
        coherent: bool,
        boot: Duration,
    ) -> bool {
        match coherent {
            true => self.unfenced || self.epochs.get(resource) == Some(&run.epoch),
            false => self.no_deadline || boot < run.until,
        }
    }
}
