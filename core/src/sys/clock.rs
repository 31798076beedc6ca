//! Two clocks: one that never jumps, for leases and timeouts, and the wall clock, for people.

use std::sync::Mutex;
use std::time::Duration;

/// Where the time comes from.
pub trait Clock: Send + Sync + 'static {
    /// Time since boot, suspend included (CLOCK_BOOTTIME): the same for every process of this kernel.
    fn boot(&self) -> Duration;

    /// The wall clock, in milliseconds since 1970. Never used to decide anything about ownership.
    fn wall_ms(&self) -> u64;
}

/// The kernel's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn boot(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        to_duration(time)
    }

    fn wall_ms(&self) -> u64 {
        let time = to_duration(rustix::time::clock_gettime(rustix::time::ClockId::Realtime));
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The year of a moment of the wall clock, for the dates in certificates.
#[must_use]
pub fn year_of(wall_ms: u64) -> i32 {
    let ms = i64::try_from(wall_ms).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    i32::from(moment.to_zoned(jiff::tz::TimeZone::UTC).year())
}

fn to_duration(time: rustix::time::Timespec) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

/// A clock that stands still until a test moves it.
#[derive(Debug, Default)]
pub struct FakeClock(Mutex<Duration>);

impl FakeClock {
    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        let mut now = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *now += by;
    }
}

impl Clock for FakeClock {
    fn boot(&self) -> Duration {
        *self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn wall_ms(&self) -> u64 {
        1_700_000_000_000 + u64::try_from(self.boot().as_millis()).unwrap_or(0)
    }
}
