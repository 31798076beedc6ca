//! Lines of the cluster log in the classic format, with the severity of the newer one:
//!
//! ```text
//! 0000378.0000032c::2026/11/22-17:00:18.874 INFO  [FM] claiming VS1 at epoch 3
//! ```
//!
//! Process and thread number are hexadecimal; times are in UTC.

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil::DateTime};

const FORMAT: &str = "%Y/%m/%d-%H:%M:%S%.3f";

/// The component of lines that say who did what: they are written at every level.
pub const AUDIT: &str = "AUD";

/// A line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The process that wrote it.
    pub pid: u32,
    /// Milliseconds since 1970.
    pub time_ms: u64,
    /// `ERR`, `WARN`, `INFO`, `DBG`.
    pub level: String,
    /// `NM`, `FM`, `RCM`, `DB` …
    pub component: String,
    /// What happened.
    pub text: String,
}

impl Line {
    /// The line as it stands in the file.
    #[must_use]
    pub fn format(&self) -> String {
        self.format_as(&self.text)
    }

    /// The line as it stands in a file of all nodes, on one time line: the node comes before the text.
    #[must_use]
    pub fn format_of(&self, node: &str) -> String {
        self.format_as(&format!("[{node}] {}", self.text))
    }

    fn format_as(&self, text: &str) -> String {
        let millis = i64::try_from(self.time_ms).unwrap_or(i64::MAX);
        let stamp = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH);
        let time = stamp.to_zoned(TimeZone::UTC).strftime(FORMAT).to_string();
        let (pid, level, component) = (self.pid, &self.level, &self.component);
        format!("{pid:08x}.{pid:08x}::{time} {level:<5} [{component}] {text}")
    }

    /// A line of the file; `None` when it is none (a torn last line).
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let (process, rest) = line.split_once("::")?;
        let (pid, _) = process.split_once('.')?;
        let (time, rest) = rest.split_once(' ')?;
        let (level, rest) = rest.split_once('[')?;
        let (component, text) = rest.split_once("] ")?;
        let civil = DateTime::strptime(FORMAT, time).ok()?;
        let stamp = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
        Some(Self {
            pid: u32::from_str_radix(pid, 16).ok()?,
            time_ms: u64::try_from(stamp.as_millisecond()).ok()?,
            level: level.trim().to_owned(),
            component: component.to_owned(),
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let line = Line {
            pid: 0x378,
            time_ms: 1_700_000_000_874,
            level: "INFO".to_owned(),
            component: "FM".to_owned(),
            text: "claiming VS1 at epoch 3: n1 is dead".to_owned(),
        };
        let text = line.format();
        assert!(text.starts_with("00000378.00000378::2023/11/14-22:13:20.874 INFO  [FM] claiming"));
        let of_all = line.format_of("n1");
        assert!(of_all.ends_with(" INFO  [FM] [n1] claiming VS1 at epoch 3: n1 is dead"));
        assert_eq!(Line::parse(&text), Some(line));
        assert_eq!(Line::parse(&text[..30]), None);
    }
}
