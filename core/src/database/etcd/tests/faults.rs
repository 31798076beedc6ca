//! Members that die and hang, answers that are lost, history that is gone.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::message::method;
use super::*;

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
    assert!(done > 0);
    assert!(
        (done..=done + unknown).contains(&counted),
        "a count was lost, or done twice: {counted} counted, {done} told, {unknown} not known"
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
            .call(method::COMPACT, client::CALL_MAX, || request.clone(), fit);
        call.await
    });
    compact.await.unwrap();
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

#[tokio::test]
#[ignore = "needs etcd: tests/run etcd"]
async fn on_etcd_an_outage_longer_than_a_lease_ends_it_only_if_its_holder_is_gone() {
    let ttl = Duration::from_secs(2);
    let members = Members::start(3);
    let all = |act: &dyn Fn(usize)| (0..3).for_each(act);
    let (holder, observer) = (open(&members.location("p")), open(&members.location("p")));
    let (kept, forgotten) = (
        holder.grant(ttl).await.unwrap(),
        holder.grant(ttl).await.unwrap(),
    );
    let writes = vec![
        put("kept", "", Some(kept)),
        put("forgotten", "", Some(forgotten)),
    ];
    holder.commit(transaction(&[], writes)).await.unwrap();
    assert!(value(&observer, "kept").await.is_some());

    all(&|member| members.freeze(member));
    // The observer asks all the time, and so is the first to be answered. Both handles have then seen no
    // renewal for longer than the lease lasts: that is no proof.
    let reader = Arc::clone(&observer);
    let asking = tokio::spawn(async move {
        let gone = |found: Result<Range>| found.is_ok_and(|range| range.entries.is_empty());
        while !gone(reader.read("forgotten").await) {}
    });
    tokio::time::sleep(ttl * 2).await;
    all(&|member| members.thaw(member));
    let end = tokio::time::Instant::now() + PATIENCE;
    while !asking.is_finished() {
        assert!(
            tokio::time::Instant::now() < end,
            "it goes on without renewals"
        );
        tokio::time::sleep(ttl / 8).await;
        if let Ok(lives) = holder.renew(kept).await {
            assert!(lives, "ended by one that had not heard of it either");
        }
    }
    assert!(value(&observer, "kept").await.is_some());
}
