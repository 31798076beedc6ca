//! Properties of queues and of the queue manager, and access lists, as bytes.

use super::access::{AccessEntry, AccessList, Rights};
use super::codec::{Decoder, Encoder, malformed};
use super::request::{
    MachineProperties, PoisonPolicy, PoisonTarget, PrivacyLevel, QueueProperties,
};
use crate::error::Result;

const TARGETS: [PoisonTarget; 4] = [
    PoisonTarget::Fault,
    PoisonTarget::Drop,
    PoisonTarget::Reject,
    PoisonTarget::Move,
];
const PRIVACY: [PrivacyLevel; 3] = [
    PrivacyLevel::None,
    PrivacyLevel::Optional,
    PrivacyLevel::Body,
];

fn number<T: PartialEq>(all: &[T], value: &T) -> u8 {
    let at = all.iter().position(|v| v == value).unwrap_or_default();
    u8::try_from(at).unwrap_or_default()
}

fn value<T: Copy>(all: &[T], number: u8, what: &str) -> Result<T> {
    let value = all.get(usize::from(number)).copied();
    value.ok_or_else(|| malformed(what))
}

pub(super) fn encode_properties(to: &mut Encoder<'_>, properties: &QueueProperties) {
    to.u8(u8::from(properties.transactional)
        | u8::from(properties.journal) << 1
        | u8::from(properties.authenticate) << 2);
    to.text(&properties.label);
    to.uuid(properties.service_type);
    to.u64(properties.quota_bytes);
    to.u64(properties.journal_quota_bytes);
    to.varint(properties.base_priority.cast_unsigned().into());
    to.u8(number(&PRIVACY, &properties.privacy));
    to.text(&properties.multicast_address);
    to.varint(properties.poison.receive_retry_count.into());
    to.varint(properties.poison.retry_cycles_max.into());
    to.varint(properties.poison.retry_cycle_delay_ms);
    to.u8(number(&TARGETS, &properties.poison.then));
    to.varint(properties.duplicate_window_ms);
}

pub(super) fn decode_properties(from: &mut Decoder<'_>) -> Result<QueueProperties> {
    let bits = from.u8()?;
    if bits > 7 {
        return Err(malformed("unknown bits of a queue's properties"));
    }
    Ok(QueueProperties {
        transactional: bits & 1 != 0,
        journal: bits & 2 != 0,
        authenticate: bits & 4 != 0,
        label: from.text()?,
        service_type: from.uuid()?,
        quota_bytes: from.u64()?,
        journal_quota_bytes: from.u64()?,
        base_priority: from.varint16()?.cast_signed(),
        privacy: value(&PRIVACY, from.u8()?, "unknown privacy level")?,
        multicast_address: from.text()?,
        poison: PoisonPolicy {
            receive_retry_count: from.varint32()?,
            retry_cycles_max: from.varint32()?,
            retry_cycle_delay_ms: from.varint()?,
            then: value(&TARGETS, from.u8()?, "unknown end of a poison policy")?,
        },
        duplicate_window_ms: from.varint()?,
    })
}

pub(super) fn encode_access(to: &mut Encoder<'_>, access: &AccessList) {
    to.text(&access.owner);
    to.count(access.entries.len());
    for entry in &access.entries {
        to.text(&entry.trustee);
        to.u8(u8::from(entry.allow));
        to.u32(entry.rights.0);
    }
}

pub(super) fn decode_access(from: &mut Decoder<'_>) -> Result<AccessList> {
    let owner = from.text()?;
    let count = from.count(6)?;
    let entry = |_| {
        Ok(AccessEntry {
            trustee: from.text()?,
            allow: from.bool()?,
            rights: Rights(from.u32()?),
        })
    };
    Ok(AccessList {
        owner,
        entries: (0..count).map(entry).collect::<Result<_>>()?,
    })
}

pub(super) fn encode_machine(to: &mut Encoder<'_>, properties: &MachineProperties) {
    to.u64(properties.quota_bytes);
    to.u64(properties.journal_quota_bytes);
    to.varint(properties.long_live_seconds.into());
}

pub(super) fn decode_machine(from: &mut Decoder<'_>) -> Result<MachineProperties> {
    Ok(MachineProperties {
        quota_bytes: from.u64()?,
        journal_quota_bytes: from.u64()?,
        long_live_seconds: from.varint32()?,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn properties_and_access_lists_come_back() {
        let properties = QueueProperties {
            transactional: true,
            label: "l".into(),
            service_type: Uuid::from_u128(4),
            journal: true,
            quota_bytes: 5,
            journal_quota_bytes: 6,
            base_priority: -32768,
            authenticate: true,
            privacy: PrivacyLevel::Body,
            multicast_address: "224.0.0.1:1".into(),
            poison: PoisonPolicy {
                receive_retry_count: 5,
                retry_cycles_max: 3,
                retry_cycle_delay_ms: 7,
                then: PoisonTarget::Reject,
            },
            duplicate_window_ms: 8,
        };
        let access = AccessList::of_new_queue("alice");
        let machine = MachineProperties {
            quota_bytes: 1,
            journal_quota_bytes: 2,
            long_live_seconds: 3,
        };
        let mut bytes = Vec::new();
        let mut to = Encoder(&mut bytes);
        encode_properties(&mut to, &properties);
        encode_access(&mut to, &access);
        encode_machine(&mut to, &machine);
        let mut from = Decoder::new(&bytes);
        assert_eq!(decode_properties(&mut from).unwrap(), properties);
        assert_eq!(decode_access(&mut from).unwrap(), access);
        assert_eq!(decode_machine(&mut from).unwrap(), machine);
        assert!(from.is_empty());
    }
}
