//! The backend on a real etcd whose members die, hang, forget and ask for proof. `tests/run etcd`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::members::{Certificates, Members};
use super::super::{Guard, Write};
use super::message::{Operation, Txn, TxnReply, WatchReply, method};
use super::protobuf::Writer;
use super::*;
use crate::sys::clock::SystemClock;

/// Bound of a wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn open(location: &str) -> Arc<EtcdDatabase> {
    match location.parse() {
        Ok(Location::Etcd(location)) => {
            Arc::new(EtcdDatabase::open(location, Arc::new(SystemClock)).unwrap())
        }
        other => panic!("{other:?}"),
    }
}

fn put(key: &str, value: &str, lease: Option<LeaseId>) -> Write {
    Write::Put {
        key: key.to_owned(),
        value: value.as_bytes().to_vec(),
        lease,
    }
}

fn transaction(guards: &[(&str, u64)], writes: Vec<Write>) -> Transaction {
    let guard = |(key, version): &(&str, u64)| Guard {
        key: (*key).to_owned(),
        version: *version,
    };
    Transaction {
        guards: guards.iter().map(guard).collect(),
        writes,
    }
}

/// Commits until it is done; a database that is away answers with an error.
async fn insist(database: &EtcdDatabase, key: &str, value: &str) -> u64 {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        match database
            .commit(transaction(&[], vec![put(key, value, None)]))
            .await
        {
            Ok(Commit::Done { revision }) => return revision,
            Ok(Commit::Refused) => panic!("refused without a guard"),
            Err(error) => assert!(tokio::time::Instant::now() < end, "{error}"),
        }
    }
}

async fn heard(watch: &mut watch::Receiver<u64>, revision: u64) {
    let reached = watch.wait_for(|seen| *seen >= revision);
    let reached = tokio::time::timeout(PATIENCE, reached).await;
    reached.expect("a change was not announced").unwrap();
}

/// Counts as fast as it can until it is told to stop: what is certainly done, and what is not known.
async fn count(database: Arc<EtcdDatabase>, stop: Arc<AtomicBool>) -> (u64, u64) {
    let (mut done, mut unknown) = (0, 0);
    while !stop.load(Ordering::SeqCst) {
        let Ok(range) = database.read("n").await else {
            continue;
        };
        let entry = range.entries.first().expect("the counter is there");
        let now: u64 = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
        let write = put("n", &(now + 1).to_string(), None);
        match database
            .commit(transaction(&[("n", entry.version)], vec![write]))
            .await
        {
            Ok(Commit::Done { .. }) => done += 1,
            Ok(Commit::Refused) => {}
            Err(_) => unknown += 1,
        }
    }
    (done, unknown)
}

async fn value(database: &EtcdDatabase, key: &str) -> Option<String> {
    let range = database.read(key).await.unwrap();
    let entry = range.entries.into_iter().find(|entry| entry.key == key);
    entry.map(|entry| String::from_utf8(entry.value).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_every_count_is_told_truly_while_members_die_and_hang() {
    let mut members = Members::start(3);
    let observer = open(&members.location("hamq/lab"));
    insist(&observer, "n", "0").await;
    let mut watch = observer.watch();
    let stop = Arc::new(AtomicBool::new(false));
    let counters: Vec<_> = (0..3)
        .map(|_| {
            tokio::spawn(count(
                open(&members.location("hamq/lab")),
                Arc::clone(&stop),
            ))
        })
        .collect();

    let leader = members.leader();
    members.kill(leader);
    heard(
        &mut watch,
        insist(&observer, "after", "the leader was killed").await,
    )
    .await;
    members.launch(leader);

    let leader = members.leader();
    members.freeze(leader);
    heard(
        &mut watch,
        insist(&observer, "after", "the leader was frozen").await,
    )
    .await;
    members.thaw(leader);

    let follower = (members.leader() + 1) % 3;
    members.freeze(follower);
    heard(
        &mut watch,
        insist(&observer, "after", "a follower was frozen").await,
    )
    .await;
    members.thaw(follower);

    for index in 0..3 {
        members.kill(index);
    }
    for index in 0..3 {
        members.launch(index);
    }
    heard(
        &mut watch,
        insist(&observer, "after", "all were restarted").await,
    )
    .await;

    stop.store(true, Ordering::SeqCst);
    let (mut done, mut unknown) = (0, 0);
    for counter in counters {
        let (its_done, its_unknown) = counter.await.unwrap();
        done += its_done;
        unknown += its_unknown;
    }
    let counted: u64 = value(&observer, "n").await.unwrap().parse().unwrap();
    eprintln!("counted {counted}, told {done}, not known {unknown}");
    assert!(done > 0);
    assert!(
        (done..=done + unknown).contains(&counted),
        "a count was lost, or done twice"
    );
}

/// A way to a member on which answers can be lost.
struct Deaf {
    address: SocketAddr,
    deaf: Arc<AtomicBool>,
    /// Connections that were cut because they were deaf.
    epoch: Arc<AtomicU64>,
}

impl Deaf {
    async fn to(member: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (deaf, epoch) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (its_deaf, its_epoch) = (Arc::clone(&deaf), Arc::clone(&epoch));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&member).await else {
                    continue;
                };
                tokio::spawn(pass(
                    near,
                    far,
                    Arc::clone(&its_deaf),
                    Arc::clone(&its_epoch),
                ));
            }
        });
        Self {
            address,
            deaf,
            epoch,
        }
    }

    fn cut(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }
}

