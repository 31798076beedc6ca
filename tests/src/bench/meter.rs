//! What a run cost, read from /proc and from the file system: it costs the server nothing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use super::row::Cores;

/// The unit of processor times in /proc: USER_HZ, a hundredth of a second on every Linux there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time from now on.
pub struct Meter {
    began: Instant,
    server: Option<u32>,
    before: Spent,
}

/// Seconds of processor time.
struct Spent {
    machine: f64,
    server: f64,
    client: f64,
}

impl Spent {
    fn now(server: Option<u32>) -> Self {
        Self {
            machine: busy_seconds(&read("/proc/stat")),
            server: server.map_or(0.0, |pid| spent(&read(&format!("/proc/{pid}/stat")))),
            client: spent(&read("/proc/self/stat")),
        }
    }
}

impl Meter {
    /// Starts; `server` is the process under load, if it is not this one.
    #[must_use]
    pub fn start(server: Option<u32>) -> Self {
        Self {
            began: Instant::now(),
            server,
            before: Spent::now(server),
        }
    }

    /// Cores in use since then.
    #[must_use]
    pub fn cores(&self) -> Cores {
        let now = Spent::now(self.server);
        let seconds = self.began.elapsed().as_secs_f64().max(1e-3);
        let server = (now.server - self.before.server) / seconds;
        let client = (now.client - self.before.client) / seconds;
        let machine = (now.machine - self.before.machine) / seconds;
        Cores {
            server,
            client,
            others: (machine - server - client).max(0.0),
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Busy time of all cores: user, nice, system, irq, softirq, steal.
fn busy_seconds(stat: &str) -> f64 {
    let first = stat.lines().next().unwrap_or_default();
    let fields: Vec<f64> = first
        .split_whitespace()
        .skip(1)
        .map(|field| field.parse().unwrap_or(0.0))
        .collect();
    let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|&i| fields.get(i));
    busy.sum::<f64>() / TICKS_PER_SECOND
}

/// User and system time of a process.
fn spent(stat: &str) -> f64 {
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let times = behind_name.split_whitespace().skip(11).take(2);
    let ticks = times.map(|field| field.parse().unwrap_or(0.0));
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

/// The value of a line `NAME: VALUE …` of a file of /proc.
fn line_value(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line[name.len()..].split_whitespace().next()?.parse().ok()
}

/// Memory that a process holds (VmRSS), in bytes.
#[must_use]
pub fn resident_bytes(pid: u32) -> Option<u64> {
    line_value(&read(&format!("/proc/{pid}/status")), "VmRSS:").map(|kib| kib * 1024)
}

/// Bytes that a process has sent towards the disk (`write_bytes` of /proc/PID/io: whole pages, when they
/// become dirty; a page that is dirtied again after it was written counts again).
#[must_use]
pub fn written_bytes(pid: u32) -> Option<u64> {
    line_value(&read(&format!("/proc/{pid}/io")), "write_bytes:")
}

/// Bytes written to the device that `folder` lies on, by everybody; none where the kernel does not say.
#[must_use]
pub fn device_written_bytes(folder: &Path) -> Option<u64> {
    let device = fs::metadata(folder).ok()?.dev();
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let stat = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")).ok()?;
    let sectors: u64 = stat.split_whitespace().nth(6)?.parse().ok()?;
    Some(sectors * 512)
}

/// Blocks that a folder's files occupy, in bytes, and how many files there are.
#[must_use]
pub fn disk_use(folder: &Path) -> (u64, u64) {
    let (mut bytes, mut files) = (0, 0);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let (b, f) = match metadata.is_dir() {
            true => disk_use(&entry.path()),
            false => (metadata.blocks() * 512, 1),
        };
        bytes += b;
        files += f;
    }
    (bytes, files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_proc_are_read() {
        let stat = "cpu  100 0 200 900 5 1 2 3 0 0\ncpu0 1 1 1 1";
        assert!((busy_seconds(stat) - 3.06).abs() < 1e-9);
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4 10 0 0 0 150 50 0 0 20 0 1 0 5";
        assert!((spent(stat) - 2.0).abs() < 1e-9);
        assert_eq!(line_value("a: 1\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12));
    }

    #[test]
    fn this_process_holds_memory_and_a_folder_occupies_what_its_files_do() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        fs::write(folder.path().join("inner/a"), vec![1; 10_000]).unwrap();
        let (bytes, files) = disk_use(folder.path());
        assert!((8192..=65_536).contains(&bytes), "{bytes}");
        assert_eq!(files, 1);
    }
}
