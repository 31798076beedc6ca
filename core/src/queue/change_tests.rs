use uuid::Uuid;

use super::*;
use crate::queue::message::Message;

fn arrival(content: Content) -> Effect {
    Effect::Arrive(Box::new(Arrival {
        queue: 17,
        lookup_id: 4 << 56 | 9,
        content,
        body_bytes: 4,
        sender: 2,
        wishes: Wishes(0x1f),
        expires_ms: 5,
        due_ms: 6,
        correlation_id: Some(MessageId {
            manager: Uuid::from_u128(1),
            ordinal: 2,
        }),
        class: 0x4000,
        parts: vec![place(1), place(2)],
        transaction: Some(SentIn {
            transaction: 8,
            first: true,
            last: false,
        }),
        key: b"key".to_vec(),
        express: false,
    }))
}

fn place(offset: u32) -> Position {
    Position {
        segment: 3,
        offset,
        length: 7,
    }
}

#[expect(clippy::too_many_lines, reason = "one of each")]
fn effects() -> Vec<Effect> {
    let counts = Counts {
        abort_count: 1,
        delivery_count: 2,
        retry_cycle: 3,
    };
    let (queue, lookup_id) = (17, 4 << 56 | 9);
    let new = || Content::New(Message::new("body").encode());
    vec![
        arrival(new()),
        arrival(Content::Stored(place(9))),
        Effect::Leave { queue, lookup_id },
        Effect::Copy {
            queue,
            lookup_id,
            to: 18,
            class: 0xc002,
        },
        Effect::Move {
            queue,
            lookup_id,
            to: 19,
            due_ms: 44,
            counts,
        },
        Effect::Count {
            queue,
            lookup_id,
            counts,
        },
        Effect::Relocate {
            queue,
            lookup_id,
            part: 1,
            bytes: bytes::Bytes::from_static(b"moved"),
        },
        Effect::Part {
            client: Uuid::from_u128(4),
            body: 5,
            bytes: bytes::Bytes::from_static(b"part"),
        },
        Effect::Parts {
            client: Uuid::from_u128(4),
            body: 5,
        },
        Effect::Prepare {
            branch: BranchId(b"branch".to_vec()),
            taken: vec![(queue, lookup_id)],
            effects: vec![arrival(new())],
        },
        Effect::Resolved {
            branch: BranchId(b"branch".to_vec()),
        },
        Effect::Store {
            guid: Uuid::from_u128(6),
        },
        Effect::Reserve { counter: 1 << 40 },
        Effect::Client {
            number: 1,
            client: Uuid::from_u128(7),
        },
        Effect::Principal {
            number: 2,
            name: "alice".into(),
        },
        Effect::Create {
            queue,
            name: "q;retry".into(),
            kind: QueueKind::Subqueue,
            properties: Box::default(),
            access: AccessList::of_new_queue("alice"),
        },
        Effect::Configure {
            queue,
            properties: Box::default(),
        },
        Effect::Permit {
            queue: 0,
            access: AccessList::default(),
        },
        Effect::Machine {
            properties: MachineProperties::default(),
        },
        Effect::Delete { queue },
        Effect::Purge {
            queue,
            held: vec![1, 2],
        },
        Effect::Fault { queue, lookup_id },
    ]
}

fn change(effects: Vec<Effect>) -> Change {
    Change {
        stamp: Stamp {
            request: Some(RequestId {
                client: Uuid::from_u128(9),
                sequence: 4,
                acknowledged: 3,
            }),
            time_ms: 77,
        },
        tell: Tell::Queue(17),
        effects,
    }
}

fn encode(change: &Change) -> (Vec<u8>, Vec<Part>) {
    let (mut bytes, mut parts) = (b"before".to_vec(), Vec::new());
    change.encode(&mut bytes, &mut parts, 5, &[]);
    (bytes.split_off(6), parts)
}

fn client(number: u32) -> Option<Uuid> {
    (number == 5).then_some(Uuid::from_u128(9))
}

#[test]
fn every_effect_comes_back_and_its_contents_can_be_read_alone() {
    for effect in effects() {
        let change = change(vec![effect]);
        let (bytes, parts) = encode(&change);
        assert_eq!(
            Change::decode(&bytes, &client).unwrap(),
            (change, parts.clone())
        );
        for (offset, length) in parts {
            let (offset, length) = (offset as usize, length as usize);
            let content = &bytes[offset..offset + length];
            let plain = [&b"moved"[..], b"part"].contains(&content);
            assert!(plain || Encoded::from_bytes(content.to_vec()).is_ok());
        }
    }
    let all = change(effects());
    assert_eq!(Change::decode(&encode(&all).0, &client).unwrap().0, all);
}

#[test]
fn a_plain_send_of_a_kilobyte_costs_less_than_four_percent() {
    let content = Message::new(vec![7; 1024]).encode();
    let mut send = change(vec![arrival(Content::New(content))]);
    send.tell = Tell::Sent;
    if let Effect::Arrive(arrival) = &mut send.effects[0] {
        **arrival = Arrival {
            wishes: Wishes(0x10),
            expires_ms: 0,
            due_ms: 0,
            correlation_id: None,
            class: 0,
            parts: Vec::new(),
            transaction: None,
            key: Vec::new(),
            ..(**arrival).clone()
        };
    }
    send.stamp.time_ms = 1_800_000_000_000;
    let bytes = encode(&send).0.len();
    assert!(bytes <= 1024 + 40, "{bytes} bytes");
}

#[test]
fn no_bytes_make_it_panic() {
    for effect in effects() {
        let (bytes, _) = encode(&change(vec![effect]));
        for at in 0..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut bad = bytes.clone();
                bad[at] ^= flip;
                drop(Change::decode(&bad, &client));
                drop(Change::decode(&bad[..at], &client));
            }
        }
    }
}

#[test]
fn what_is_only_in_memory_is_not_written() {
    let change = change(vec![
        arrival(Content::New(Message::new("x").encode())),
        Effect::Leave {
            queue: 1,
            lookup_id: 2,
        },
    ]);
    let mut bytes = Vec::new();
    change.encode(&mut bytes, &mut Vec::new(), 5, &[true]);
    let (read, parts) = Change::decode(&bytes, &client).unwrap();
    assert_eq!(read.effects, change.effects[1..]);
    assert!(parts.is_empty());
}
