//! The clocks of one node: a boot clock that drifts and begins anew with the machine, and a wall clock that
//! jumps as it likes.

use std::time::Duration;

use hamq_core::cluster::engine::Now;

#[derive(Clone)]
pub struct NodeClock {
    pub boot_id: String,
    born: u64,
    base: u64,
    /// Parts in ten thousand: 10_000 is true time.
    rate: u64,
    pub wall_offset: u64,
}

impl NodeClock {
    pub fn new(boot_id: String, born: u64, base: u64, rate: u64) -> Self {
        Self {
            boot_id,
            born,
            base,
            rate,
            wall_offset: 1_700_000_000_000,
        }
    }

    pub fn boot_ms(&self, now: u64) -> u64 {
        self.base + (now - self.born) * self.rate / 10_000
    }

    pub fn now(&self, now: u64) -> Now {
        let wall_ms = self.wall_offset + now;
        Now {
            boot: Duration::from_millis(self.boot_ms(now)),
            wall_ms,
            hour: u8::try_from(wall_ms / 3_600_000 % 24).unwrap(),
        }
    }

    /// The first moment at which the boot clock shows a time.
    pub fn when(&self, boot: Duration) -> u64 {
        let boot_ms = u64::try_from(boot.as_nanos().div_ceil(1_000_000)).unwrap();
        let ahead = boot_ms.saturating_sub(self.base);
        self.born + (ahead * 10_000).div_ceil(self.rate)
    }
}
