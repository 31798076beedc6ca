//! etcd members on hosts of their own at a switch: killed, frozen, cut off.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::namespace::{Namespace, Switch};
use crate::process::{signal, wait_until};

/// The members; they end with it.
pub struct Quorum {
    members: Vec<Member>,
    folder: PathBuf,
}

struct Member {
    child: Option<Child>,
    namespace: Namespace,
    port: String,
    address: String,
}

impl Quorum {
    /// Starts so many and waits until they have a leader.
    ///
    /// # Panics
    /// When there is no etcd, or it does not start.
    #[must_use]
    pub fn start(switch: &Switch, folder: &Path, count: u8) -> Self {
        let member = |index: u8| {
            let (namespace, address) = (Namespace::new(), format!("10.79.0.{}", 201 + index));
            let port = switch.connect(&namespace, "eth0", &[&format!("{address}/24")]);
            Member {
                child: None,
                namespace,
                port,
                address,
            }
        };
        let mut quorum = Self {
            members: (0..count).map(member).collect(),
            folder: folder.to_owned(),
        };
        std::fs::create_dir_all(folder).unwrap();
        for index in 0..quorum.members.len() {
            quorum.launch(index);
        }
        wait_until("etcd has a leader", || quorum.leader().is_some());
        quorum
    }

    /// Where HAMQ finds them.
    #[must_use]
    pub fn location(&self) -> String {
        let all = self.members.iter().map(|m| format!("{}:2379", m.address));
        let all: Vec<_> = all.collect();
        format!("etcd://{}/hamq/prod?insecure=yes", all.join(","))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// The switch port of a member.
    #[must_use]
    pub fn port(&self, index: usize) -> &str {
        &self.members[index].port
    }

    /// Starts a member that is not running, with the data it had.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn launch(&mut self, index: usize) {
        if self.members[index].child.is_some() {
            return;
        }
        let peers = self.members.iter().enumerate();
        let peers = peers.map(|(n, m)| format!("m{n}=http://{}:2380", m.address));
        let peers: Vec<_> = peers.collect();
        let data = self.folder.join(format!("m{index}"));
        let log = self.folder.join(format!("m{index}.log"));
        let member = &mut self.members[index];
        let (client, peer) = (
            format!("http://{}:2379", member.address),
            format!("http://{}:2380", member.address),
        );
        let child = member.namespace.run(|| {
            let mut command = Command::new(crate::etcd::program());
            command
                .args(["--name", &format!("m{index}"), "--data-dir"])
                .arg(&data);
            command.args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ]);
            command.args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ]);
            command.args(["--initial-cluster", &peers.join(",")]);
            command.args([
                "--enable-grpc-gateway=false",
                // As docs/operating.md advises: the default from etcd 3.5 on.
                "--pre-vote",
                "--logger=zap",
                "--log-level=info",
            ]);
            let log = File::options().create(true).append(true).open(&log);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log.unwrap());
            command.spawn().unwrap()
        });
        member.child = Some(child);
    }

    /// The member that leads, if any says so now.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        (0..self.members.len()).find(|index| {
            let member = &self.members[*index];
            let metrics = member
                .namespace
                .run(|| get(&format!("{}:2379", member.address)));
            metrics.is_some_and(|text| text.contains("\netcd_server_is_leader 1\n"))
        })
    }

    /// Kills a member at once.
    pub fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.members[index].child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Stops a member or lets it go on.
    ///
    /// # Panics
    /// When it is not running.
    pub fn signal(&self, index: usize, with: Signal) {
        signal(self.members[index].child.as_ref().unwrap().id(), with);
    }
}

impl Drop for Quorum {
    fn drop(&mut self) {
        (0..self.members.len()).for_each(|index| self.kill(index));
    }
}

/// What a member tells of itself; `None` when it does not answer in order.
fn get(address: &str) -> Option<String> {
    let at = address.parse().ok()?;
    let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let request = format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}
