//! d: taking what was sent before, every removal durable before the message is handed out.

use std::time::{Duration, Instant};

use hamq_core::{Error, ErrorKind, Result};

use crate::bench::bodies::Bodies;
use crate::bench::hamq::Hamq;
use crate::bench::load::{self, Limit, WINDOW};
use crate::bench::meter::Meter;
use crate::bench::plan::{Bench, QUEUE};
use crate::bench::row::{Measured, Row, System, Unit};

const MESSAGES: u64 = 200_000;
const BODY_BYTES: usize = 1024;

/// Fills a queue and empties it.
pub(super) fn drain(bench: &mut Bench<'_>) -> Result<()> {
    bench.with_hamq(|bench, subject| {
        subject.hamq.create_queue(QUEUE, false)?;
        fill(&subject.hamq, MESSAGES, BODY_BYTES)?;
        let (meter, began) = (Meter::start(Some(subject.server.pid())), Instant::now());
        empty(&subject.hamq, MESSAGES)?;
        let rate = MESSAGES as f64 / began.elapsed().as_secs_f64();
        let row = Row::new("d", "drain 200,000 of 1 KiB", Unit::PerSecond);
        let measured = Measured {
            cores: Some(meter.cores()),
            ..Measured::of(rate)
        };
        bench
            .report
            .add(row.bound(500_000.0), System::Hamq, measured);
        Ok(())
    })
}

/// Sends so many messages with bodies of that size to [`QUEUE`], pipelined.
pub(super) fn fill(hamq: &Hamq, messages: u64, body_bytes: usize) -> Result<()> {
    let mut sender = hamq.sender(QUEUE, false)?;
    let limit = Limit::Messages(messages);
    load::pipelined(&mut sender, &mut Bodies::new(body_bytes), limit).map(drop)
}

/// Receives so many messages from [`QUEUE`], as many at a time as a client may.
pub(super) fn empty(hamq: &Hamq, messages: u64) -> Result<()> {
    let mut receiver = hamq.receiver(QUEUE, WINDOW, Duration::ZERO)?;
    for taken in 0..messages {
        if receiver.receive()?.is_none() {
            let text = format!("the queue had {taken} messages, {messages} were sent to it");
            return Err(Error::new(ErrorKind::Internal, text));
        }
    }
    Ok(())
}
