//! Intact records into the picture. Unlike `apply`, nothing that does not fit is an error: what it needs may be lost.

use super::picture::{Kept, Picture, Pictured};
use crate::log::Position;
use crate::queue::apply::{copy_of, entry_of, set_counts};
use crate::queue::change::{Arrival, Change, Content, Effect};
use crate::queue::encoded::Encoded;
use crate::queue::entry::{Entry, Wishes};
use crate::queue::request::QueueKind;
use crate::queue::state::MACHINE_JOURNAL;
use crate::queue::stored_queue::JOURNAL_BIT;
use crate::queue::transaction::PreparedTransaction;

/// Applies what a record says, as far as that is possible; its contents lie at `places`.
pub(super) fn fold(picture: &mut Picture, change: &Change, places: &[Position]) {
    picture.time_ms = picture.time_ms.max(change.stamp.time_ms);
    let mut on = Folding {
        places: places.iter(),
        time_ms: change.stamp.time_ms,
    };
    for effect in &change.effects {
        on.effect(picture, effect);
    }
}

struct Folding<'a> {
    places: std::slice::Iter<'a, Position>,
    time_ms: u64,
}

impl Folding<'_> {
    fn effect(&mut self, picture: &mut Picture, effect: &Effect) {
        match effect {
            Effect::Arrive(arrival) => self.arrive(picture, arrival),
            Effect::Leave { queue, lookup_id } => {
                picture.take(*queue, *lookup_id);
                picture.missing.remove(&(*queue, *lookup_id));
            }
            Effect::Copy {
                queue,
                lookup_id,
                to,
                class,
            } => copy(picture, (*queue, *lookup_id), *to, *class),
            Effect::Move {
                queue,
                lookup_id,
                to,
                due_ms,
                counts,
            } => match picture.take(*queue, *lookup_id) {
                Some(mut kept) => {
                    let extra = kept.entry.extra_mut();
                    extra.move_count += 1;
                    extra.last_move_ms = self.time_ms;
                    set_counts(extra, *counts);
                    kept.due_ms = *due_ms;
                    picture.put(*to, *lookup_id, kept);
                }
                None => {
                    picture.missing.remove(&(*queue, *lookup_id));
                    picture.missing.insert((*to, *lookup_id));
                }
            },
            Effect::Count {
                queue,
                lookup_id,
                counts,
            } => match picture.queue(*queue).messages.get_mut(lookup_id) {
                Some(kept) => set_counts(kept.entry.extra_mut(), *counts),
                None => drop(picture.missing.insert((*queue, *lookup_id))),
            },
            Effect::Relocate {
                queue,
                lookup_id,
                part,
                bytes,
            } => self.relocate(picture, (*queue, *lookup_id), *part, bytes),
            Effect::Part { client, body, .. } => {
                let place = self.next_place();
                let parts = picture.uploads.entry((*client, *body)).or_default();
                parts.push(place);
            }
            Effect::Parts { client, body } => drop(picture.uploads.remove(&(*client, *body))),
            Effect::Prepare {
                branch,
                taken,
                effects,
            } => {
                let prepared = PreparedTransaction {
                    branch: branch.clone(),
                    taken: taken.clone(),
                    effects: effects.iter().map(|e| self.stored(e)).collect(),
                    staged: std::collections::BTreeMap::new(),
                };
                picture.prepared.insert(branch.0.clone(), prepared);
            }
            Effect::Resolved { branch } => drop(picture.prepared.remove(&branch.0)),
            other => self.on_queues(picture, other),
        }
    }

    fn next_place(&mut self) -> Position {
        self.places.next().copied().unwrap_or_default()
    }

    /// An effect of a prepared transaction, with its content where it lies in the log.
    fn stored(&mut self, effect: &Effect) -> Effect {
        let mut effect = effect.clone();
        if let Effect::Arrive(arrival) = &mut effect
            && let Content::New(_) = arrival.content
        {
            arrival.content = Content::Stored(self.next_place());
        }
        effect
    }

    fn arrive(&mut self, picture: &mut Picture, arrival: &Arrival) {
        let place = match &arrival.content {
            Content::New(_) => self.next_place(),
            Content::Stored(position) => *position,
        };
        let entry = entry_of(arrival, place, self.time_ms);
        if !arrival.key.is_empty() {
            let queue = picture.queue(arrival.queue);
            let window = queue.properties.duplicate_window_ms;
            let (keys, lookup_id) = (&mut queue.keys, arrival.lookup_id);
            keys.remember(
                &arrival.key,
                (lookup_id, arrival.express),
                self.time_ms,
                window,
            );
        }
        let kept = Kept {
            entry,
            due_ms: arrival.due_ms,
            purged: false,
        };
        picture.put(arrival.queue, arrival.lookup_id, kept);
    }

    /// A content has a new place. One of a message that is not known is that message.
    fn relocate(
        &mut self,
        picture: &mut Picture,
        (number, lookup_id): (u32, u64),
        part: u32,
        bytes: &bytes::Bytes,
    ) {
        let place = self.next_place();
        if let Some(kept) = picture.queue(number).messages.get_mut(&lookup_id) {
            let slot = kept.entry.place_mut(part);
            if let Some(slot) = slot {
                *slot = place;
            }
            return;
        }
        let content = Encoded::trusted(bytes.clone());
        match content.head() {
            Ok(head) if part == 0 && content.verify().is_ok() => {
                let mut entry = Entry {
                    position: place,
                    body_bytes: head.body_bytes.into(),
                    arrived_ms: if head.sent_ms == 0 {
                        self.time_ms
                    } else {
                        head.sent_ms
                    },
                    wishes: Wishes::new(head.acknowledge, head.journal),
                    ..Entry::default()
                };
                if head.correlation_id != crate::queue::message::MessageId::NONE {
                    entry.extra_mut().correlation_id = Some(head.correlation_id);
                }
                let kept = Kept {
                    entry,
                    due_ms: 0,
                    purged: false,
                };
                picture.put(number, lookup_id, kept);
            }
            _ => drop(picture.missing.insert((number, lookup_id))),
        }
    }

    fn on_queues(&self, picture: &mut Picture, effect: &Effect) {
        match effect {
            Effect::Store { guid } => picture.guid = *guid,
            Effect::Reserve { counter } => picture.counter = picture.counter.max(*counter),
            Effect::Client { number, client } => drop(picture.clients.insert(*number, *client)),
            Effect::Principal { number, name } => {
                picture.principals.insert(*number, name.clone());
            }
            Effect::Create { .. } => self.create(picture, effect),
            Effect::Configure { queue, properties } => {
                let queue = picture.queue(*queue);
                queue.properties = (**properties).clone();
                queue.modified_ms = self.time_ms;
            }
            Effect::Permit { queue: 0, access } => picture.access = access.clone(),
            Effect::Permit { queue, access } => {
                for number in picture.family(*queue) {
                    picture.queue(number).access = access.clone();
                }
            }
            Effect::Machine { properties } => picture.machine = *properties,
            Effect::Delete { queue } => {
                for number in picture.family(*queue) {
                    picture.queues.remove(&number);
                    picture.missing.retain(|missing| missing.0 != number);
                    picture.unnamed.remove(&number);
                }
            }
            Effect::Purge { queue, held } => {
                picture.missing.retain(|missing| missing.0 != *queue);
                let messages = &mut picture.queue(*queue).messages;
                messages.retain(|lookup_id, _| held.contains(lookup_id));
                messages.values_mut().for_each(|kept| kept.purged = true);
                picture.queue(*queue).faulted = None;
            }
            Effect::Fault { queue, lookup_id } => {
                picture.queue(*queue).faulted = Some(*lookup_id).filter(|id| *id != 0);
            }
            // Those on single messages were folded by `effect`.
            _ => {}
        }
    }

    fn create(&self, picture: &mut Picture, effect: &Effect) {
        let Effect::Create {
            queue: number,
            name,
            kind,
            properties,
            access,
        } = effect
        else {
            return;
        };
        let new = |name: String, kind| Pictured {
            access: access.clone(),
            ..Pictured::new(name, kind, self.time_ms)
        };
        if *kind == QueueKind::Private && *number < MACHINE_JOURNAL {
            let journal = new(format!("{name};JOURNAL"), QueueKind::Journal);
            picture.queues.insert(*number | JOURNAL_BIT, journal);
        }
        let queue = Pictured {
            properties: (**properties).clone(),
            ..new(name.clone(), *kind)
        };
        picture.unnamed.remove(number);
        picture.queues.insert(*number, queue);
    }
}

fn copy(picture: &mut Picture, (number, lookup_id): (u32, u64), to: u32, class: u16) {
    let queue = picture.queue(number);
    let name = queue.name.clone();
    match queue.messages.get(&lookup_id) {
        Some(kept) => {
            let entry = copy_of(&kept.entry, name, class);
            let kept = Kept {
                entry,
                due_ms: 0,
                purged: false,
            };
            picture.put(to, lookup_id, kept);
        }
        None => drop(picture.missing.insert((to, lookup_id))),
    }
}
