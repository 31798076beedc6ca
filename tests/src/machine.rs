//! A node in a network namespace of its own, and a client there.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hamq_core::api::client::{Client, ClientOptions};
use hamq_core::api::cluster::ClusterInfo;
use hamq_core::api::group::{GetClusterGroup, GroupInfo};
use hamq_core::api::node::GetClusterNode;
use hamq_core::sys::network::AGENT_PORT;

use crate::namespace::Namespace;
use crate::process::wait_until;

/// See the module. Its agent ends with it.
pub struct Machine {
    /// Its name, n1 to n3.
    pub name: &'static str,
    /// Its agent.
    pub agent: Child,
    /// A client whose home is in the test's folder.
    pub client: Client,
    /// Its network.
    pub namespace: Namespace,
}

impl Machine {
    /// Starts the agent of node `n<number>` of a stopped local cluster in this network, by `program` and its leading
    /// arguments.
    ///
    /// # Panics
    /// When it does not answer within a minute.
    #[must_use]
    #[expect(clippy::unwrap_used, reason = "a test fails where it stands")]
    pub fn start(
        program: &[&str],
        cluster: &ClusterInfo,
        number: u8,
        home: &Path,
        namespace: Namespace,
    ) -> Self {
        let name = ["n1", "n2", "n3"][usize::from(number) - 1];
        let address = format!("{}.{number}", cluster.subnet);
        let agent = namespace.run(|| node(program, cluster, name, &address));
        let options = ClientOptions {
            home: home.join(name),
            program: program.iter().map(Into::into).collect(),
            failover_timeout: Duration::from_secs(5),
        };
        let client = namespace.run(|| Client::new(options)).unwrap();
        let target = format!("{address}:{AGENT_PORT}");
        let machine = Self {
            name,
            agent,
            client,
            namespace,
        };
        wait_until(&format!("{name} answers"), || {
            machine.inside(|client| client.connect(&target)).is_ok()
        });
        machine
    }

    /// Does `work` in this machine's network.
    pub fn inside<T: Send>(&self, work: impl FnOnce(&Client) -> T + Send) -> T {
        self.namespace.run(|| work(&self.client))
    }

    /// A group as this node sees it.
    pub fn group(&self, name: &str) -> Option<GroupInfo> {
        let name = Some(name.to_owned());
        let found = self.inside(|client| client.run(GetClusterGroup { name }));
        found.ok()?.into_iter().next()
    }

    /// Waits until this node sees a group online on that node.
    ///
    /// # Panics
    /// After a minute.
    pub fn wait_for_owner(&self, group: &str, node: &str) {
        let what = format!("{group} is online on {node}, seen from {}", self.name);
        wait_until(&what, || {
            self.group(group)
                .is_some_and(|g| g.state == "Online" && g.owner_node.as_deref() == Some(node))
        });
    }

    /// The state of a node as this node sees it.
    pub fn state_of(&self, node: &str) -> Option<String> {
        let name = Some(node.into());
        let found = self.inside(|client| client.run(GetClusterNode { name }));
        Some(found.ok()?.into_iter().next()?.state)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its children end with it, also where it is frozen.
        drop(self.agent.kill());
        drop(self.agent.wait());
    }
}

#[expect(clippy::unwrap_used, reason = "a test fails where it stands")]
fn node(program: &[&str], cluster: &ClusterInfo, name: &str, address: &str) -> Child {
    let (first, leading) = program.split_first().unwrap();
    let mut command = Command::new(first);
    let database = cluster.quorum.trim_start_matches("sqlite:");
    let data: OsString = Path::new(&cluster.path).join(name).into();
    command
        .args(leading)
        .args(["node", "--supervised", "--cluster", &cluster.name])
        .args(["--name", name, "--listen", address, "--database", database])
        .arg("--data")
        .arg(data)
        // It ends when this pipe closes.
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}
