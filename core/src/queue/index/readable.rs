//! Everything of an index that can still be read, although some of its pages cannot.

use super::super::entry::Entry;
use super::Index;
use super::pages::Pages;

/// Messages between two lookup ids whose page cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostPage {
    /// The lookup id of the first slot.
    pub first: u64,
    /// That of the last slot.
    pub last: u64,
    /// How many messages were in it.
    pub count: usize,
}

impl Index {
    /// Calls `each` with every durable message that can be read; gives the pages that cannot.
    pub fn readable(&self, pages: &dyn Pages, each: &mut dyn FnMut(u64, &Entry)) -> Vec<LostPage> {
        let mut lost = Vec::new();
        for leaf in &self.top.leaves {
            if leaf.is_resident() {
                leaf.iter().for_each(|(id, entry)| each(id, entry));
                continue;
            }
            match leaf.read(pages) {
                Ok(slots) => {
                    let all = slots.iter().enumerate();
                    let left = all.filter(|at| !leaf.removed.contains(at.0));
                    left.for_each(|(_, (id, entry))| each(id, entry));
                }
                Err(_) => lost.push(LostPage {
                    first: leaf.first,
                    last: leaf.last,
                    count: leaf.len(),
                }),
            }
        }
        lost
    }
}
