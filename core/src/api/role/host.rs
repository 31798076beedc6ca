//! A host of a cluster on real addresses: made, joined, written into systemd.
//!
//! ```text
//!  node create ─ authority, own certificate ──────────┐
//!  node join TOKEN ─ a member signs ── certificate ────┼─ DATA/node.json, DATA/tls/ ─ node start --data DATA
//!  node install ─ a systemd unit that runs node start ─┘
//! ```

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::node::NodeOptions;
use crate::api::agent_host::{Join, Joined};
use crate::api::agents::{AgentAddress, Agents, Repeat};
use crate::api::server::JOIN;
use crate::api::trust::{ClientFile, Ticket, Trust};
use crate::api::value::{from_value, to_value};
use crate::cluster::agent::Timing;
use crate::database::Location;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::{Clock, SystemClock, year_of};
use crate::sys::folder;
use crate::sys::network::AGENT_PORT;
use crate::sys::trust::{Authority, Identity, IssuedFor, Pinned};

/// The node's description in its data folder.
const NODE_FILE: &str = "node.json";
/// Where systemd looks for units of this machine.
const UNITS: &str = "/etc/systemd/system";

/// What `hamq node start` reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFile {
    /// The cluster's name.
    pub cluster: String,
    /// The node's name.
    pub name: String,
    /// The address of its own.
    pub listen: IpAddr,
    /// The cluster database.
    pub database: String,
    /// The timing of the cluster that it makes.
    #[serde(default)]
    pub timing: Timing,
}

/// What `hamq node join` was told.
#[derive(Clone, Debug)]
pub struct JoinOptions {
    /// What `New-ClusterJoinToken` showed.
    pub token: String,
    /// The node's name.
    pub name: String,
    /// The address of its own.
    pub listen: IpAddr,
    /// Its data folder.
    pub data: PathBuf,
    /// The cluster database, where it is found in another place than on the node that answers.
    pub database: Option<String>,
}

impl HostFile {
    /// Reads that of a data folder.
    ///
    /// # Errors
    /// `NodeNotFound` when there is none; `StoreDamaged`.
    pub fn load(data: &Path) -> Result<Self> {
        let path = data.join(NODE_FILE);
        let bytes = folder::read_if_there(&path)?.ok_or_else(|| {
            let text = format!("{} is no data folder of a node: it has no {NODE_FILE}", data.display());
            Error::new(ErrorKind::NodeNotFound, text)
                .hint("`hamq node create` makes the first node of a cluster, `hamq node join TOKEN` each other one")
        })?;
        serde_json::from_slice(&bytes).map_err(|e| {
            let text = format!("{} does not describe a node: {e}", path.display());
            Error::new(ErrorKind::StoreDamaged, text).hint("repair the file, or join again")
        })
    }

    /// How the node is started.
    ///
    /// # Errors
    /// `InvalidParameter` for a database that is none.
    pub fn options(
        self,
        data: PathBuf,
        supervised: bool,
        program: Vec<PathBuf>,
    ) -> Result<NodeOptions> {
        Ok(NodeOptions {
            cluster: self.cluster,
            name: self.name,
            listen: self.listen,
            data,
            database: self.database.parse()?,
            supervised,
            program,
            level: None,
            timing: self.timing,
            arguments: Vec::new(),
        })
    }

    fn save(&self, data: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        folder::write_secret(&data.join(NODE_FILE), &text)
    }
}

/// Makes the first node of a new cluster, with the cluster's authority.
///
/// # Errors
/// `ObjectAlreadyExists` when the folder holds a node; those of the file system.
pub fn create_host(file: &HostFile, data: &Path, out: &mut dyn Write) -> Result<()> {
    check(file, data)?;
    file.timing.check()?;
    let year = year_of(SystemClock.wall_ms());
    let authority = Authority::new(&file.cluster, year)?;
    let (certificate, key) = Identity::issue(&authority, IssuedFor::Node(&file.name))?;
    let nodes = [(file.name.clone(), file.listen.to_string())];
    write(file, data, &authority, &certificate, &key, &nodes)?;
    report(file, data, &authority, out)
}

