//! The commands on queues and messages, against a real queue manager of a virtual server.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::{Read, Write};
use std::net::TcpStream;

use hamq_core::ErrorKind;
use hamq_core::api::group::MoveClusterGroup;
use hamq_core::api::message::{
    CompleteMsmqMessage, GetMsmqMessage, MoveMsmqMessage, ReceiveMsmqQueue, SendMsmqQueue,
    TraceMsmqMessage, UndoMsmqMessage,
};
use hamq_core::api::parameter::SetClusterParameter;
use hamq_core::api::queue::{GetMsmqQueue, NewMsmqQueue, SetMsmqQueue};
use hamq_core::api::queue_access::{GetMsmqQueueACL, SetMsmqQueueACL};
use hamq_core::api::queue_manager::{GetMsmqCounter, GetMsmqQueueManager, SetMsmqQueueManager};
use hamq_core::api::value::{Body, Millis};
use hamq_tests::lab::Lab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");
const QUEUE: &str = "VS1\\private$\\orders";

fn text(body: &str) -> Option<Body> {
    Some(Body(body.as_bytes().to_vec()))
}

fn receive(name: &str) -> ReceiveMsmqQueue {
    ReceiveMsmqQueue {
        name: name.into(),
        timeout: Some(Millis(10_000)),
        ..ReceiveMsmqQueue::default()
    }
}

/// One cluster for all stories: each uses queues of its own.
#[test]
fn queues_messages_leases_files_and_rights() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    properties_are_set_and_shown(&lab);
    a_leased_message_is_settled(&lab);
    a_large_file_goes_through_the_queue(&lab);
    rights_are_shown_and_changed(&lab);
    a_queue_manager_is_shown_and_limited(&lab);
    single_message_transactions_are_asked_for_by_name(&lab);
    what_pretends_to_be_signed_is_refused_by_name(&lab);
    counters_are_had_at_the_port_that_the_resource_names(&lab);
}

fn properties_are_set_and_shown(lab: &Lab) {
    let made = lab
        .client
        .run(NewMsmqQueue {
            name: QUEUE.into(),
            journaling: true,
            queue_quota: Some("5MB".into()),
            ..NewMsmqQueue::default()
        })
        .unwrap();
    assert_eq!((made.journaling, made.queue_quota), (true, Some(5 << 20)));
    let set = lab
        .client
        .run(SetMsmqQueue {
            name: QUEUE.into(),
            label: Some("all orders".into()),
            queue_quota: Some("None".into()),
            ..SetMsmqQueue::default()
        })
        .unwrap();
    assert_eq!(set.label, "all orders");
    assert_eq!((set.journaling, set.queue_quota), (true, None));
    let sent = lab.send("orders", "one").unwrap();
    lab.client.run(receive(QUEUE)).unwrap();
    let journals = lab
        .client
        .run(GetMsmqQueue {
            name: QUEUE.into(),
            journal: true,
            ..GetMsmqQueue::default()
        })
        .unwrap();
    assert_eq!((journals.len(), journals[0].message_count), (1, 1));
    let copies = lab
        .client
        .run(GetMsmqMessage {
            name: format!("{QUEUE};JOURNAL"),
            ..GetMsmqMessage::default()
        })
        .unwrap();
    assert_eq!(copies[0].id, sent.id);
}

