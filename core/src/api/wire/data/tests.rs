//! What goes in comes out, and whatever comes is survived.

use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use crate::api::wire::frame::{Frame, Kind, parse};
use crate::api::wire::payload::{
    Replies, append_reply, append_request, read_replies, read_request,
};
use crate::error::Result;
use crate::queue::message::{Delivery, LeaseId, Message, MessageId, Received, SentIn};
use crate::queue::request::{BodyId, Reply, Request, Select, Take, Transaction, TransactionId};

fn ids() -> impl Strategy<Value = MessageId> {
    (any::<u128>(), any::<u32>()).prop_map(|(manager, ordinal)| MessageId {
        manager: Uuid::from_u128(manager),
        ordinal,
    })
}

fn transactions() -> impl Strategy<Value = Transaction> {
    prop_oneof![
        Just(Transaction::None),
        Just(Transaction::Single),
        any::<u64>().prop_map(|id| Transaction::In(TransactionId(id))),
    ]
}

fn takes() -> impl Strategy<Value = Take> {
    let lease = any::<u32>().prop_map(Take::Lease);
    prop_oneof![Just(Take::Peek), Just(Take::Remove), lease]
}

fn selects() -> impl Strategy<Value = Select> {
    prop_oneof![
        Just(Select::First),
        any::<u64>().prop_map(Select::After),
        any::<u64>().prop_map(Select::LookupId),
        any::<u64>().prop_map(Select::Before),
        Just(Select::Last),
        ids().prop_map(Select::Correlation),
        ids().prop_map(Select::Id),
    ]
}

fn requests() -> impl Strategy<Value = Request> {
    let send = (".*", any::<Vec<u8>>(), transactions(), any::<Option<u64>>());
    let receive = (".*", selects(), takes(), any::<u64>(), transactions());
    let many = (
        (".*", any::<u64>(), takes(), any::<u32>(), any::<u32>()),
        (any::<u64>(), transactions()),
    );
    prop_oneof![
        send.prop_map(|(queue, body, transaction, large)| Request::Send {
            queue,
            message: Message::new(body).encode(),
            transaction,
            body: large.map(BodyId),
        }),
        receive.prop_map(|(queue, select, take, timeout_ms, transaction)| {
            Request::Receive {
                queue,
                select,
                take,
                timeout_ms,
                transaction,
            }
        }),
        many.prop_map(
            |((queue, after, take, count_max, bytes_max), (timeout_ms, transaction))| {
                Request::ReceiveMany {
                    queue,
                    after,
                    take,
                    count_max,
                    bytes_max,
                    timeout_ms,
                    transaction,
                }
            }
        ),
        Just(Request::Counters),
    ]
}

fn messages() -> impl Strategy<Value = Received> {
    let numbers = (
        ids(),
        any::<u64>(),
        any::<u64>(),
        any::<u64>(),
        any::<u16>(),
    );
    let texts = (any::<Vec<u8>>(), ".*", ".*", any::<bool>());
    let moves = (0..3_u32, 0..3_u32, 0..3_u64, any::<u64>());
    let rest = (
        any::<Option<(u64, bool, bool)>>(),
        any::<Option<(u64, u32)>>(),
    );
    (numbers, texts, moves, rest).prop_map(|(numbers, texts, moves, (sent_in, lease))| Received {
        content: Message::new(texts.0).encode(),
        id: numbers.0,
        lookup_id: numbers.1,
        sent_ms: numbers.2,
        arrived_ms: numbers.3,
        delivery: if texts.3 {
            Delivery::Recoverable
        } else {
            Delivery::Express
        },
        class: numbers.4,
        sender: texts.1,
        destination: texts.2,
        abort_count: moves.0,
        move_count: moves.1,
        last_move_ms: moves.2,
        transaction: sent_in.map(|(transaction, first, last)| SentIn {
            transaction,
            first,
            last,
        }),
        body_bytes: moves.3,
        lease: lease.map(|(lookup_id, delivery)| LeaseId {
            lookup_id,
            delivery,
        }),
    })
}

fn through(reply: &Reply) -> Result<Reply> {
    let mut out = Vec::new();
    append_reply(&mut out, 5, &Ok(reply.clone())).unwrap();
    let whole = Bytes::from(out);
    let (frame, _) = parse(&whole).unwrap().unwrap();
    match read_replies(&frame, &whole).unwrap() {
        Replies::One(5, reply) => reply,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn a_request_comes_out_as_it_went_in(
        request in requests(), sequence: u64, acknowledged: u64
    ) {
        let mut out = Vec::new();
        append_request(&mut out, sequence, acknowledged, &request).unwrap();
        let whole = Bytes::from(out);
        let (frame, length) = parse(&whole).unwrap().unwrap();
        prop_assert_eq!((frame.correlation, length), (sequence, whole.len()));
        prop_assert_eq!(read_request(&frame, &whole).unwrap(), (acknowledged, request));
    }

    #[test]
    fn messages_come_out_as_they_went_in(all in proptest::collection::vec(messages(), 0..5)) {
        prop_assert_eq!(through(&Reply::Messages(all.clone())), Ok(Reply::Messages(all.clone())));
        for one in all {
            let reply = Reply::Message(Box::new(one));
            prop_assert_eq!(through(&reply), Ok(reply));
        }
    }

    #[test]
    fn any_payload_and_content_are_survived(payload: Vec<u8>, content: Vec<u8>) {
        let mut all = payload.clone();
        all.extend_from_slice(&content);
        let whole = Bytes::from(all);
        let (payload, content) = whole.split_at(payload.len());
        for kind in Kind::ALL.iter().copied() {
            let frame = Frame { kind, correlation: u64::MAX, payload, content };
            let _ = read_request(&frame, &whole);
            if let Ok(Replies::Sent(run)) = read_replies(&frame, &whole) {
                prop_assert!(run.replies().take(3).count() <= 3);
            }
        }
    }
}

#[test]
fn a_message_that_was_damaged_on_its_way_is_an_error_of_its_request_alone() {
    let mut out = Vec::new();
    let message = Message::new("intact").encode();
    let request = Request::Send {
        queue: "q".into(),
        message,
        transaction: Transaction::None,
        body: None,
    };
    append_request(&mut out, 1, 1, &request).unwrap();
    let last = out.len() - 1;
    out[last] ^= 1;
    let whole = Bytes::from(out);
    let (frame, _) = parse(&whole).unwrap().unwrap();
    let Request::Send { message, .. } = read_request(&frame, &whole).unwrap().1 else {
        panic!("no send");
    };
    assert!(message.verify().is_err());
}
