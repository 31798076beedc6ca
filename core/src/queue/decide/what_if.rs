//! What a request would come to: decided as ever, told in words, and not applied.

use ciborium::Value;

use super::Decision;
use crate::difference::{changed, record, unusual};
use crate::error::{Error, ErrorKind, Result};
use crate::queue::access::{AccessEntry, AccessList};
use crate::queue::change::Effect;
use crate::queue::index::Pages;
use crate::queue::request::{
    BranchId, Caller, Foreseen, QueueKind, QueueProperties, Request, RequestId, Settle, Take,
    Transaction,
};
use crate::queue::state::{Now, State};

impl State {
    /// # Errors
    /// Those of the request, as if it were meant; `Usage` for one that only means something with others.
    pub(super) fn foresee(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        id: &RequestId,
        request: &Request,
        now: Now,
    ) -> Result<Vec<Foreseen>> {
        let alone = |transaction: &Transaction| !matches!(transaction, Transaction::In(_));
        match request {
            Request::Receive { transaction, .. } | Request::ReceiveMany { transaction, .. }
                if alone(transaction) =>
            {
                let decision = self.decide(pages, from, id, request, now)?;
                Ok(vec![self.taken(request, &decision)])
            }
            Request::Send {
                transaction,
                body: None,
                ..
            } if alone(transaction) => self.changed(pages, from, id, request, now),
            Request::Move { transaction, .. } if alone(transaction) => {
                self.changed(pages, from, id, request, now)
            }
            Request::CreateQueue { .. }
            | Request::SetQueue { .. }
            | Request::DeleteQueue { .. }
            | Request::PurgeQueue { .. }
            | Request::SetAccess { .. }
            | Request::SetMachine { .. } => self.changed(pages, from, id, request, now),
            Request::WriteBody { .. } => {
                let note = "a large body is written in parts, and sent when all of them are there";
                Ok(vec![Foreseen::new("Store message", "", note)])
            }
            Request::Settle { queue, leases, how } => {
                let needed = self.rights_to_read(queue, Take::Remove);
                let (number, _) = self.open_queue(from, queue, needed)?;
                self.check_leases(number, queue, leases)?;
                let note = format!("{} held by a lease", messages(leases.len() as u64));
                Ok(vec![Foreseen::new(word(*how), queue, note)])
            }
            Request::Resolve { branch, commit } => match self.prepared.contains_key(branch) {
                true => Ok(self.settled(branch, *commit)),
                false => self.changed(pages, from, id, request, now),
            },
            _ => {
                let text = "this request cannot be rehearsed alone";
                Err(Error::new(ErrorKind::Usage, text))
            }
        }
    }

    fn changed(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        id: &RequestId,
        request: &Request,
        now: Now,
    ) -> Result<Vec<Foreseen>> {
        match self.decide(pages, from, id, request, now)? {
            Decision::Change(change) => Ok(self.told(&change.effects)),
            Decision::Refuse(_, error) => Err(error),
            _ => Ok(Vec::new()),
        }
    }

    fn taken(&self, request: &Request, decision: &Decision) -> Foreseen {
        let (queue, take) = match request {
            Request::Receive { queue, take, .. } | Request::ReceiveMany { queue, take, .. } => {
                (queue.as_str(), *take)
            }
            _ => ("", Take::Peek),
        };
        let action = match take {
            Take::Peek => "Show message",
            Take::Remove => "Remove message",
            Take::Lease(_) => "Hide message",
        };
        match decision {
            Decision::Hand(hand) => {
                let bytes = hand.candidates.iter().map(|c| c.entry.body_bytes).sum();
                let first = hand.candidates.first().map_or(0, |c| c.lookup_id);
                let count = hand.candidates.len() as u64;
                let note = format!("{}, from lookup id {first}", counted(count, bytes));
                Foreseen::new(action, queue, note)
            }
            _ => Foreseen::new("Wait", queue, "there is no such message yet"),
        }
    }

    fn settled(&self, branch: &BranchId, commit: bool) -> Vec<Foreseen> {
        let Some(prepared) = self.prepared.get(branch) else {
            return Vec::new();
        };
        let taken = messages(prepared.taken.len() as u64);
        if !commit {
            let note = format!("{taken} that it holds come back; what it would send is dropped");
            return vec![Foreseen::new("Abort transaction", "", note)];
        }
        let note = format!("{taken} that it holds leave");
        let mut all = vec![Foreseen::new("Commit transaction", "", note)];
        all.extend(self.told(&prepared.effects));
        all
    }

    /// Effects in words; the same one on one queue is told once, with how often.
    fn told(&self, effects: &[Effect]) -> Vec<Foreseen> {
        let mut all: Vec<(Foreseen, u64, u64)> = Vec::new();
        for effect in effects {
            let Some((foreseen, bytes)) = self.one(effect, effects) else {
                continue;
            };
            let same = |f: &&mut (Foreseen, u64, u64)| {
                (&f.0.action, &f.0.object) == (&foreseen.action, &foreseen.object)
            };
            match all.iter_mut().find(same) {
                Some(known) => {
                    known.1 += 1;
                    known.2 += bytes;
                }
                None => all.push((foreseen, 1, bytes)),
            }
        }
        let noted = all.into_iter().map(|(mut foreseen, count, bytes)| {
            if foreseen.note.is_empty() && foreseen.action.ends_with("message") {
                foreseen.note = counted(count, bytes);
            }
            foreseen
        });
        noted.collect()
    }