fn a_leased_message_is_settled(lab: &Lab) {
    let sent = lab.send("orders", "job").unwrap();
    let leased = |lab: &Lab| {
        let command = ReceiveMsmqQueue {
            lease: Some(Millis(60_000)),
            ..receive(QUEUE)
        };
        lab.client.run(command).unwrap().remove(0)
    };
    let first = leased(lab);
    let queue = || QUEUE.to_owned();
    lab.client
        .run(UndoMsmqMessage {
            queue: queue(),
            lease_id: first.lease_id.clone().unwrap(),
        })
        .unwrap();
    let second = leased(lab);
    assert_eq!(
        (second.id.as_str(), second.abort_count),
        (sent.id.as_str(), 1)
    );
    let complete = |lease_id: &Option<String>| {
        lab.client.run(CompleteMsmqMessage {
            queue: queue(),
            lease_id: lease_id.clone().unwrap(),
        })
    };
    let error = complete(&first.lease_id).unwrap_err();
    assert_eq!(error.kind, ErrorKind::MessageAlreadyReceived);
    assert_eq!(complete(&second.lease_id).unwrap().outcome, "Completed");
    let aside = lab.send("orders", "aside").unwrap();
    lab.client
        .run(MoveMsmqMessage {
            queue: queue(),
            lookup_id: aside.lookup_id,
            destination: format!("{QUEUE};later"),
            ..MoveMsmqMessage::default()
        })
        .unwrap();
    let steps = lab
        .client
        .run(TraceMsmqMessage {
            computer: "VS1".into(),
            id: aside.id.clone(),
        })
        .unwrap();
    assert!(
        steps
            .iter()
            .any(|step| step.queue == format!("{QUEUE};later"))
    );
    let moved = lab.client.run(receive(&format!("{QUEUE};later"))).unwrap();
    assert_eq!(
        (moved[0].id.as_str(), moved[0].move_count),
        (aside.id.as_str(), 1)
    );
}

fn a_large_file_goes_through_the_queue(lab: &Lab) {
    let file = |name: &str| lab.folder.path().join(name).to_str().unwrap().to_owned();
    let (from, to) = (file("from"), file("to"));
    let content: Vec<u8> = (0..9_000_001_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&from, &content).unwrap();
    lab.client
        .run(SendMsmqQueue {
            name: QUEUE.into(),
            body_file: Some(from),
            ..SendMsmqQueue::default()
        })
        .unwrap();
    for (retrieve_body, bytes) in [(false, 0), (true, content.len())] {
        let peek = ReceiveMsmqQueue {
            peek: true,
            retrieve_body,
            ..receive(QUEUE)
        };
        let peeked = lab.client.run(peek).unwrap().remove(0);
        assert_eq!((peeked.body.0.len(), peeked.body_size), (bytes, 9_000_001));
    }
    let nowhere = ReceiveMsmqQueue {
        out_file: Some(file("no/such/folder")),
        ..receive(QUEUE)
    };
    assert!(lab.client.run(nowhere).is_err());
    let taken = ReceiveMsmqQueue {
        out_file: Some(to.clone()),
        ..receive(QUEUE)
    };
    let taken = lab.client.run(taken).unwrap().remove(0);
    assert_eq!((taken.body_size, taken.abort_count), (9_000_001, 1));
    assert!(std::fs::read(&to).unwrap() == content);
    let error = lab.client.run(ReceiveMsmqQueue {
        name: QUEUE.into(),
        ..ReceiveMsmqQueue::default()
    });
    assert_eq!(error.unwrap_err().kind, ErrorKind::ReceiveTimeout);
}

fn rights_are_shown_and_changed(lab: &Lab) {
    lab.client
        .run(SetMsmqQueueACL {
            name: QUEUE.into(),
            user_name: vec!["anna".into()],
            allow: vec!["WriteMessage".into()],
            deny: vec!["PeekMessage".into()],
            ..SetMsmqQueueACL::default()
        })
        .unwrap();
    let list = lab
        .client
        .run(GetMsmqQueueACL { name: QUEUE.into() })
        .unwrap();
    let of_anna: Vec<_> = list
        .iter()
        .filter(|entry| entry.user_name == "anna")
        .map(|entry| (entry.access_type.as_str(), entry.rights.join(",")))
        .collect();
    let expected = [
        ("Allow", "WriteMessage".into()),
        ("Deny", "PeekMessage".into()),
    ];
    assert_eq!(of_anna, expected);
}

fn a_queue_manager_is_shown_and_limited(lab: &Lab) {
    let computer = || "VS1".to_owned();
    let set = SetMsmqQueueManager {
        computer: computer(),
        message_quota: Some("1KB".into()),
        ..SetMsmqQueueManager::default()
    };
    assert_eq!(lab.client.run(set).unwrap().message_quota, Some(1024));
    let full = lab.client.run(SendMsmqQueue {
        name: QUEUE.into(),
        body: text(&"x".repeat(2000)),
        ..SendMsmqQueue::default()
    });
    assert_eq!(full.unwrap_err().kind, ErrorKind::InsufficientResources);
    let shown = GetMsmqQueueManager {
        computer: computer(),
    };
    assert_eq!(
        lab.client.run(shown).unwrap().message_count,
        4,
        "a copy of each received one is in the journal"
    );
    let counters = lab
        .client
        .run(GetMsmqCounter {
            computer: computer(),
            instance: Some("orders".into()),
            counter: Some("Messages in Queue".into()),
        })
        .unwrap();
    assert_eq!((counters.len(), counters[0].value), (1, 0));
    let unlimited = SetMsmqQueueManager {
        computer: computer(),
        message_quota: Some("None".into()),
        ..SetMsmqQueueManager::default()
    };
    lab.client.run(unlimited).unwrap();
}