async fn pass(near: TcpStream, far: TcpStream, deaf: Arc<AtomicBool>, epoch: Arc<AtomicU64>) {
    let born = epoch.load(Ordering::SeqCst);
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let there = async { drop(tokio::io::copy(&mut from_near, &mut to_far).await) };
    let back = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(length @ 1..) = from_far.read(&mut buffer).await {
            if !deaf.load(Ordering::SeqCst) && to_near.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    };
    let cut = async {
        while epoch.load(Ordering::SeqCst) == born {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! { () = there => {}, () = back => {}, () = cut => {} }
}

#[tokio::test]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_a_commit_whose_answer_was_lost_is_neither_repeated_nor_denied() {
    let members = Members::start(1);
    let deaf = Deaf::to(format!("{}:2379", members.address(0))).await;
    let database = open(&format!("etcd://{}/hamq/lab", deaf.address));
    let direct = open(&members.location("hamq/lab"));
    insist(&database, "before", "").await;

    deaf.deaf.store(true, Ordering::SeqCst);
    // It would be refused if it were simply sent again: the key exists by then.
    let commit = database.commit(transaction(&[("once", 0)], vec![put("once", "1", None)]));
    let commit = tokio::spawn(commit);
    let mut watch = direct.watch();
    let first = loop {
        if let Some(entry) = direct.read("once").await.unwrap().entries.first() {
            break entry.version;
        }
        watch.changed().await.unwrap();
    };
    // Long enough for a second copy, whose answer is lost too: it must not hide that the first was done.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    deaf.deaf.store(false, Ordering::SeqCst);
    deaf.cut();
    let outcome = commit.await.unwrap().unwrap();
    assert_eq!(outcome, Commit::Done { revision: first });

    // And one that was refused without an answer is told to be refused.
    deaf.deaf.store(true, Ordering::SeqCst);
    let commit = database.commit(transaction(&[("once", 0)], vec![put("once", "2", None)]));
    let commit = tokio::spawn(commit);
    tokio::time::sleep(Duration::from_millis(1200)).await; // whatever was sent: it must end well
    deaf.deaf.store(false, Ordering::SeqCst);
    deaf.cut();
    assert_eq!(commit.await.unwrap().unwrap(), Commit::Refused);
    assert_eq!(value(&direct, "once").await.unwrap(), "1");
}

#[tokio::test]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_a_watch_outlives_the_compaction_of_what_it_missed() {
    let mut members = Members::start(3);
    let writer = open(&members.location_of(&[0, 1], "hamq/lab"));
    let watcher = open(&members.location_of(&[2], "hamq/lab"));
    let mut watch = watcher.watch();
    heard(&mut watch, insist(&writer, "a", "1").await).await;

    members.kill(2);
    let mut last = 0;
    for round in 0..20 {
        last = insist(&writer, "a", &format!("missed {round}")).await;
    }
    compact_to(&writer, last).await;
    members.launch(2);
    heard(&mut watch, last).await;
    heard(&mut watch, insist(&writer, "a", "heard").await).await;
    assert_eq!(value(&watcher, "a").await.unwrap(), "heard");
}

async fn compact_to(database: &EtcdDatabase, revision: u64) {
    let session = Arc::clone(&database.session);
    let compact = database.ask(move |_| async move {
        let request = message::compact(revision);
        let fit = |_| client::Verdict::Fit(());
        let call = session
            .client
            .call(method::COMPACT, client::CALL_MAX, |_| request.clone(), fit);
        call.await
    });
    compact.await.unwrap();
}

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
        format!("{:?}", late).split(',').next(),
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
async fn on_etcd_leases_live_by_their_renewals_whoever_leads() {
    let ttl = Duration::from_secs(5);
    let mut members = Members::start(3);
    let (holder, observer) = (open(&members.location("p")), open(&members.location("p")));
    let renewed = holder.grant(ttl).await.unwrap();
    let forgotten = holder.grant(ttl).await.unwrap();
    let writes = vec![
        put("renewed", "", Some(renewed)),
        put("forgotten", "", Some(forgotten)),
    ];
    holder.commit(transaction(&[], writes)).await.unwrap();
    let mut watch = observer.watch();
    assert!(value(&observer, "forgotten").await.is_some());

    let leader = members.leader();
    members.kill(leader);
    let over = tokio::time::Instant::now() + PATIENCE;
    let mut renewals = 0;
    while value(&observer, "forgotten").await.is_some() {
        assert!(
            tokio::time::Instant::now() < over,
            "a lease that nobody renews goes on"
        );
        if let Ok(lives) = holder.renew(renewed).await {
            assert!(lives, "a lease that was renewed is over");
            renewals += 1;
        }
        drop(tokio::time::timeout(ttl / 8, watch.changed()).await);
    }
    assert!(renewals > 0);
    assert!(value(&observer, "renewed").await.is_some());
    assert!(
        !holder.renew(forgotten).await.unwrap(),
        "an expired lease never comes back"
    );
    let late = transaction(&[], vec![put("late", "", Some(forgotten))]);
    assert_eq!(holder.commit(late).await.unwrap(), Commit::Refused);
}

