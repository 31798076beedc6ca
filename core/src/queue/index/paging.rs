//! Leaves go to pages and come back.

use std::collections::VecDeque;

use super::leaf::{Leaf, band};
use super::page;
use super::pages::Pages;
use super::top::Top;
use crate::error::Result;
use crate::log::Position;

impl Top {
    /// Leaf `at`, in memory.
    pub(super) fn load(&mut self, pages: &dyn Pages, at: usize) -> Result<&mut Leaf> {
        let leaf = &mut self.leaves[at];
        if !leaf.is_resident() {
            leaf.slots = leaf.read(pages)?;
            self.resident += leaf.slots.len() as u64;
        }
        self.clock += 1;
        leaf.touched = self.clock;
        Ok(leaf)
    }

    pub(super) fn page_out(&mut self, at: usize) {
        self.resident -= self.leaves[at].slots.len() as u64;
        self.leaves[at].page_out();
    }

    /// Writes the leaves that have no page and will not change soon. Each is written once, unless it changes.
    pub(super) fn write_pages(
        &mut self,
        write: &mut dyn FnMut(&[u8]) -> Result<Position>,
    ) -> Result<()> {
        self.merge_leaves();
        for at in 0..self.leaves.len() {
            if self.is_worth_a_page(at) {
                self.compact(at);
                let position = write(&page::encode(&self.leaves[at].slots))?;
                self.leaves[at].page = Some(position);
            }
        }
        Ok(())
    }

    fn is_worth_a_page(&self, at: usize) -> bool {
        let leaf = &self.leaves[at];
        let is_head_in_use = at == 0 && leaf.len() * 2 <= self.slots_max;
        let is_growing = leaf.count < self.slots_max && self.is_last_of_its_priority(at);
        let is_small = leaf.len() * 4 < self.slots_max;
        leaf.page.is_none() && !is_head_in_use && !is_growing && !is_small
    }

    fn is_last_of_its_priority(&self, at: usize) -> bool {
        let next = self.leaves.get(at + 1);
        next.is_none_or(|next| band(next.first) != band(self.leaves[at].first))
    }

    /// Small neighbours without pages become one, so that few messages stand in snapshots themselves.
    fn merge_leaves(&mut self) {
        let merges = |one: &Leaf, next: &Leaf| {
            let alike = band(one.first) == band(next.first);
            let unwritten = one.page.is_none() && next.page.is_none();
            alike && unwritten && one.len() + next.len() <= self.slots_max
        };
        let mut pairs = self.leaves.iter().zip(self.leaves.iter().skip(1));
        if !pairs.any(|(one, next)| merges(one, next)) {
            return;
        }
        let mut merged: VecDeque<Leaf> = VecDeque::with_capacity(self.leaves.len());
        for leaf in std::mem::take(&mut self.leaves) {
            match merged.back_mut() {
                Some(last) if merges(last, &leaf) => last.absorb(leaf),
                _ => merged.push_back(leaf),
            }
        }
        self.resident = merged.iter().map(|leaf| leaf.slots.len() as u64).sum();
        self.leaves = merged;
    }

    /// Takes the leaves out of pages that lie in such segments. On an error none has left its page.
    pub(super) fn move_pages(
        &mut self,
        pages: &dyn Pages,
        in_segments: &dyn Fn(u32) -> bool,
    ) -> Result<()> {
        let leaves = self.leaves.iter().enumerate();
        let lies_there = |leaf: &Leaf| leaf.page.is_some_and(|page| in_segments(page.segment));
        let moved = leaves.filter(|at| lies_there(at.1)).map(|at| at.0);
        let moved: Vec<usize> = moved.collect();
        for at in &moved {
            self.load(pages, *at)?;
        }
        for at in moved {
            self.leaves[at].page = None;
        }
        Ok(())
    }

    /// Pages out leaves, those first that have not been needed for longest, until `slots_max` are in memory.
    pub(super) fn shrink(&mut self, slots_max: u64) {
        if self.resident <= slots_max {
            return;
        }
        let leaves = self.leaves.iter().enumerate();
        // The head is what is taken next.
        let idle = leaves
            .skip(1)
            .filter(|at| at.1.is_resident() && at.1.page.is_some());
        let mut idle: Vec<_> = idle.map(|at| (at.1.touched, at.0)).collect();
        idle.sort_unstable();
        // A little more than asked, so that the next call finds nothing to do.
        let goal = slots_max - slots_max / 8;
        for (_, at) in idle {
            if self.resident <= goal {
                break;
            }
            self.page_out(at);
        }
    }
}