fn single_message_transactions_are_asked_for_by_name(lab: &Lab) {
    lab.new_queue("exact", true).unwrap();
    lab.new_queue("loose", false).unwrap();
    let path = |queue: &str| format!("VS1\\private$\\{queue}");
    let send = |queue: &str| {
        lab.client.run(SendMsmqQueue {
            name: path(queue),
            body: text("once"),
            transactional: true,
            ..SendMsmqQueue::default()
        })
    };
    let take = |queue: &str| {
        lab.client.run(ReceiveMsmqQueue {
            transactional: true,
            ..receive(&path(queue))
        })
    };
    let set_aside = |queue: &str, lookup_id, transactional| {
        lab.client.run(MoveMsmqMessage {
            queue: path(queue),
            lookup_id,
            destination: format!("{};aside", path(queue)),
            transactional,
            use_transaction: false,
        })
    };
    send("exact").unwrap();
    assert_eq!(take("exact").unwrap()[0].body.text(), Some("once"));
    let [first, second] = [(); 2].map(|()| send("exact").unwrap().lookup_id);
    set_aside("exact", first, false).unwrap();
    set_aside("exact", second, true).unwrap();
    assert_eq!(take("exact;aside").unwrap()[0].lookup_id, first);

    let sent = lab.send("loose", "x").unwrap();
    let refused = [
        send("loose").unwrap_err(),
        take("loose").unwrap_err(),
        set_aside("loose", sent.lookup_id, true).unwrap_err(),
    ];
    for error in refused {
        assert_eq!(error.kind, ErrorKind::TransactionUsage, "{error}");
    }
    let peek = ReceiveMsmqQueue {
        transactional: true,
        peek: true,
        ..receive(&path("loose"))
    };
    assert_eq!(lab.client.run(peek).unwrap_err().kind, ErrorKind::Usage);
}

fn what_pretends_to_be_signed_is_refused_by_name(lab: &Lab) {
    lab.new_queue("plain", false).unwrap();
    let name = "VS1\\private$\\plain";
    let plain = || SendMsmqQueue {
        name: name.into(),
        body: text("x"),
        ..SendMsmqQueue::default()
    };
    let signed = SendMsmqQueue {
        authenticated: true,
        ..plain()
    };
    let error = lab.client.run(signed).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnsupportedOperation, "{error}");
    assert!(error.hint.unwrap().contains("-ConnectorType"));
    let connected = SendMsmqQueue {
        privacy_level: Some("BodyAes".into()),
        connector_type: Some("55ee8f33-cce9-11cf-b108-0020afd61ce9".into()),
        soap_header: Some("<h/>".into()),
        ..plain()
    };
    lab.client.run(connected).unwrap();
    let found = &lab.client.run(receive(name)).unwrap()[0];
    assert_eq!(found.privacy_level, "BodyAes");
    assert_eq!(found.soap_header, "<h/>");
}

fn counters_are_had_at_the_port_that_the_resource_names(lab: &Lab) {
    let set = |value: i64| {
        lab.client.run(SetClusterParameter {
            resource: "VS1-MSMQ".into(),
            name: "MetricsPort".into(),
            value: Some(value.into()),
            delete: false,
        })
    };
    let error = set(70_000).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidParameter, "{error}");
    set(9464).unwrap();
    lab.client
        .run(MoveClusterGroup {
            name: "VS1".into(),
            node: Some("n2".into()),
            wait: Some(Millis(60_000)),
        })
        .unwrap();
    let address = lab.address(101).unwrap();
    let mut stream = TcpStream::connect((address.as_str(), 9464)).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    assert!(page.contains("hamq_store_epoch{manager=\"VS1\"}"), "{page}");
}
