//! Requests about queues and the queue manager itself.

use super::Decision;
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueueName;
use crate::queue::access::{AccessList, CREATE_QUEUE, Rights};
use crate::queue::change::{Change, Effect, Tell};
use crate::queue::index::Pages;
use crate::queue::request::{
    Caller, MachineProperties, QueueKind, QueueProperties, QueueStatus, Reply, Request, RequestId,
};
use crate::queue::state::{Now, State, key};
use crate::queue::stored_queue::Queue;

/// PROPID_Q_LABEL, characters.
const QUEUE_LABEL_CHARS_MAX: usize = 124;
/// Queues of one answer at most.
const LIST_COUNT_MAX: u32 = 10_000;
/// Entries of an access list at most.
const ACCESS_ENTRIES_MAX: usize = 1_000;

impl State {
    pub(super) fn decide_on_queues(
        &mut self,
        pages: &dyn Pages,
        from: &Caller,
        id: &RequestId,
        request: &Request,
        now: Now,
    ) -> Result<Decision> {
        let stamp = self.stamp(*id, now);
        let (number, effect) = match request {
            Request::CreateQueue { queue, properties } => {
                self.check_new_queue(from, queue)?;
                check_properties(queue, properties)?;
                self.new_queue(from, queue, properties)
            }
            Request::SetQueue { queue, properties } => {
                let (number, found) = self.open_queue(from, queue, Rights::SET_PROPERTIES)?;
                check_settable(found, properties)?;
                check_properties(queue, properties)?;
                let properties = Box::new(properties.clone());
                (
                    number,
                    Effect::Configure {
                        queue: number,
                        properties,
                    },
                )
            }
            Request::DeleteQueue { queue } => {
                let (number, found) = self.open_queue(from, queue, Rights::DELETE_QUEUE)?;
                check_deletable(found)?;
                self.check_not_awaited(found)?;
                return self.decide_delete(pages, stamp, number);
            }
            Request::PurgeQueue { queue } => {
                let kind = self.find_queue(queue)?.1.kind;
                let needed = match kind {
                    QueueKind::Journal => Rights::DELETE_JOURNAL,
                    _ => Rights::DELETE_MESSAGE,
                };
                let (number, _) = self.open_queue(from, queue, needed)?;
                return self.decide_purge(pages, stamp, number);
            }
            Request::SetAccess { queue, access } => {
                return self.decide_access(from, stamp, queue, access);
            }
            Request::SetMachine { properties } => {
                administrators_only(from, "set the properties of the queue manager")?;
                check_machine(properties)?;
                let properties = *properties;
                return Ok(Decision::Change(Change::one(
                    stamp,
                    Tell::Done,
                    Effect::Machine { properties },
                )));
            }
            other => return self.answer(pages, from, other),
        };
        Ok(Decision::Change(Change::one(
            stamp,
            Tell::Queue(number),
            effect,
        )))
    }

    fn check_new_queue(&self, from: &Caller, name: &str) -> Result<()> {
        QueueName::parse(name)?;
        if name.to_ascii_lowercase().starts_with("system$") {
            let text = format!("{name} is a name of the system");
            return Err(Error::new(ErrorKind::IllegalQueuePathName, text).hint("choose another"));
        }
        if self.number_of(name).is_some() {
            let text = format!("queue {name} exists already");
            return Err(Error::new(ErrorKind::QueueExists, text));
        }
        if self.access.rights_of(&from.access).has(CREATE_QUEUE) {
            return Ok(());
        }
        let text = format!("{} may not create queues here", from.access.name());
        Err(Error::new(ErrorKind::AccessDenied, text)
            .hint("an administrator gives the right: Set-MsmqQueueManagerACL -UserName NAME -Allow CreateQueue"))
    }

    fn new_queue(&self, from: &Caller, name: &str, properties: &QueueProperties) -> (u32, Effect) {
        let number = self.next_queue;
        let effect = Effect::Create {
            queue: number,
            name: name.to_owned(),
            kind: QueueKind::Private,
            properties: Box::new(properties.clone()),
            access: AccessList::of_new_queue(from.access.name()),
        };
        (number, effect)
    }

