//! Three hosts with addresses of their own at two switches, as processes in network namespaces.
//!
//! ```text
//!   n1 ── 10.78.0.1 ── n2 ── 10.78.0.2 ── n3 ── 10.78.0.3                            the public switch
//!    └─── 10.79.0.1 ────┘── 10.79.0.2 ────┘── 10.79.0.3      etcd 10.79.0.201 …      the private switch
//! ```
//!
//! They share the file system. With the cluster database in etcd, the agents are in process-number namespaces of their
//! own too, so that none can end another as on one machine.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use hamq_core::Result;
use hamq_core::api::client::{Client, ClientOptions};
use hamq_core::api::node::GetClusterNode;
use hamq_core::api::spec::Command as Cmdlet;
use hamq_core::api::trust::NewClusterJoinToken;

use crate::namespace::{Namespace, Switch};
use crate::process::wait_until;
use crate::quorum::Quorum;

/// A host at both switches, with or without a node on it. Its agent ends with it.
pub struct Host {
    /// Its node's name: n1, n2, ...
    pub name: String,
    /// Its address at the public switch.
    pub address: String,
    /// Its network.
    pub namespace: Namespace,
    /// Its port at the public switch.
    pub public: String,
    /// Its port at the private switch.
    pub private: String,
    /// Its agent, or what started that.
    pub agent: Option<Child>,
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(agent) = &mut self.agent {
            drop(agent.kill());
            drop(agent.wait());
        }
    }
}

/// The switches, the folder and the database that hosts share.
pub struct Site {
    /// How `hamq` is called here.
    pub program: String,
    /// Everything that lies in files.
    pub folder: tempfile::TempDir,
    /// Where clients are.
    pub public: Switch,
    /// Where only nodes and etcd are.
    pub private: Switch,
    /// Where the cluster database lies.
    pub database: String,
    /// How a program is started on a host.
    pub on_host: Vec<&'static str>,
    /// What the cluster is told of its timing.
    pub timing: Vec<&'static str>,
}

impl Site {
    /// Two switches and a quorum disk; nodes are started by `program`.
    ///
    /// # Panics
    /// When the system refuses.
    #[must_use]
    pub fn new(program: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let quorum = folder.path().join("quorum");
        std::fs::create_dir_all(&quorum).unwrap();
        Self {
            program: program.to_owned(),
            database: quorum.join("cluster.db").display().to_string(),
            folder,
            public: Switch::new(),
            private: Switch::new(),
            on_host: Vec::new(),
            timing: Vec::new(),
        }
    }

    /// One whose database is in etcd, on hosts of its own at the private switch.
    ///
    /// # Panics
    /// When there is no etcd, or it does not start.
    #[must_use]
    pub fn on_etcd(program: &str, members: u8) -> (Self, Quorum) {
        let mut site = Self::new(program);
        site.on_host = vec!["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let quorum = Quorum::start(&site.private, &site.folder.path().join("etcd"), members);
        site.database = quorum.location();
        (site, quorum)
    }

    /// A host at both switches, without a node yet.
    ///
    /// # Panics
    /// When the system refuses.
    #[must_use]
    pub fn host(&self, number: u8) -> Host {
        let namespace = Namespace::new();
        let address = format!("10.78.0.{number}");
        let public = self
            .public
            .connect(&namespace, "eth0", &[&format!("{address}/24")]);
        let second = format!("10.79.0.{number}/24");
        let private = self.private.connect(&namespace, "eth1", &[&second]);
        Host {
            name: format!("n{number}"),
            address,
            namespace,
            public,
            private,
            agent: None,
        }
    }

    /// The folder of a host's node.
    #[must_use]
    pub fn data(&self, host: &Host) -> PathBuf {
        self.folder.path().join(&host.name)
    }

    /// `hamq node VERB …` on a host.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(&self, host: &Host, words: &[&str]) -> Output {
        let data = self.data(host);
        host.namespace.run(|| {
            let mut command = Command::new(&self.program);
            command.arg("node").args(words).arg("--data").arg(&data);
            command.output().unwrap()
        })
    }

    /// Makes the cluster on its first host.
    ///
    /// # Panics
    /// When that fails.
    pub fn create(&self, host: &Host) {
        let words = [
            "create",
            "--cluster",
            "prod",
            "--name",
            &host.name,
            "--listen",
            &host.address,
        ];
        let output = self.run(
            host,
            &[&words[..], &["--database", &self.database], &self.timing].concat(),
        );
        assert!(output.status.success(), "{}", text(&output));
    }

    /// Joins a host; what was said.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn join(&self, host: &Host, token: &str) -> Output {
        self.run(
            host,
            &[
                "join",
                token,
                "--name",
                &host.name,
                "--listen",
                &host.address,
            ],
        )
    }

    /// Starts a host's agent.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&self, host: &mut Host) {
        let data = self.data(host);
        let start = [self.program.as_str(), "node", "start", "--supervised"];
        let words: Vec<&str> = self.on_host.iter().copied().chain(start).collect();
        let child = host.namespace.run(|| {
            let (first, rest) = words.split_first().unwrap();
            let mut command = Command::new(first);
            command.args(rest).arg("--data").arg(&data);
            command.stdin(Stdio::piped()).spawn().unwrap()
        });
        host.agent = Some(child);
    }

    /// An operator who has this client file, in this network.
    ///
    /// # Errors
    /// When the nodes refuse it.
    pub fn operator(&self, at: &Namespace, home: &str, file: &str) -> Result<Client> {
        let client = at.run(|| {
            Client::new(ClientOptions {
                home: self.folder.path().join(home),
                program: vec![self.program.clone().into()],
                failover_timeout: Duration::from_secs(5),
            })
        })?;
        at.run(|| client.connect(file))?;
        Ok(client)
    }

    /// Three hosts, up, and an operator on the first.
    ///
    /// # Panics
    /// When they are not up within a minute.
    #[must_use]
    pub fn three(&self) -> ([Host; 3], Client) {
        let mut hosts = [self.host(1), self.host(2), self.host(3)];
        self.create(&hosts[0]);
        self.start(&mut hosts[0]);
        let file = self.data(&hosts[0]).join("tls/client.pem");
        let file = file.to_str().unwrap();
        let mut client = None;
        wait_until("n1 answers", || {
            client = self.operator(&hosts[0].namespace, "home", file).ok();
            client.is_some()
        });
        let client = client.unwrap();
        for number in 1..3 {
            let token = give(&hosts[0], &client, NewClusterJoinToken::default()).unwrap();
            let output = self.join(&hosts[number], &token.token);
            assert!(output.status.success(), "{}", text(&output));
            self.start(&mut hosts[number]);
        }
        wait_until("all are up", || {
            let nodes = give(&hosts[0], &client, GetClusterNode { name: None }).unwrap();
            nodes.len() == 3 && nodes.iter().all(|n| n.state == "Up")
        });
        (hosts, client)
    }
}

/// Gives a command from a host's network.
///
/// # Errors
/// Those of the command.
pub fn give<C: Cmdlet + Send>(host: &Host, client: &Client, command: C) -> Result<C::Output>
where
    C::Output: Send,
{
    host.namespace.run(|| client.run(command))
}

/// What a program has said.
#[must_use]
pub fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}
