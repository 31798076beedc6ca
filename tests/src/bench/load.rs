//! How load is made: one at a time, or with a window of what is not confirmed yet. The same for all servers.

use std::time::{Duration, Instant};

use hamq_core::Result;

use super::bodies::Bodies;
use super::latency::Latencies;

/// Messages that a pipelining sender has unconfirmed at most.
pub const WINDOW: usize = 1000;

/// Somebody who takes messages and confirms each when it is durable.
pub trait Sender: Send {
    /// Hands a message in; it may stay in a buffer until the next [`Sender::settle`].
    ///
    /// # Errors
    /// Those of the connection.
    fn send(&mut self, body: &[u8]) -> Result<()>;

    /// Waits until at most `left` messages are unconfirmed.
    ///
    /// # Errors
    /// When one was refused, or the connection is lost.
    fn settle(&mut self, left: usize) -> Result<()>;
}

/// When a sender stops.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// After so many messages.
    Messages(u64),
    /// At this time.
    Until(Instant),
}

impl Limit {
    /// So long from now.
    #[must_use]
    pub fn lasting(time: Duration) -> Self {
        Self::Until(Instant::now() + time)
    }

    fn is_reached(self, sent: u64) -> bool {
        match self {
            Self::Messages(count) => sent >= count,
            Self::Until(end) => Instant::now() >= end,
        }
    }
}

/// Sends with at most [`WINDOW`] unconfirmed, and returns how many when all are confirmed.
/// The window is refilled in lots, as an efficient client does.
///
/// # Errors
/// Those of the sender.
pub fn pipelined(sender: &mut dyn Sender, bodies: &mut Bodies, limit: Limit) -> Result<u64> {
    pipelined_stamped(sender, bodies, limit, None)
}

/// As [`pipelined`]; each body begins with the nanoseconds since `origin`.
///
/// # Errors
/// Those of the sender.
pub fn pipelined_stamped(
    sender: &mut dyn Sender,
    bodies: &mut Bodies,
    limit: Limit,
    origin: Option<Instant>,
) -> Result<u64> {
    let lot = WINDOW / 16;
    let mut sent = 0;
    while !limit.is_reached(sent) {
        for _ in 0..lot {
            if matches!(limit, Limit::Messages(count) if sent >= count) {
                break;
            }
            match origin {
                Some(origin) => sender.send(bodies.next_stamped(nanos(origin.elapsed())))?,
                None => sender.send(bodies.next_body())?,
            }
            sent += 1;
        }
        sender.settle(WINDOW - lot)?;
    }
    sender.settle(0)?;
    Ok(sent)
}

/// Sends one message after the other, each when the one before is confirmed.
///
/// # Errors
/// Those of the sender.
pub fn one_at_a_time(
    sender: &mut dyn Sender,
    bodies: &mut Bodies,
    limit: Limit,
) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    let mut sent = 0;
    while !limit.is_reached(sent) {
        let began = Instant::now();
        sender.send(bodies.next_body())?;
        sender.settle(0)?;
        latencies.push(began.elapsed());
        sent += 1;
    }
    Ok(latencies)
}

/// Whole nanoseconds; a run does not last for centuries.
#[must_use]
pub fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Counting {
        under_way: usize,
        most: usize,
        sent: u64,
    }

    impl Sender for Counting {
        fn send(&mut self, _body: &[u8]) -> Result<()> {
            self.under_way += 1;
            self.sent += 1;
            self.most = self.most.max(self.under_way);
            Ok(())
        }

        fn settle(&mut self, left: usize) -> Result<()> {
            self.under_way = self.under_way.min(left);
            Ok(())
        }
    }

    #[test]
    fn the_window_is_filled_and_never_passed_and_all_is_confirmed_in_the_end() {
        let mut sender = Counting::default();
        let sent = pipelined(&mut sender, &mut Bodies::new(8), Limit::Messages(5001));
        assert_eq!((sent.unwrap(), sender.sent), (5001, 5001));
        assert!(
            (WINDOW - 62..=WINDOW).contains(&sender.most),
            "{}",
            sender.most
        );
        assert_eq!(sender.under_way, 0);
    }

    #[test]
    fn one_at_a_time_has_one_under_way() {
        let mut sender = Counting::default();
        let limit = Limit::Messages(7);
        let latencies = one_at_a_time(&mut sender, &mut Bodies::new(8), limit).unwrap();
        assert_eq!((latencies.count(), sender.most), (7, 1));
    }
}