    fn one(&self, effect: &Effect, all: &[Effect]) -> Option<(Foreseen, u64)> {
        let name = |number: u32| self.name_in(number, all);
        let told = match effect {
            Effect::Create {
                name,
                kind,
                properties,
                ..
            } => {
                let action = match kind {
                    QueueKind::Subqueue => "Create subqueue",
                    _ => "Create queue",
                };
                let usual = record(&QueueProperties::default());
                Foreseen::new(action, name, unusual(&usual, &record(properties), &[]))
            }
            Effect::Configure { queue, properties } => {
                let old = self.queues.get(queue).map(|q| record(&q.properties));
                let note = changed(&old.unwrap_or(Value::Null), &record(properties), &[]);
                Foreseen::new("Change queue", &name(*queue), unless_empty(note))
            }
            Effect::Permit { queue: 0, access } => {
                let note = differs(&self.access, access);
                Foreseen::new("Change access", "the queue manager", note)
            }
            Effect::Permit { queue, access } => {
                let note = self.queues.get(queue).map(|q| differs(&q.access, access));
                Foreseen::new("Change access", &name(*queue), note.unwrap_or_default())
            }
            Effect::Machine { properties } => {
                let note = changed(&record(&self.machine), &record(properties), &[]);
                Foreseen::new("Change properties", "the queue manager", unless_empty(note))
            }
            Effect::Delete { queue } => self.deleted(*queue),
            Effect::Purge { queue, held } => self.purged(*queue, held.len() as u64),
            Effect::Arrive(arrival) => {
                let told = Foreseen::new("Store message", &name(arrival.queue), "");
                return Some((told, arrival.body_bytes));
            }
            Effect::Leave { queue, .. } => Foreseen::new("Remove message", &name(*queue), ""),
            Effect::Copy { to, .. } => Foreseen::new("Copy message", &name(*to), ""),
            Effect::Move { queue, to, .. } => {
                let note = format!("to {}", name(*to));
                Foreseen::new("Move message", &name(*queue), note)
            }
            _ => return None,
        };
        Some((told, 0))
    }

    fn name_in(&self, number: u32, all: &[Effect]) -> String {
        let new = all.iter().find_map(|effect| match effect {
            Effect::Create { queue, name, .. } if *queue == number => Some(name.clone()),
            _ => None,
        });
        let known = || self.queues.get(&number).map(|queue| queue.name.clone());
        new.or_else(known).unwrap_or_default()
    }

    fn deleted(&self, number: u32) -> Foreseen {
        let Some(queue) = self.queues.get(&number) else {
            return Foreseen::new("Delete queue", "", "");
        };
        let status = self.status(queue);
        let mut note = format!(
            "with {}",
            counted(status.message_count, status.bytes_in_queue)
        );
        if status.locked_count > 0 {
            let held = format!(", {} of them held by their receivers", status.locked_count);
            note.push_str(&held);
        }
        if status.journal_message_count > 0 {
            let journal = counted(status.journal_message_count, status.bytes_in_journal);
            note.push_str(&format!(", and {journal} in its journal"));
        }
        Foreseen::new("Delete queue", &queue.name, note)
    }

    fn purged(&self, number: u32, held: u64) -> Foreseen {
        let Some(queue) = self.queues.get(&number) else {
            return Foreseen::new("Delete messages", "", "");
        };
        let mut note = counted(queue.len().saturating_sub(held), queue.bytes());
        if held > 0 {
            note.push_str(&format!(
                "; {held} more when their transactions end without a commit"
            ));
        }
        Foreseen::new("Delete messages", &queue.name, note)
    }
}

fn word(how: Settle) -> &'static str {
    match how {
        Settle::Complete => "Remove message",
        Settle::Release => "Give message back",
        Settle::Reject => "Reject message",
        Settle::Extend(_) => "Extend lease",
    }
}

/// The entries that go and those that come.
fn differs(before: &AccessList, after: &AccessList) -> String {
    let told = |entry: &AccessEntry| {
        let word = if entry.allow { "allow" } else { "deny" };
        format!("{word} {} {}", entry.trustee, entry.rights)
    };
    let gone = before.entries.iter().filter(|e| !after.entries.contains(e));
    let new = after.entries.iter().filter(|e| !before.entries.contains(e));
    let mut texts: Vec<String> = gone.map(|e| format!("no longer {}", told(e))).collect();
    texts.extend(new.map(told));
    if before.owner != after.owner {
        texts.push(format!("owner {} -> {}", before.owner, after.owner));
    }
    unless_empty(texts.join("; "))
}

fn unless_empty(note: String) -> String {
    match note.is_empty() {
        true => "nothing changes: it is so already".to_owned(),
        false => note,
    }
}

fn messages(count: u64) -> String {
    match count {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    }
}

fn counted(count: u64, bytes: u64) -> String {
    match bytes {
        0 => messages(count),
        bytes => format!("{}, {bytes} bytes", messages(count)),
    }
}