    fn decide_access(
        &self,
        from: &Caller,
        stamp: crate::queue::change::Stamp,
        name: &str,
        access: &AccessList,
    ) -> Result<Decision> {
        if access.entries.len() > ACCESS_ENTRIES_MAX {
            let text = format!("an access list of {} entries", access.entries.len());
            return Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint(format!("it has at most {ACCESS_ENTRIES_MAX}; use groups")));
        }
        let number = if name.is_empty() {
            administrators_only(from, "change who may do what on the queue manager")?;
            0
        } else {
            let (number, queue) = self.open_queue(from, name, Rights::CHANGE_PERMISSIONS)?;
            let owner = !queue.access.owner.eq_ignore_ascii_case(&access.owner);
            if owner
                && !queue
                    .access
                    .rights_of(&from.access)
                    .has(Rights::TAKE_OWNERSHIP)
            {
                let text = format!(
                    "{} may not change the owner of queue {name}",
                    from.access.name()
                );
                return Err(Error::new(ErrorKind::AccessDenied, text)
                    .hint("it takes the right TakeQueueOwnership"));
            }
            number
        };
        let effect = Effect::Permit {
            queue: number,
            access: access.clone(),
        };
        Ok(Decision::Change(Change::one(stamp, Tell::Done, effect)))
    }

    /// What only asks.
    fn answer(&mut self, pages: &dyn Pages, from: &Caller, request: &Request) -> Result<Decision> {
        let reply = match request {
            Request::GetQueue { queue } => {
                let (_, queue) = self.open_queue(from, queue, Rights::GET_PROPERTIES)?;
                Reply::Queue(Box::new(self.status(queue)))
            }
            Request::ListQueues {
                after,
                count_max,
                all,
            } => Reply::Queues(self.list(from, after, *count_max, *all)),
            Request::GetAccess { queue } if queue.is_empty() => {
                administrators_only(from, "see who may do what on the queue manager")?;
                Reply::Access(self.access.clone())
            }
            Request::GetAccess { queue } => {
                let (_, queue) = self.open_queue(from, queue, Rights::GET_PERMISSIONS)?;
                Reply::Access(queue.access.clone())
            }
            Request::GetMachine => Reply::Machine(self.machine_status()),
            Request::Trace { id } => Reply::Trace(self.trace(pages, *id)?),
            Request::Counters => Reply::Counters(self.counters()),
            _ => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    "a request that nobody decides",
                ));
            }
        };
        Ok(Decision::Answer(reply))
    }

    /// Queues that the caller may see, in order of their names.
    fn list(&self, from: &Caller, after: &str, count_max: u32, all: bool) -> Vec<QueueStatus> {
        let behind = (
            std::ops::Bound::Excluded(key(after)),
            std::ops::Bound::Unbounded,
        );
        let queues = self.names.range::<String, _>(behind);
        let queues = queues.filter_map(|(_, number)| self.queues.get(number));
        let seen = queues.filter(|queue| {
            (all || queue.kind == QueueKind::Private)
                && (queue.access.rights_of(&from.access)).has(Rights::GET_PROPERTIES)
        });
        let seen = seen.take(count_max.min(LIST_COUNT_MAX) as usize);
        seen.map(|queue| self.status(queue)).collect()
    }
}

pub(super) fn administrators_only(from: &Caller, what: &str) -> Result<()> {
    if from.access.administrator {
        return Ok(());
    }
    let text = format!("{} may not {what}", from.access.name());
    Err(Error::new(ErrorKind::AccessDenied, text).hint("it takes an administrator of the computer"))
}

fn check_settable(queue: &Queue, properties: &QueueProperties) -> Result<()> {
    if queue.kind != QueueKind::Private {
        let text = format!("queue {} has no properties of its own", queue.name);
        return Err(Error::new(ErrorKind::InvalidParameter, text)
            .hint("set those of the queue that it belongs to"));
    }
    if queue.properties.transactional != properties.transactional {
        let text = format!(
            "whether queue {} is transactional cannot be changed",
            queue.name
        );
        return Err(Error::new(ErrorKind::IllegalPropertyValue, text)
            .hint("create another queue and move the messages"));
    }
    Ok(())
}

fn check_deletable(queue: &Queue) -> Result<()> {
    match queue.kind {
        QueueKind::Private => Ok(()),
        QueueKind::Subqueue if queue.is_empty() => Ok(()),
        QueueKind::Subqueue => {
            let text = format!("subqueue {} has messages", queue.name);
            Err(Error::new(ErrorKind::InvalidState, text).hint("receive, move or clear them first"))
        }
        _ => {
            let text = format!("queue {} belongs to the system", queue.name);
            Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint("it can be cleared, not removed"))
        }
    }
}

