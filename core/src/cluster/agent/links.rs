//! Which links of other nodes are heard here. A node has one for each network; it is suspected when none of them is heard.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::cluster::engine::{Event, Evidence};
use crate::cluster::record::{Interface, fold};

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
    local: Option<IpAddr>,
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
    /// A link that has introduced itself at this address of ours: it is heard.
    pub(super) fn open(
        &self,
        node: &str,
        incarnation: &str,
        local: Option<IpAddr>,
    ) -> (u64, Event) {
        let mut table = self.table();
        table.next += 1;
        let number = table.next;
        let link = Link {
            node: node.to_owned(),
            incarnation: incarnation.to_owned(),
            local,
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

    /// Whom this node hears, and in which of the subnets of these interfaces. A link may be older than what is known of them.
    pub(super) fn hears(&self, own: &[Interface]) -> BTreeSet<(String, String)> {
        let subnet = |link: &Link| {
            let local = link.local?.to_canonical().to_string();
            let interface = own.iter().find(|interface| interface.address == local)?;
            Some(interface.subnet.clone())
        };
        let table = self.table();
        let alive = table.links.values().filter(|link| link.alive);
        alive
            .filter_map(|link| Some((fold(&link.node), subnet(link)?)))
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
        let own = ["10.0.0.1", "10.0.1.1"].map(|address| Interface {
            name: "eth".into(),
            address: address.into(),
            subnet: format!("{address}/24"),
            up: true,
            default_route: false,
        });
        let at = |text: &str| Some(text.parse().unwrap());
        let (one, _) = links.open("n2", "a", at("10.0.0.1"));
        let (two, _) = links.open("n2", "a", at("10.0.1.1"));
        let (_other_life, _) = links.open("n2", "b", None);
        assert_eq!(links.hears(&own).len(), 2);
        assert_eq!(
            evidence(links.silent(one)),
            None,
            "the other network carries it"
        );
        assert_eq!(
            links.hears(&own),
            [("n2".to_owned(), "10.0.1.1/24".to_owned())].into()
        );
        assert_eq!(evidence(links.closed(two)), Some(Evidence::Closed));
        assert!(matches!(links.heard(one), Some(Event::PeerAlive { .. })));
        assert!(links.heard(one).is_none());
        assert_eq!(evidence(links.silent(one)), Some(Evidence::Silent));
        assert_eq!(evidence(links.closed(one)), Some(Evidence::Closed));
        assert!(links.closed(one).is_none() && links.hears(&own).is_empty());
    }
}
