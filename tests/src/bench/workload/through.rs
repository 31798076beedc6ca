//! e1, e2: through the queue, from a sender to a consumer that waits.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use hamq_core::{Error, ErrorKind, Result};

use super::sending::panicked;
use crate::bench::bodies::{Bodies, stamp_of};
use crate::bench::hamq::{HamqSender, Receiver};
use crate::bench::latency::Latencies;
use crate::bench::load::{self, Limit, Sender, WINDOW, nanos};
use crate::bench::meter::Meter;
use crate::bench::plan::{Bench, QUEUE, Subject};
use crate::bench::row::{Measured, Row, System, Unit};

const BODY_BYTES: usize = 1024;
/// Messages a second of the paced sender.
const RATE: u64 = 2000;
/// Receives that wait at the queue manager, so that no message waits for a receive to be sent.
const WAITING_RECEIVES: usize = 32;
/// How long a message may take before it counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// A paced run takes at least this long, or its p99.9 would be of a handful.
const PACED_TIME_MIN: Duration = Duration::from_secs(3);

/// e1: 2,000 messages a second on a fixed schedule. A latency begins when the message was due, so a sender
/// that is held up makes the messages behind it late, as it would make its user's.
pub(super) fn paced(bench: &mut Bench<'_>) -> Result<()> {
    bench.with_hamq(|bench, subject| {
        let time = bench.options.time.max(PACED_TIME_MIN);
        let count = RATE * time.as_millis() as u64 / 1000;
        let (mut sender, mut receiver) = connect(subject, WAITING_RECEIVES)?;
        let meter = Meter::start(Some(subject.server.pid()));
        let origin = Instant::now() + Duration::from_millis(1);
        let latencies = std::thread::scope(|scope| {
            let sending = scope.spawn(move || send_paced(&mut sender, origin, count));
            let received = receive_stamped(&mut receiver, origin, count);
            sending.join().unwrap_or_else(|_| Err(panicked()))?;
            received
        })?;
        let cores = Some(meter.cores());
        let Some(latency) = latencies.percentiles() else {
            return Ok(());
        };
        let rows = [
            ("p50", latency.p50, 300.0),
            ("p99", latency.p99, 900.0),
            ("p99.9", latency.p999, 3000.0),
        ];
        for (name, value, bound) in rows {
            let row = Row::new(
                "e1",
                format!("send to receive at 2,000/s, {name}"),
                Unit::Micros,
            );
            let measured = Measured {
                cores,
                ..Measured::of(value)
            };
            bench.report.add(row.bound(bound), System::Hamq, measured);
        }
        Ok(())
    })
}

/// A sender and a receiver that have spoken with the queue manager already.
fn connect(subject: &Subject, ahead: usize) -> Result<(HamqSender, Receiver)> {
    let hamq = &subject.hamq;
    hamq.create_queue(QUEUE, false)?;
    let mut sender = hamq.sender(QUEUE, false)?;
    let mut receiver = hamq.receiver(QUEUE, ahead, LOST_AFTER)?;
    sender.send(b"first")?;
    sender.settle(0)?;
    match receiver.receive()? {
        Some(_) => Ok((sender, receiver)),
        None => Err(lost(0, 1)),
    }
}

fn lost(received: u64, sent: u64) -> Error {
    let text = format!("{received} of {sent} messages came, the next one not within 5 s");
    Error::new(ErrorKind::Internal, text)
}

fn send_paced(sender: &mut HamqSender, origin: Instant, count: u64) -> Result<()> {
    // Without this a sleep is 50 us late. Where it is refused, the figures are.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
    let mut bodies = Bodies::new(BODY_BYTES);
    for number in 0..count {
        let due = Duration::from_nanos(number * 1_000_000_000 / RATE);
        std::thread::sleep((origin + due).saturating_duration_since(Instant::now()));
        sender.send(bodies.next_stamped(nanos(due)))?;
        sender.settle(WINDOW)?;
    }
    sender.settle(0)
}

/// Receives `count` messages; each latency counts from its stamp.
fn receive_stamped(receiver: &mut Receiver, origin: Instant, count: u64) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    for number in 0..count {
        let body = receiver.receive()?.ok_or_else(|| lost(number, count))?;
        let due = origin + Duration::from_nanos(stamp_of(&body).unwrap_or(0));
        latencies.push(due.elapsed());
    }
    Ok(latencies)
}

/// e2: a sender as in b and a consumer, both as fast as they can.
pub(super) fn at_once(bench: &mut Bench<'_>) -> Result<()> {
    bench.with_hamq(|bench, subject| {
        let (mut sender, mut receiver) = connect(subject, WINDOW)?;
        let (meter, began) = (Meter::start(Some(subject.server.pid())), Instant::now());
        let limit = Limit::lasting(bench.options.time);
        let (received, ended) = std::thread::scope(|scope| {
            let sending = scope
                .spawn(move || load::pipelined(&mut sender, &mut Bodies::new(BODY_BYTES), limit));
            let mut received = 0;
            while !sending.is_finished() {
                received += u64::from(receiver.receive()?.is_some());
            }
            let sent = sending.join().unwrap_or_else(|_| Err(panicked()))?;
            while received < sent {
                receiver.receive()?.ok_or_else(|| lost(received, sent))?;
                received += 1;
            }
            Ok::<_, Error>((received, Instant::now()))
        })?;
        let rate = received as f64 / (ended - began).as_secs_f64();
        let row = Row::new("e2", "sender and consumer at once, 1 KiB", Unit::PerSecond);
        let measured = Measured {
            cores: Some(meter.cores()),
            ..Measured::of(rate)
        };
        bench
            .report
            .add(row.bound(250_000.0), System::Hamq, measured);
        Ok(())
    })
}