fn check_machine(properties: &MachineProperties) -> Result<()> {
    if properties.long_live_seconds == 0 {
        return Err(Error::new(
            ErrorKind::IllegalPropertyValue,
            "a LongLiveTime of 0 lets every message expire at once",
        )
        .hint("the default is 345600 seconds, 4 days"));
    }
    Ok(())
}

fn check_properties(name: &str, properties: &QueueProperties) -> Result<()> {
    if properties.label.chars().count() > QUEUE_LABEL_CHARS_MAX {
        let text = format!("the label of queue {name} is too long");
        return Err(Error::new(ErrorKind::LabelTooLong, text).hint(format!(
            "a queue's label has at most {QUEUE_LABEL_CHARS_MAX} characters"
        )));
    }
    let illegal = |text: String, hint: &str| {
        Err(Error::new(ErrorKind::IllegalPropertyValue, text).hint(hint))
    };
    if !properties.multicast_address.is_empty() {
        if !is_multicast(&properties.multicast_address) {
            let text = format!("{:?} is no multicast address", properties.multicast_address);
            return illegal(text, "write a.b.c.d:port with 224.0.0.0 to 239.255.255.255");
        }
        if properties.transactional {
            let text = format!("queue {name} is transactional and has a multicast address");
            return illegal(text, "only a queue that is not transactional has one");
        }
    }
    Ok(())
}

fn is_multicast(text: &str) -> bool {
    let address = text.parse::<std::net::SocketAddrV4>();
    address.is_ok_and(|address| address.ip().is_multicast())
}

impl State {
    /// A prepared transaction must be able to commit: the subqueue that it moves messages to stays.
    fn check_not_awaited(&self, queue: &Queue) -> Result<()> {
        let to_it = |e: &Effect| matches!(e, Effect::Move { to, .. } if *to == queue.number);
        let mut prepared = self.prepared.values();
        if queue.kind != QueueKind::Subqueue || !prepared.any(|p| p.effects.iter().any(to_it)) {
            return Ok(());
        }
        let text = format!("a prepared transaction moves messages to {}", queue.name);
        Err(Error::new(ErrorKind::InvalidState, text).hint("its coordinator must resolve it first"))
    }

    /// Deleting a queue: who asked to hear of the fate of messages in it does.
    fn decide_delete(
        &mut self,
        pages: &dyn Pages,
        stamp: crate::queue::change::Stamp,
        number: u32,
    ) -> Result<Decision> {
        let mut effects = Vec::new();
        for queue in self.family(number).into_iter().chain([number]) {
            self.tell_of_end(
                pages,
                &mut effects,
                queue,
                super::acknowledgment::QUEUE_DELETED,
            )?;
        }
        effects.push(Effect::Delete { queue: number });
        Ok(Decision::Change(Change {
            stamp,
            tell: Tell::Queue(number),
            effects,
        }))
    }

    fn decide_purge(
        &mut self,
        pages: &dyn Pages,
        stamp: crate::queue::change::Stamp,
        number: u32,
    ) -> Result<Decision> {
        let mut effects = Vec::new();
        self.tell_of_end(
            pages,
            &mut effects,
            number,
            super::acknowledgment::QUEUE_PURGED,
        )?;
        let queue = self.queues.get(&number);
        let held = queue.map_or_else(Vec::new, |queue| queue.locked.keys().copied().collect());
        effects.push(Effect::Purge {
            queue: number,
            held,
        });
        Ok(Decision::Change(Change {
            stamp,
            tell: Tell::Queue(number),
            effects,
        }))
    }

    /// Negative acknowledgements for all messages of a queue whose senders asked for them.
    fn tell_of_end(
        &mut self,
        pages: &dyn Pages,
        effects: &mut Vec<Effect>,
        number: u32,
        class: u16,
    ) -> Result<()> {
        let Some(queue) = self.queues.get_mut(&number) else {
            return Ok(());
        };
        let mut told = queue.index.told(pages)?;
        let delayed = queue.delayed.iter().map(|d| (*d.0, &d.1.entry));
        // Held ones go with their queue; of a purge they are the holder's, until it gives them back.
        let deleted = class == super::acknowledgment::QUEUE_DELETED;
        let held = queue.locked.iter().filter(|_| deleted);
        let held = held.map(|l| (*l.0, &l.1.entry));
        told.extend(delayed.chain(held).map(|(id, entry)| (id, entry.clone())));
        for (lookup_id, entry) in told {
            if let Some(queue) = self.queues.get(&number) {
                self.after_failure(effects, queue, (lookup_id, &entry), class, pages)?;
            }
        }
        Ok(())
    }
}
