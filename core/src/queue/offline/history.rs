//! `hamq store trace`: what the retained log says of one message, beyond what the queue manager remembers.

use std::sync::Arc;

use super::survey::{Survey, decode};
use crate::error::Result;
use crate::log::inspect::{self, Salvaged};
use crate::queue::change::Effect;
use crate::queue::checkpoint::is_page;
use crate::queue::message::MessageId;
use crate::queue::trace::{Cause, TraceStep, Trail};
use crate::sys::disk::Disk;

/// The steps of a message that intact records tell. Reads only, also while a queue manager works on the store.
///
/// # Errors
/// When the folder itself cannot be read.
pub fn trace(disk: &Arc<dyn Disk>, id: MessageId) -> Result<Vec<TraceStep>> {
    let survey = Survey::of(disk)?;
    let mut clients = survey.picture.clients.clone();
    let mut trail = Trail::of(id.ordinal);
    if id.manager != survey.picture.guid {
        return Ok(Vec::new());
    }
    for item in inspect::salvage(disk)? {
        let Salvaged::Record(_, bytes) = item else {
            continue;
        };
        if is_page(&bytes) {
            continue;
        }
        let Ok((change, _)) = decode(&clients, &bytes) else {
            continue;
        };
        let mut cause = Cause::of(&change);
        for effect in &change.effects {
            if let Effect::Client { number, client } = effect {
                clients.insert(*number, *client);
            }
            trail.note(&mut cause, effect, false);
        }
    }
    let name = |number: u32| {
        let queue = survey.picture.queues.get(&number);
        queue.map_or_else(|| format!("queue {number}"), |queue| queue.name.clone())
    };
    Ok(trail.steps(id.ordinal, &name))
}
