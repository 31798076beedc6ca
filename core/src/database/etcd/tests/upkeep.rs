//! What keeps etcd small, and what is told of it.

use super::super::message::{Operation, Txn, TxnReply, WatchReply, method};
use super::*;

#[tokio::test]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_one_handle_of_all_lets_it_forget() {
    let members = Members::start(1);
    let (one, other) = (
        open(&members.location("hamq/lab")),
        open(&members.location("hamq/lab")),
    );
    let old = insist(&one, "a", "1").await;
    insist(&one, "a", "2").await;
    let turn = |database: &EtcdDatabase, known| {
        database.ask(move |session| async move { housekeeping::turn(&session, known).await })
    };
    let first = turn(&one, None).await.unwrap();
    let its = turn(&other, None).await.unwrap();
    insist(&one, "a", "3").await;
    let second = turn(&one, Some(first)).await.unwrap();
    let late = turn(&other, Some(its)).await.unwrap();
    assert_eq!(
        format!("{late:?}").split(',').next(),
        format!("{second:?}").split(',').next()
    );

    let session = Arc::clone(&one.session);
    let forgotten = one.ask(move |_| async move {
        let failed = |f: grpc::Failure| Error::new(ErrorKind::Internal, f.to_string());
        let (connection, _) = session
            .client
            .dedicated(0, PATIENCE)
            .await
            .map_err(failed)?;
        let streams = connection
            .stream(method::WATCH, None)
            .await
            .map_err(failed)?;
        let (mut requests, mut replies) = streams;
        let (from, to) = session.keys.all();
        requests
            .send(&message::watch_create(&from, &to, old))
            .map_err(failed)?;
        loop {
            let reply = replies.next().await.map_err(failed)?.unwrap();
            let reply = WatchReply::decode(reply).unwrap();
            if reply.compacted > 0 || !reply.events.is_empty() {
                return Ok(reply.compacted);
            }
        }
    });
    assert!(forgotten.await.unwrap() > old, "what is old is forgotten");
    assert_eq!(value(&one, "a").await.unwrap(), "3", "what is there is not");
}

#[tokio::test]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_what_is_wrong_with_the_members_is_told() {
    let mut members = Members::start(3);
    let database = open(&members.location("p"));
    let all = database.notices().await.unwrap();
    assert!(
        all.iter().all(|text| text.starts_with("etcd 3.")),
        "{all:?}"
    );
    members.kill(1);
    let fewer = database.notices().await.unwrap();
    let silent = format!("etcd at {}:2379 does not answer", members.address(1));
    assert!(
        fewer.iter().any(|text| text.starts_with(&silent)),
        "{fewer:?}"
    );
    let alone = open(&members.location_of(&[0], "p"))
        .notices()
        .await
        .unwrap();
    assert!(
        alone.iter().any(|text| text.contains("fewer than three")),
        "{alone:?}"
    );
}

#[tokio::test]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_everything_can_be_removed() {
    let members = Members::start(1);
    let (one, neighbour) = (open(&members.location("p")), open(&members.location("p2")));
    insist(&one, "a", "1").await;
    insist(&neighbour, "a", "1").await;
    one.destroy().await.unwrap();
    let again = open(&members.location("p"));
    assert_eq!(value(&again, "a").await, None);
    assert_eq!(value(&neighbour, "a").await.unwrap(), "1");
}

/// A refusal that another member would only repeat.
#[tokio::test]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_what_no_member_would_take_is_refused_at_once() {
    let members = Members::start(1);
    let database = open(&members.location("p"));
    let session = Arc::clone(&database.session);
    let reply = database.ask(move |_| async move {
        let txn = Txn {
            compare: Vec::new(),
            success: vec![
                Operation::Put(b"bare".to_vec(), b"value".to_vec()),
                Operation::Touch(b"bare".to_vec()),
                Operation::Get(b"bare".to_vec()),
            ],
            failure: Vec::new(),
        };
        let judge = |bytes| match TxnReply::decode(bytes) {
            Ok(reply) => client::Verdict::Fit(reply),
            Err(malformed) => malformed.into(),
        };
        let client = &session.client;
        client
            .call(method::TXN, client::CALL_MAX, || txn.encode(), judge)
            .await
    });
    // Two writes of one key in one transaction: etcd says so.
    let error = reply.await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidParameter);
    assert!(error.message.contains("duplicate key"), "{error}");
}
