//! Limits, memory, clocks and rights of this process and its machine.

use std::fs::read_to_string;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The bit of CAP_NET_ADMIN.
const NET_ADMIN: u64 = 1 << 12;

/// The machine as a process sees it; what the system does not tell is zero or empty.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// `6.1.0-18-amd64`.
    pub kernel: String,
    /// `x86_64`.
    pub architecture: String,
    /// Its name.
    pub host_name: String,
    /// Processors this process may use.
    pub processors: u64,
    /// Bytes of memory.
    pub memory_total: u64,
    /// Bytes to be had without swapping.
    pub memory_available: u64,
    /// Descriptors a process may open.
    pub descriptors_max: u64,
    /// Processes the user may have.
    pub processes_max: u64,
    /// Load of the last minute in hundredths.
    pub load_hundredths: u64,
    /// `tsc`.
    pub clock_source: String,
    /// Milliseconds of sleep since it was started.
    pub suspended_ms: u64,
    /// The user this process runs as.
    pub user_id: u32,
    /// It may change addresses.
    pub may_set_addresses: bool,
    /// Length of the program file; none when it was replaced or removed.
    pub program_bytes: Option<u64>,
}

/// Looks at it.
#[must_use]
pub fn machine() -> Machine {
    let names = rustix::system::uname();
    let text = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
    let memory = read_to_string("/proc/meminfo").unwrap_or_default();
    Machine {
        kernel: text(names.release()),
        architecture: text(names.machine()),
        host_name: text(names.nodename()),
        processors: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
        memory_total: kibibytes(&memory, "MemTotal:"),
        memory_available: kibibytes(&memory, "MemAvailable:"),
        descriptors_max: limit(Resource::Nofile),
        processes_max: limit(Resource::Nproc),
        load_hundredths: hundredths(&read_to_string("/proc/loadavg").unwrap_or_default()),
        clock_source: clock_source(),
        suspended_ms: suspended_ms(),
        user_id: rustix::process::geteuid().as_raw(),
        may_set_addresses: has_net_admin(&read_to_string("/proc/self/status").unwrap_or_default()),
        program_bytes: program_bytes(),
    }
}

fn limit(resource: Resource) -> u64 {
    getrlimit(resource).current.unwrap_or(u64::MAX)
}

/// The bytes of a line `MemTotal:  16384 kB`.
fn kibibytes(table: &str, name: &str) -> u64 {
    let line = table.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0).saturating_mul(1024)
}

/// `1.25 …` as 125.
fn hundredths(load: &str) -> u64 {
    let first = load.split_whitespace().next().unwrap_or("0");
    first.replace('.', "").parse().unwrap_or(0)
}

fn clock_source() -> String {
    let path = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The boot clock runs while the machine sleeps, the monotonic one does not.
fn suspended_ms() -> u64 {
    let awake = clock_gettime(ClockId::Monotonic);
    let all = clock_gettime(ClockId::Boottime);
    let ms = |t: rustix::time::Timespec| t.tv_sec.saturating_mul(1000) + t.tv_nsec / 1_000_000;
    u64::try_from(ms(all) - ms(awake)).unwrap_or(0)
}

fn has_net_admin(status: &str) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits & NET_ADMIN != 0)
}

/// The link of a program that was replaced names a file that is gone.
fn program_bytes() -> Option<u64> {
    let path = std::fs::read_link("/proc/self/exe").ok()?;
    std::fs::metadata(path).ok().map(|file| file.len())
}

/// The ports that the system gives to outgoing connections.
#[must_use]
pub fn ephemeral_ports() -> Option<(u16, u16)> {
    let text = read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut parts = text.split_whitespace().map(str::parse::<u16>);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// Whether addresses can be bound that no interface has.
#[must_use]
pub fn bound_anywhere() -> bool {
    read_to_string("/proc/sys/net/ipv4/ip_nonlocal_bind").is_ok_and(|text| text.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_kernel_are_read_as_they_are_written() {
        assert_eq!(
            kibibytes("MemTotal:   2 kB\nMemFree: 1 kB\n", "MemTotal:"),
            2048
        );
        assert_eq!(kibibytes("MemTotal:   2 kB\n", "MemAvailable:"), 0);
        assert_eq!(hundredths("1.25 0.90 0.40 2/300 4711\n"), 125);
        assert_eq!(hundredths(""), 0);
        assert!(has_net_admin("Name:\tx\nCapEff:\t0000000000001000\n"));
        assert!(!has_net_admin("CapEff:\t0000000000000fff\n"));
    }

    #[test]
    fn this_machine_tells_of_itself() {
        let machine = machine();
        assert!(machine.memory_total > 0 && machine.processors > 0);
        assert!(!machine.kernel.is_empty() && machine.descriptors_max > 0);
        assert!(machine.program_bytes.is_some());
    }
}