/// Joins a cluster with a token.
///
/// # Errors
/// `AccessDenied` for a token that is used, expired or of another cluster; `ClusterNotFound` when no node answers.
pub fn join_host(options: &JoinOptions, out: &mut dyn Write) -> Result<()> {
    let ticket = Ticket::read(&options.token)?;
    let mut file = HostFile {
        cluster: ticket.cluster.clone(),
        name: options.name.clone(),
        listen: options.listen,
        database: String::new(),
        timing: Timing::default(),
    };
    check(&file, &options.data)?;
    let (key, public) = Identity::new_key()?;
    let asked = Join {
        id: ticket.id.clone(),
        secret: ticket.secret.clone(),
        name: options.name.clone(),
        address: options.listen.to_string(),
        public_key: public.0.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let joined = ask(&ticket, &asked)?;
    let year = year_of(SystemClock.wall_ms());
    let authority = Authority::read(
        &joined.cluster,
        year,
        joined.authority,
        &joined.authority_key,
    )?;
    file.database = options.database.clone().unwrap_or(joined.database);
    let mut nodes = joined.nodes;
    nodes.push((file.name.clone(), file.listen.to_string()));
    write(
        &file,
        &options.data,
        &authority,
        &joined.certificate,
        &key,
        &nodes,
    )?;
    report(&file, &options.data, &authority, out)
}

fn ask(ticket: &Ticket, asked: &Join) -> Result<Joined> {
    let fingerprint = ticket.authority.parse().map_err(|()| {
        Error::new(
            ErrorKind::InvalidParameter,
            "the token has no fingerprint of an authority",
        )
    })?;
    let nodes = ticket.nodes.iter().filter_map(|(node, address)| {
        Some(AgentAddress {
            node: node.clone(),
            address: SocketAddr::new(address.parse().ok()?, AGENT_PORT),
        })
    });
    let agents = Agents {
        cluster: ticket.cluster.clone(),
        nodes: nodes.collect(),
        trust: Trust::pinned(Pinned::new(fingerprint)?),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::system("start a thread", &e))?;
    let asked = to_value(asked)?;
    let asking = agents.run(JOIN, &asked, Repeat::Forbidden);
    from_value(&runtime.block_on(asking)?)
}

/// Everything that can be refused before anything is made or used up.
fn check(file: &HostFile, data: &Path) -> Result<()> {
    crate::name::check_object_name("cluster", &file.cluster)?;
    crate::name::check_object_name("node", &file.name)?;
    if file.listen.is_unspecified() || file.listen.is_multicast() {
        let text = format!("{} is no address of one machine", file.listen);
        return Err(Error::new(ErrorKind::InvalidParameter, text)
            .hint("give the address by which the other hosts reach this one"));
    }
    if !file.database.is_empty() {
        file.database.parse::<Location>()?;
    }
    if data.join(NODE_FILE).exists() {
        let text = format!("{} holds a node already", data.display());
        return Err(Error::new(ErrorKind::ObjectAlreadyExists, text)
            .hint("`hamq node start --data …` starts it; give a new one another folder"));
    }
    Ok(())
}

/// The description last: without it the folder is no node's.
fn write(
    file: &HostFile,
    data: &Path,
    authority: &Authority,
    certificate: &str,
    key: &str,
    nodes: &[(String, String)],
) -> Result<()> {
    let secrets = data.join("tls");
    folder::create_secret(&secrets)?;
    let name = format!("admin-{}", file.name);
    let client = ClientFile::write(authority, &name, &file.cluster, nodes)?;
    for (name, text) in [
        ("ca.pem", authority.certificate_pem()),
        ("ca.key", &authority.key_pem()),
        ("node.pem", certificate),
        ("node.key", key),
        ("client.pem", &client),
    ] {
        folder::write_secret(&secrets.join(name), text.as_bytes())?;
    }
    file.save(data)
}

fn report(file: &HostFile, data: &Path, authority: &Authority, out: &mut dyn Write) -> Result<()> {
    let (cluster, name, listen) = (&file.cluster, &file.name, file.listen);
    let text = format!(
        "node {name} of cluster {cluster} at {listen}, data in {0}\n\
         authority {1}\n\
         start it: hamq node start --data {0}     at every boot: hamq node install --data {0}\n\
         give commands: Connect-Cluster {0}/tls/client.pem     add a host: New-ClusterJoinToken\n",
        data.display(),
        authority.fingerprint()?,
    );
    let written = out.write_all(text.as_bytes());
    written.map_err(|e| Error::system("write to standard output", &e))
}

/// The systemd unit of a node.
#[must_use]
pub fn unit(file: &HostFile, data: &Path, program: &Path) -> String {
    format!(
        "[Unit]\n\
         Description=HAMQ node {name} of cluster {cluster}\n\
         Wants=network-online.target\n\
         After=network-online.target remote-fs.target\n\
         \n\
         [Service]\n\
         Type=exec\n\
         ExecStart={program} node start --data {data}\n\
         # Its groups move away first.\n\
         TimeoutStopSec=75s\n\
         Restart=on-failure\n\
         RestartSec=1s\n\
         LimitNOFILE=1048576\n\
         # The last to be ended when memory runs out: a failover frees none.\n\
         OOMScoreAdjust=-900\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        name = file.name,
        cluster = file.cluster,
        program = quoted(program),
        data = quoted(data),
    )
}

/// One word of a command line of systemd.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    let text = text.replace('%', "%%").replace('$', "$$");
    format!("\"{text}\"")
}

