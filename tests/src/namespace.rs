//! Networks of their own for tests that are root: namespaces, and switches that connect them.
//!
//! ```text
//!   namespace n1          switch          namespace n2
//!     eth0 ────────── port ─ br0 ─ port ────────── eth0
//! ```
//!
//! A namespace vanishes with the last process in it; one process of the test's own holds it, and ends with the test,
//! however that ends.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Whether namespaces can be made here; says so past the test's captured output, so that a run shows it, if not.
#[must_use]
pub fn can_be_made() -> bool {
    let tried = Command::new("unshare")
        .args(["--net", "ip", "link", "set", "lo", "up"])
        .status();
    if tried.is_ok_and(|status| status.success()) {
        return true;
    }
    let text = b"SKIPPED: `unshare --net` and `ip link` do not work here\n";
    drop(std::io::stderr().write_all(text));
    false
}

/// A network with nothing but a loopback interface, until it is connected to a [`Switch`].
pub struct Namespace {
    holder: Child,
}

impl Namespace {
    /// Makes one.
    ///
    /// # Panics
    /// When the system refuses.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it starts a process")]
    #[expect(clippy::unwrap_used, reason = "a test fails where it stands")]
    pub fn new() -> Self {
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c"])
            // It reads until this process is gone.
            .arg("ip link set lo up && echo up && exec cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(holder.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        Self { holder }
    }

    /// Does `work` in a thread in this namespace; threads and processes it starts are in there too.
    ///
    /// # Panics
    /// When `work` does.
    #[expect(clippy::unwrap_used, reason = "a test fails where it stands")]
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                let link = File::open(format!("/proc/{}/ns/net", self.holder.id())).unwrap();
                let network = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(link.as_fd(), network).unwrap();
                work()
            });
            match inside.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Runs `ip` with these words in here; what it printed.
    ///
    /// # Panics
    /// When it fails.
    #[expect(clippy::unwrap_used, reason = "a test fails where it stands")]
    pub fn ip(&self, words: &str) -> String {
        let words: Vec<&str> = words.split_whitespace().collect();
        let output = self.run(|| Command::new("ip").args(&words).output().unwrap());
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "ip {}: {errors}", words.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The hardware address of an interface.
    ///
    /// # Panics
    /// When there is no such interface.
    pub fn hardware(&self, interface: &str) -> String {
        self.word_behind(&format!("link show dev {interface}"), "link/ether")
            .unwrap_or_default()
    }

    /// The hardware address that is known in here for a neighbor's address.
    ///
    /// # Panics
    /// When `ip` fails.
    pub fn neighbor(&self, address: &str) -> Option<String> {
        self.word_behind(&format!("neigh show {address}"), "lladdr")
    }

    /// Whether an interface in here has the address.
    ///
    /// # Panics
    /// When `ip` fails.
    pub fn has_address(&self, address: &str) -> bool {
        self.ip("-oneline address show")
            .contains(&format!(" {address}/"))
    }

    fn word_behind(&self, words: &str, key: &str) -> Option<String> {
        let text = self.ip(words);
        let mut words = text.split_whitespace().skip_while(|word| *word != key);
        words.nth(1).map(ToOwned::to_owned)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

/// An Ethernet switch.
pub struct Switch {
    namespace: Namespace,
    ports: AtomicU32,
}

impl Switch {
    /// One without cables.
    ///
    /// # Panics
    /// When the system refuses.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it starts a process")]
    pub fn new() -> Self {
        let namespace = Namespace::new();
        namespace.ip("link add br0 type bridge");
        namespace.ip("link set br0 up");
        Self {
            namespace,
            ports: AtomicU32::new(0),
        }
    }

    /// Puts a cable between this switch and a new interface of a namespace, with these addresses (`10.0.0.1/24`). Gives
    /// the port.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn connect(&self, to: &Namespace, interface: &str, addresses: &[&str]) -> String {
        let port = format!("port{}", self.ports.fetch_add(1, Ordering::Relaxed));
        let (switch, pid) = (&self.namespace, to.holder.id());
        switch.ip(&format!(
            "link add {port} type veth peer name {interface} netns {pid}"
        ));
        switch.ip(&format!("link set {port} master br0 up"));
        for address in addresses {
            let plain = if address.contains(':') { "nodad" } else { "" };
            to.ip(&format!("address add {address} dev {interface} {plain}"));
        }
        to.ip(&format!("link set {interface} up"));
        port
    }

    /// Pulls a cable, or puts it back.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn set(&self, port: &str, connected: bool) {
        let state = if connected { "up" } else { "down" };
        self.namespace.ip(&format!("link set {port} {state}"));
    }
}
