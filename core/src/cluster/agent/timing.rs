//! How fast a cluster notices, and for how long a node's word holds.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::record::FencingMode;
use crate::error::{Error, ErrorKind, Result};

/// The cluster's timing; the first node writes it into the database, later ones take it from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Heartbeat interval: 10 ms to 10 s.
    #[serde(rename = "same_subnet_delay_ms", with = "milliseconds")]
    pub same_subnet_delay: Duration,
    /// Missed heartbeats until a node is suspected: 2 to 1000.
    pub same_subnet_threshold: u64,
    /// The lease of a node's session: 200 ms to 10 minutes.
    #[serde(rename = "lease_ttl_ms", with = "milliseconds")]
    pub lease_ttl: Duration,
    /// How a hung owner is fenced.
    pub fencing: FencingMode,
    /// How long a returned node must be up before a group fails back to it.
    #[serde(rename = "failback_delay_ms", with = "milliseconds")]
    pub failback_delay: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            same_subnet_delay: Duration::from_millis(100),
            same_subnet_threshold: 10,
            lease_ttl: Duration::from_secs(2),
            fencing: FencingMode::Kill,
            failback_delay: Duration::from_secs(1),
        }
    }
}

impl Timing {
    /// # Errors
    /// `InvalidParameter` for a value out of its range.
    pub fn check(&self) -> Result<()> {
        let check = |what: &str, given: u64, range: RangeInclusive<u64>, hint: &str| {
            if range.contains(&given) {
                return Ok(());
            }
            let text = format!("{what} is out of range");
            Err(Error::new(ErrorKind::InvalidParameter, text).hint(hint))
        };
        let (delay, threshold) = (self.same_subnet_delay, self.same_subnet_threshold);
        check(
            "SameSubnetDelay",
            millis(delay),
            10..=10_000,
            "use 10ms to 10s",
        )?;
        check("SameSubnetThreshold", threshold, 2..=1000, "use 2 to 1000")?;
        let lease = millis(self.lease_ttl);
        check("LeaseTtl", lease, 200..=600_000, "use 200ms to 10m")
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration as a number of milliseconds.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(of: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(super::millis(*of))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
