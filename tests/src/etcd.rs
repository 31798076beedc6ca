//! etcd members as real processes, each at a loopback address of its own: killed, frozen, started again.
//!
//! Needs a server: `scripts/install-etcd`. Tests that use it are called `on_etcd_...` and are ignored by
//! default; `tests/run etcd` runs them.

#![allow(
    clippy::expect_used,
    reason = "only tests use it, and a member that does not start is a failed test"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long members may take to start, to elect a leader, to answer.
const PATIENCE: Duration = Duration::from_secs(60);
const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;
const METRICS_PORT: u16 = 2381;

/// Certificates for members that ask for them.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// Of the authority.
    pub ca: PathBuf,
    /// Of the members.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Some members of one etcd cluster; they end with it.
pub struct Members {
    program: PathBuf,
    folder: tempfile::TempDir,
    subnet: (u8, u8),
    certificates: Option<Certificates>,
    children: Vec<Option<Child>>,
}

impl Members {
    /// Starts them and waits until they have a leader.
    ///
    /// # Panics
    /// When there is no etcd, or it does not start.
    #[must_use]
    pub fn start(count: usize) -> Self {
        Self::with(count, |_, _| None)
    }

    /// As [`Members::start`], with the certificates that `make` writes for the members' addresses.
    ///
    /// # Panics
    /// As [`Members::start`].
    #[must_use]
    pub fn with(count: usize, make: impl FnOnce(&Path, &[String]) -> Option<Certificates>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut members = Self {
            program: program(),
            subnet: free_subnet(count),
            folder,
            certificates: None,
            children: (0..count).map(|_| None).collect(),
        };
        let addresses: Vec<_> = (0..count).map(|index| members.address(index)).collect();
        members.certificates = make(members.folder.path(), &addresses);
        for index in 0..count {
            members.launch(index);
        }
        let _ = members.leader();
        members
    }

    /// The address of a member.
    #[must_use]
    pub fn address(&self, index: usize) -> String {
        let (a, b) = self.subnet;
        format!("127.{a}.{b}.{}", index + 11)
    }

    /// Where HAMQ finds the members.
    #[must_use]
    pub fn location(&self, prefix: &str) -> String {
        let all: Vec<_> = (0..self.children.len()).collect();
        self.location_of(&all, prefix)
    }

    /// As [`Members::location`], with these members only.
    #[must_use]
    pub fn location_of(&self, members: &[usize], prefix: &str) -> String {
        let names: Vec<_> = members
            .iter()
            .map(|index| format!("{}:{CLIENT_PORT}", self.address(*index)))
            .collect();
        format!("etcd://{}/{prefix}", names.join(","))
    }

    /// Starts a member that is not running, with the data it had.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn launch(&mut self, index: usize) {
        let scheme = if self.certificates.is_some() {
            "https"
        } else {
            "http"
        };
        let peer = |index| format!("http://{}:{PEER_PORT}", self.address(index));
        let client = format!("{scheme}://{}:{CLIENT_PORT}", self.address(index));
        let cluster: Vec<_> = (0..self.children.len())
            .map(|index| format!("m{index}={}", peer(index)))
            .collect();
        let log = self.folder.path().join(format!("m{index}.log"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .expect("a log");
        let mut command = Command::new(&self.program);
        command
            .args(["--name", &format!("m{index}"), "--data-dir"])
            .arg(self.folder.path().join(format!("m{index}")))
            .args(["--listen-peer-urls", &peer(index)])
            .args(["--initial-advertise-peer-urls", &peer(index)])
            .args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ])
            .args(["--listen-metrics-urls"])
            .arg(format!("http://{}:{METRICS_PORT}", self.address(index)))
            .args(["--initial-cluster", &cluster.join(",")])
            .args(["--initial-cluster-token", &format!("{:?}", self.subnet)])
            .args([
                "--enable-grpc-gateway=false",
                "--logger=zap",
                "--log-level=warn",
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle on the log"))
            .stderr(log);
        if let Some(certificates) = &self.certificates {
            command
                .arg("--client-cert-auth")
                .arg("--trusted-ca-file")
                .arg(&certificates.ca)
                .arg("--cert-file")
                .arg(&certificates.certificate)
                .arg("--key-file")
                .arg(&certificates.key);
        }
        self.children[index] = Some(command.spawn().expect("etcd starts"));
    }

    /// The member that leads.
    ///
    /// # Panics
    /// When none does within a minute.
    #[must_use]
    pub fn leader(&self) -> usize {
        let end = Instant::now() + PATIENCE;
        loop {
            let running = (0..self.children.len()).filter(|index| self.children[*index].is_some());
            let mut leaders = running.filter(|index| self.leads(*index));
            if let Some(leader) = leaders.next() {
                return leader;
            }
            assert!(
                Instant::now() < end,
                "no leader; the logs say:\n{}",
                self.logs()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn leads(&self, index: usize) -> bool {
        let metrics = get(
            &format!("{}:{METRICS_PORT}", self.address(index)),
            "/metrics",
        );
        metrics.is_some_and(|text| text.contains("\netcd_server_is_leader 1\n"))
    }

    /// Kills a member at once.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.children[index].take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Stops a member, as a machine that hangs.
    pub fn freeze(&self, index: usize) {
        self.signal(index, Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self, index: usize) {
        self.signal(index, Signal::CONT);
    }

    fn signal(&self, index: usize, signal: Signal) {
        let pid = self.children[index].as_ref().map(Child::id);
        let pid = pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let pid = pid.unwrap_or_else(|| panic!("member {index} is not running"));
        kill_process(pid, signal).expect("a signal");
    }

    /// What all members have logged, for a failure.
    #[must_use]
    pub fn logs(&self) -> String {
        let logs = (0..self.children.len()).map(|index| {
            let log = self.folder.path().join(format!("m{index}.log"));
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let from = text.len().saturating_sub(2000);
            let from = (from..text.len()).find(|at| text.is_char_boundary(*at));
            format!("m{index}: {}\n", &text[from.unwrap_or(0)..])
        });
        logs.collect()
    }

    /// A folder that goes with the members.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        for index in 0..self.children.len() {
            self.kill(index);
        }
    }
}

/// The server: named, in the path, or unpacked by the script.
fn program() -> PathBuf {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/etcd/usr/bin/etcd");
    let named = std::env::var_os("HAMQ_ETCD").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|folder| folder.join("etcd"));
    let mut places = named.into_iter().chain(in_path).chain([unpacked]);
    places
        .find(|place| place.is_file())
        .unwrap_or_else(|| panic!("there is no etcd here: scripts/install-etcd gets one"))
}

/// A subnet 127.A.B where the ports of all members are free.
fn free_subnet(count: usize) -> (u8, u8) {
    let seed = uuid::Uuid::new_v4().as_u128();
    for step in 0..1000_u128 {
        let [a, b, ..] = seed.wrapping_add(step * 7919).to_le_bytes();
        let subnet = (64 + a % 64, b);
        let ports = [CLIENT_PORT, PEER_PORT, METRICS_PORT];
        let free = |address: String| {
            ports
                .iter()
                .all(|port| std::net::TcpListener::bind((address.as_str(), *port)).is_ok())
        };
        if (0..count).all(|index| free(format!("127.{}.{}.{}", subnet.0, subnet.1, index + 11))) {
            return subnet;
        }
    }
    panic!("no loopback subnet is free");
}

/// A plain HTTP request; `None` when nobody answers in order.
fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}