/// Writes the unit, or only prints it.
///
/// # Errors
/// Those of the file system; `NodeNotFound`.
pub fn install_host(data: &Path, program: &Path, print: bool, out: &mut dyn Write) -> Result<()> {
    let data = folder::absolute(data)?;
    let file = HostFile::load(&data)?;
    let text = unit(&file, &data, program);
    let answer = match print {
        true => text,
        false => {
            let name = format!("hamq-{}.service", file.name.to_lowercase());
            let path = Path::new(UNITS).join(&name);
            folder::write_durably(&path, text.as_bytes())?;
            format!(
                "wrote {}\nsystemctl daemon-reload && systemctl enable --now {name}\n",
                path.display()
            )
        }
    };
    let written = out.write_all(answer.as_bytes());
    written.map_err(|e| Error::system("write to standard output", &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_host_has_everything_and_its_secrets_are_its_own() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("n1");
        let file = HostFile {
            cluster: "prod".into(),
            name: "n1".into(),
            listen: "10.0.0.1".parse().unwrap(),
            database: "/srv/quorum/cluster.db".into(),
            timing: Timing {
                same_subnet_threshold: 7,
                ..Timing::default()
            },
        };
        let mut said = Vec::new();
        create_host(&file, &data, &mut said).unwrap();
        assert!(
            String::from_utf8(said)
                .unwrap()
                .contains("node n1 of cluster prod at 10.0.0.1")
        );
        assert_eq!(HostFile::load(&data).unwrap(), file);
        assert!(Identity::load(&data.join("tls")).unwrap().is_some());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data.join("tls")), 0o700);
        for secret in ["ca.key", "node.key", "client.pem"] {
            assert_eq!(mode(&data.join("tls").join(secret)), 0o600, "{secret}");
        }
        let again = create_host(&file, &data, &mut Vec::new()).unwrap_err();
        assert_eq!(again.kind, ErrorKind::ObjectAlreadyExists);
        let client = ClientFile::find(folder.path(), data.join("tls/client.pem").to_str().unwrap());
        assert_eq!(
            client.unwrap().unwrap().agents().nodes[0]
                .address
                .to_string(),
            "10.0.0.1:7800"
        );

        let mut printed = Vec::new();
        install_host(&data, Path::new("/usr/bin/hamq"), true, &mut printed).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        let start = format!(
            "ExecStart=\"/usr/bin/hamq\" node start --data \"{}\"",
            data.display()
        );
        assert!(printed.contains(&start), "{printed}");
    }

    #[test]
    fn a_unit_s_words_keep_their_odd_characters() {
        assert_eq!(
            quoted(Path::new(r#"/a b/"c"\%d$"#)),
            r#""/a b/\"c\"\\%%d$$""#
        );
    }
}
