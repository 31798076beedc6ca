//! Whether the other side is still heard.

use std::time::Duration;

use super::window::Moment;

/// How long nothing may be heard while requests are under way.
const SILENCE_MAX: Duration = Duration::from_secs(1);
/// After this much of it, it is looked whether another queue manager answers at the address by now: the connection to a
/// machine that is gone says nothing, and the kernel asks less and less often.
const DOUBT: Duration = Duration::from_millis(250);
/// How often it is looked whether the other side lives.
pub(super) const TICK: Duration = Duration::from_millis(250);
/// How often an idle connection says that its client lives, in ticks.
const IDLE_PING_TICKS: u32 = 20;

/// See the module. Pure.
#[derive(Debug)]
pub(super) struct Watch {
    heard: Moment,
    busy_since: Option<Moment>,
    idle_ticks: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tick {
    Fine,
    Ping,
    /// Asked already, and not answered yet.
    Doubt,
    Silent,
}

impl Watch {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            heard: now,
            busy_since: None,
            idle_ticks: 0,
        }
    }

    pub(super) fn heard(&mut self, now: Moment) {
        self.heard = now;
    }

    /// Silence counts from the last sign of life, or from when there was something to answer.
    pub(super) fn tick(&mut self, now: Moment, idle: bool) -> Tick {
        if idle {
            self.busy_since = None;
            self.idle_ticks += 1;
            if self.idle_ticks.is_multiple_of(IDLE_PING_TICKS) {
                return Tick::Ping;
            }
            return Tick::Fine;
        }
        let busy_since = *self.busy_since.get_or_insert(now);
        let quiet = now.saturating_sub(self.heard.max(busy_since));
        if quiet >= SILENCE_MAX {
            Tick::Silent
        } else if quiet >= DOUBT {
            Tick::Doubt
        } else if now.saturating_sub(self.heard) >= TICK / 2 {
            Tick::Ping
        } else {
            Tick::Fine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Duration::from_millis(ms)
    }

    #[test]
    fn silence_counts_from_the_first_unanswered_request_not_from_idle_times() {
        let mut watch = Watch::new(at(0));
        assert_eq!(watch.tick(at(60_000), true), Tick::Fine);
        assert_eq!(watch.tick(at(60_250), false), Tick::Ping);
        assert_eq!(watch.tick(at(60_500), false), Tick::Doubt);
        assert_eq!(watch.tick(at(61_000), false), Tick::Doubt);
        assert_eq!(watch.tick(at(61_250), false), Tick::Silent);
    }

    #[test]
    fn a_busy_connection_that_is_heard_is_left_alone() {
        let mut watch = Watch::new(at(0));
        for tick in 1..100 {
            watch.heard(at(tick * 250 - 10));
            assert_eq!(watch.tick(at(tick * 250), false), Tick::Fine);
        }
    }

    #[test]
    fn an_idle_connection_says_now_and_then_that_it_lives() {
        let mut watch = Watch::new(at(0));
        let pings = (0..80).filter(|tick| watch.tick(at(tick * 250), true) == Tick::Ping);
        assert_eq!(pings.count(), 4);
    }
}
