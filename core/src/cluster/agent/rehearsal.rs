//! A handle through which changes of the configuration are decided as ever, and never committed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Agent;
use super::main_loop::local_hour;
use crate::cluster::configuration::{Rehearsal, Step};
use crate::error::Result;

impl Agent {
    /// A handle that starts from the cluster as it is now: reading through it shows what was rehearsed through it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn rehearse(&self) -> Result<Self> {
        let hour = local_hour(self.shared.options.clock.wall_ms());
        let rehearsal = Rehearsal::new(&self.range().await?, hour);
        Ok(Self {
            rehearsal: Some(Arc::new(Mutex::new(rehearsal))),
            ..self.clone()
        })
    }

    /// Whether this handle only rehearses.
    #[must_use]
    pub const fn is_rehearsal(&self) -> bool {
        self.rehearsal.is_some()
    }

    /// What was rehearsed through this handle, and which groups it would interrupt.
    #[must_use]
    pub fn rehearsed(&self) -> (Vec<Step>, Vec<String>) {
        let Some(rehearsal) = &self.rehearsal else {
            return Default::default();
        };
        let rehearsal = lock(rehearsal);
        let interrupted = rehearsal.interrupted().iter().cloned();
        (rehearsal.steps().to_vec(), interrupted.collect())
    }
}

pub(super) fn lock(rehearsal: &Mutex<Rehearsal>) -> MutexGuard<'_, Rehearsal> {
    rehearsal.lock().unwrap_or_else(PoisonError::into_inner)
}
