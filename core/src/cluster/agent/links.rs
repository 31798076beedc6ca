//! Which links of other nodes are heard here. A node has one for each network; it is suspected when none of them is heard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::cluster::engine::{Event, Evidence};
use crate::cluster::record::fold;

/// See the module.
#[derive(Debug)]
pub(super) struct Links {
    table: Mutex<Table>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    links: BTreeMap<u64, Link>,
}

#[derive(Clone, Debug)]
struct Link {
    node: String,
    incarnation: String,
    subnet: Option<String>,
    alive: bool,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            table: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }
}

impl Links {
    /// A link that has introduced itself: it is heard.
    pub(super) fn open(
        &self,
        node: &str,
        incarnation: &str,
        subnet: Option<String>,
    ) -> (u64, Event) {
        let mut table = self.table();
        table.next += 1;
        let number = table.next;
        let link = Link {
            node: node.to_owned(),
            incarnation: incarnation.to_owned(),
            subnet,
            alive: true,
        };
        // Told each time: the node may have been suspected when its last link broke.
        let event = link.alive();
        table.links.insert(number, link);
        drop(table);
        self.tell();
        (number, event)
    }

    /// A silent link is heard again.
    pub(super) fn heard(&self, number: u64) -> Option<Event> {
        let mut table = self.table();
        let link = table.links.get_mut(&number)?;
        if std::mem::replace(&mut link.alive, true) {
            return None;
        }
        let event = link.alive();
        drop(table);
        self.tell();
        Some(event)
    }

    /// A link has missed its heartbeats. Evidence only when no other link of this life is heard.
    pub(super) fn silent(&self, number: u64) -> Option<Event> {
        let mut table = self.table();
        let link = table.links.get_mut(&number)?;
        link.alive = false;
        let link = link.clone();
        let event = table.evidence(&link, Evidence::Silent);
        drop(table);
        self.tell();
        event
    }

    /// A link has ended.
    pub(super) fn closed(&self, number: u64) -> Option<Event> {
        let mut table = self.table();
        let link = table.links.remove(&number)?;
        let event = table.evidence(&link, Evidence::Closed);
        drop(table);
        self.tell();
        event
    }

    /// Whom this node hears, and where.
    pub(super) fn hears(&self) -> BTreeSet<(String, String)> {
        let table = self.table();
        let alive = table.links.values().filter(|link| link.alive);
        alive
            .filter_map(|link| Some((fold(&link.node), link.subnet.clone()?)))
            .collect()
    }

    /// Tells of every change of what is heard.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn tell(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn evidence(&self, link: &Link, evidence: Evidence) -> Option<Event> {
        let same = |other: &&Link| other.node == link.node && other.incarnation == link.incarnation;
        let heard = self.links.values().filter(same).any(|other| other.alive);
        (!heard).then(|| Event::Evidence {
            node: link.node.clone(),
            incarnation: link.incarnation.clone(),
            evidence,
        })
    }
}

impl Link {
    fn alive(&self) -> Event {
        Event::PeerAlive {
            node: self.node.clone(),
            incarnation: self.incarnation.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(event: Option<Event>) -> Option<Evidence> {
        match event? {
            Event::Evidence { evidence, .. } => Some(evidence),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_node_is_suspected_when_no_link_of_its_life_is_heard() {
        let links = Links::default();
        let subnet = |text: &str| Some(text.to_owned());
        let (one, _) = links.open("n2", "a", subnet("10.0.0.0/24"));
        let (two, _) = links.open("n2", "a", subnet("10.0.1.0/24"));
        let (_other_life, _) = links.open("n2", "b", None);
        assert_eq!(links.hears().len(), 2);
        assert_eq!(
            evidence(links.silent(one)),
            None,
            "the other network carries it"
        );
        assert_eq!(
            links.hears(),
            [("n2".to_owned(), "10.0.1.0/24".to_owned())].into()
        );
        assert_eq!(evidence(links.closed(two)), Some(Evidence::Closed));
        assert!(matches!(links.heard(one), Some(Event::PeerAlive { .. })));
        assert!(links.heard(one).is_none());
        assert_eq!(evidence(links.silent(one)), Some(Evidence::Silent));
        assert_eq!(evidence(links.closed(one)), Some(Evidence::Closed));
        assert!(links.closed(one).is_none() && links.hears().is_empty());
    }
}