/// An authority, and a certificate for members and for us.
fn certificates(folder: &Path, addresses: &[String]) -> Certificates {
    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    };
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(addresses.to_vec()).unwrap();
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let certificate = params.signed_by(&key, &issuer).unwrap();
    Certificates {
        ca: write("ca.pem", ca.pem()),
        certificate: write("certificate.pem", certificate.pem()),
        key: write("key.pem", key.serialize_pem()),
    }
}

#[tokio::test]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_tls_proves_both_sides() {
    let mut made = None;
    let members = Members::with(1, |folder, addresses| {
        made = Some(certificates(folder, addresses));
        made.clone()
    });
    let made = made.unwrap();
    let plain = members.location("p");
    let [ca, certificate, key] =
        [&made.ca, &made.certificate, &made.key].map(|path| path.display().to_string());
    let proven = open(&format!("{plain}?ca={ca}&cert={certificate}&key={key}"));
    insist(&proven, "a", "1").await;
    assert_eq!(value(&proven, "a").await.unwrap(), "1");

    let other = tempfile::tempdir().unwrap();
    let stranger = certificates(other.path(), &[members.address(0)]);
    let [other_ca, other_certificate, other_key] =
        [&stranger.ca, &stranger.certificate, &stranger.key].map(|p| p.display().to_string());
    for (what, location) in [
        ("without TLS", plain.clone()),
        ("without a certificate", format!("{plain}?ca={ca}")),
        (
            "of another authority",
            format!("{plain}?ca={ca}&cert={other_certificate}&key={other_key}"),
        ),
        (
            "members not proven",
            format!("{plain}?ca={other_ca}&cert={certificate}&key={key}"),
        ),
    ] {
        let database = open(&location);
        let refused = tokio::time::timeout(PATIENCE, database.read(""))
            .await
            .unwrap();
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Timeout, "{what}");
    }
}

/// Calls that an administrator makes.
async fn administer(database: &EtcdDatabase, path: &'static str, request: Writer) {
    let request = request.finish();
    let session = Arc::clone(&database.session);
    let call = database.ask(move |_| async move {
        let fit = |_| client::Verdict::Fit(());
        let client = &session.client;
        client
            .call(path, client::CALL_MAX, |_| request.clone(), fit)
            .await
    });
    call.await.unwrap();
}

#[tokio::test]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_a_user_proves_itself_again_when_its_token_is_old() {
    let members = Members::start(3);
    let plain = members.location("p");
    let open_to_all = open(&plain);
    let text = |field, value: &str| Writer::default().bytes(field, value.as_bytes());
    administer(
        &open_to_all,
        "/etcdserverpb.Auth/UserAdd",
        text(1, "root").bytes(2, b"s3cret"),
    )
    .await;
    administer(&open_to_all, "/etcdserverpb.Auth/RoleAdd", text(1, "root")).await;
    let grant = text(1, "root").bytes(2, b"root");
    administer(&open_to_all, "/etcdserverpb.Auth/UserGrantRole", grant).await;
    administer(
        &open_to_all,
        "/etcdserverpb.Auth/AuthEnable",
        Writer::default(),
    )
    .await;

    let (good, bad) = (members.folder().join("good"), members.folder().join("bad"));
    std::fs::write(&good, "s3cret\n").unwrap();
    std::fs::write(&bad, "guess").unwrap();
    let with = |file: &Path| {
        open(&format!(
            "{plain}?user=root&password-file={}",
            file.display()
        ))
    };
    let database = with(&good);
    insist(&database, "a", "1").await;
    let mut watch = database.watch();

    // Every change of the users makes all tokens old.
    administer(
        &database,
        "/etcdserverpb.Auth/UserAdd",
        text(1, "other").bytes(2, b"x"),
    )
    .await;
    assert_eq!(value(&database, "a").await.unwrap(), "1");
    heard(&mut watch, insist(&database, "a", "2").await).await;

    for (what, database) in [("no user", open(&plain)), ("a wrong password", with(&bad))] {
        let error = database.read("").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::AccessDenied, "{what}: {error}");
    }
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
            .call(method::TXN, client::CALL_MAX, |_| txn.encode(), judge)
            .await
    });
    // Two writes of one key in one transaction: etcd says so.
    let error = reply.await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidParameter);
    assert!(error.message.contains("duplicate key"), "{error}");
}
