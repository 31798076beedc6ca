//! What the state needs of the log, and what it gives back: pages, places in use, who holds a content.

use super::index::Pages;
use super::state::{DEAD_LETTER, MACHINE_JOURNAL, State, TRANSACTIONAL_DEAD_LETTER};
use super::stored_queue::{JOURNAL_BIT, Queue};
use crate::error::Result;
use crate::log::Position;

impl State {
    /// Writes the leaves of all queues that are full and not written yet.
    ///
    /// # Errors
    /// Those of `write`.
    pub(super) fn write_pages(
        &mut self,
        write: &mut dyn FnMut(&[u8]) -> Result<Position>,
    ) -> Result<()> {
        for queue in self.queues.values_mut() {
            queue.index.write_pages(write)?;
        }
        Ok(())
    }

    /// Forgets entries that pages hold until each queue has at most so many in memory.
    pub(super) fn shrink(&mut self, entries_max: u64) {
        for queue in self.queues.values_mut() {
            queue.index.shrink(entries_max);
        }
    }

    /// Pages in this segment shall be written anew.
    ///
    /// # Errors
    /// Those of reading a page.
    pub(super) fn move_pages(&mut self, pages: &dyn Pages, segment: u32) -> Result<()> {
        for queue in self.queues.values_mut() {
            queue.index.move_pages(pages, &|number| number == segment)?;
        }
        Ok(())
    }

    /// How many places in the log are in use, and the bytes of all bodies.
    pub(super) fn in_use_estimate(&self) -> (u64, u64) {
        (
            self.in_use.values().sum(),
            self.queues.values().map(Queue::bytes).sum(),
        )
    }

    /// The queues in which a message, or a copy of it, has its content at `place`. `queue` is where it arrived.
    ///
    /// # Errors
    /// Those of reading a page.
    pub(super) fn holders(
        &mut self,
        pages: &dyn Pages,
        (queue, lookup_id): (u32, u64),
        part: u32,
        place: Position,
    ) -> Result<Vec<u32>> {
        let mut candidates = vec![
            queue,
            queue | JOURNAL_BIT,
            MACHINE_JOURNAL,
            DEAD_LETTER,
            TRANSACTIONAL_DEAD_LETTER,
        ];
        candidates.extend(self.family(queue));
        candidates.sort_unstable();
        candidates.dedup();
        let mut holders = Vec::new();
        for number in candidates {
            let Some(queue) = self.queues.get_mut(&number) else {
                continue;
            };
            let entry = queue.get(pages, lookup_id)?;
            let held = entry.is_some_and(|entry| match part {
                0 => entry.position == place,
                part => {
                    let parts = entry.extra.as_ref().map(|extra| &extra.parts);
                    parts.and_then(|parts| parts.get(part as usize - 1)) == Some(&place)
                }
            });
            if held {
                holders.push(number);
            }
        }
        Ok(holders)
    }
}
