//! All connections, by keys that are never used again.

use super::connection::Connection;

/// Names a connection: its slot, and which use of the slot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u64);

impl Key {
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    fn slot(self) -> usize {
        (self.0 & u64::from(u32::MAX)) as usize
    }
}

#[derive(Debug)]
struct Slot {
    /// The key of what is in it, or was last.
    key: Key,
    connection: Option<Box<Connection>>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Connections {
    slots: Vec<Slot>,
    free: Vec<usize>,
    count: usize,
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How many there are, and how many of them over IP.
    pub(super) fn sessions(&self) -> (u64, u64) {
        let there = self
            .slots
            .iter()
            .filter_map(|slot| slot.connection.as_ref());
        let over_ip = there.filter(|c| c.is_over_ip());
        (self.count as u64, over_ip.count() as u64)
    }

    /// Takes a connection in. The upper bits of a key count the uses of its slot; 31 of them, so that a key is
    /// never taken for the token of a listener.
    pub(super) fn insert(&mut self, connection: Connection) -> Key {
        self.count += 1;
        let connection = Some(Box::new(connection));
        if let Some(index) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(index)
        {
            let uses = (slot.key.0 >> 32).wrapping_add(1) & 0x7fff_ffff;
            slot.key = Key(uses << 32 | index as u64);
            slot.connection = connection;
            return slot.key;
        }
        let key = Key(self.slots.len() as u64);
        self.slots.push(Slot { key, connection });
        key
    }

    pub(super) fn get(&mut self, key: Key) -> Option<&mut Connection> {
        let slot = self.slots.get_mut(key.slot())?;
        match slot.key == key {
            true => slot.connection.as_deref_mut(),
            false => None,
        }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Box<Connection>> {
        let slot = self.slots.get_mut(key.slot())?;
        if slot.key != key {
            return None;
        }
        let connection = slot.connection.take()?;
        self.free.push(key.slot());
        self.count -= 1;
        Some(connection)
    }

    pub(super) fn keys(&self) -> Vec<Key> {
        let full = |slot: &Slot| slot.connection.is_some().then_some(slot.key);
        self.slots.iter().filter_map(full).collect()
    }
}
