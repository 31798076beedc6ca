//! The file of a client: who it is, which cluster it is for, and where the cluster's nodes are.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::api::agents::{AgentAddress, Agents};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;
use crate::sys::network::AGENT_PORT;
use crate::sys::trust::{Authority, Identity, IssuedFor, Pinned};

/// What the nodes of clusters beyond this machine are convinced by.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    identities: Vec<Arc<Identity>>,
    pinned: Option<Arc<Pinned>>,
}

impl Trust {
    /// That of one who has no certificate yet.
    #[must_use]
    pub fn pinned(pinned: Pinned) -> Self {
        Self {
            identities: Vec::new(),
            pinned: Some(Arc::new(pinned)),
        }
    }

    /// Certificates, one of which may fit.
    #[must_use]
    pub fn identities(&self) -> &[Arc<Identity>] {
        &self.identities
    }

    /// The authority that one without a certificate believes.
    #[must_use]
    pub fn pin(&self) -> Option<&Pinned> {
        self.pinned.as_deref()
    }
}

/// See the module.
#[derive(Debug)]
pub struct ClientFile {
    cluster: String,
    nodes: Vec<(String, IpAddr)>,
    identity: Arc<Identity>,
}

impl ClientFile {
    /// The text of a new one, by the cluster's authority.
    ///
    /// # Errors
    /// `InvalidParameter` for a name that cannot be in a certificate.
    pub fn write(
        authority: &Authority,
        name: &str,
        cluster: &str,
        nodes: &[(String, String)],
    ) -> Result<String> {
        let (certificate, key) = Identity::issue(authority, IssuedFor::Client(name))?;
        let mut text = format!(
            "# Client {name} of the HAMQ cluster {cluster}. Whoever has this file can give it commands.\n\
             # cluster {cluster}\n"
        );
        for (node, address) in nodes {
            text.push_str(&format!("# node {node} {address}\n"));
        }
        for part in [certificate.as_str(), &key, authority.certificate_pem()] {
            text.push_str(part);
        }
        Ok(text)
    }

    /// That of a text.
    ///
    /// # Errors
    /// `StoreDamaged`.
    pub fn read(text: &str) -> Result<Self> {
        let mut cluster = None;
        let mut nodes = Vec::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("# ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["cluster", name] => cluster = Some(name.to_owned()),
                ["node", name, address] => {
                    nodes.extend(address.parse().ok().map(|a| (name.to_owned(), a)));
                }
                _ => {}
            }
        }
        let cluster = cluster.filter(|_| !nodes.is_empty()).ok_or_else(|| {
            let text = "a client's file says which cluster it is for, and where its nodes are";
            Error::new(ErrorKind::StoreDamaged, text)
                .hint("New-ClusterClientCertificate makes a new one")
        })?;
        Ok(Self {
            cluster,
            nodes,
            identity: Arc::new(Identity::from_bundle(text)?),
        })
    }

    /// The one that `target` names: a path that ends in `.pem`, or a cluster whose file is in the state folder `home`.
    ///
    /// # Errors
    /// `StoreDamaged`; those of the file system.
    pub fn find(home: &Path, target: &str) -> Result<Option<Self>> {
        let path = match target.ends_with(".pem") {
            true => PathBuf::from(target),
            false if target.contains(['/', '.']) => return Ok(None),
            false => home
                .join("clusters")
                .join(format!("{}.pem", target.to_lowercase())),
        };
        Self::load(&path)
    }

    fn load(path: &Path) -> Result<Option<Self>> {
        let Some(bytes) = folder::read_if_there(path)? else {
            return Ok(None);
        };
        let found = Self::read(&String::from_utf8_lossy(&bytes));
        found.map(Some).map_err(|e| Error {
            message: format!("{}: {}", path.display(), e.message),
            ..e
        })
    }

    /// Every identity in the state folder `home`, for an address of which nothing else is known.
    ///
    /// # Errors
    /// As [`ClientFile::find`].
    pub fn trust_in(home: &Path) -> Result<Trust> {
        let folder = home.join("clusters");
        let mut identities = Vec::new();
        for name in folder::names(&folder)? {
            if name.ends_with(".pem")
                && let Some(file) = Self::load(&folder.join(name))?
            {
                identities.push(file.identity);
            }
        }
        Ok(Trust {
            identities,
            pinned: None,
        })
    }

    /// The cluster's agents.
    #[must_use]
    pub fn agents(&self) -> Agents {
        let agent = |(node, address): &(String, IpAddr)| AgentAddress {
            node: node.clone(),
            address: SocketAddr::new(*address, AGENT_PORT),
        };
        Agents {
            cluster: self.cluster.clone(),
            nodes: self.nodes.iter().map(agent).collect(),
            trust: Trust {
                identities: vec![Arc::clone(&self.identity)],
                pinned: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_s_file_tells_where_to_go_and_what_to_show() {
        let authority = Authority::new("prod", 2026).unwrap();
        let nodes = [
            ("n1".to_owned(), "10.0.0.1".to_owned()),
            ("n2".to_owned(), "fd00::2".to_owned()),
        ];
        let text = ClientFile::write(&authority, "alice", "prod", &nodes).unwrap();
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("clusters")).unwrap();
        std::fs::write(home.path().join("clusters/prod.pem"), &text).unwrap();
        let agents = ClientFile::find(home.path(), "PROD")
            .unwrap()
            .unwrap()
            .agents();
        assert_eq!(agents.cluster, "prod");
        let addresses: Vec<_> = agents.nodes.iter().map(|a| a.address.to_string()).collect();
        assert_eq!(addresses, ["10.0.0.1:7800", "[fd00::2]:7800"]);
        assert_eq!(agents.trust.identities().len(), 1);
        assert_eq!(
            ClientFile::trust_in(home.path())
                .unwrap()
                .identities()
                .len(),
            1
        );
        assert!(ClientFile::find(home.path(), "other").unwrap().is_none());
        assert!(ClientFile::find(home.path(), "10.0.0.1").unwrap().is_none());
        assert!(ClientFile::read(&text.replace("# node", "#")).is_err());
        std::fs::write(home.path().join("clusters/bad.pem"), "nothing").unwrap();
        let error = ClientFile::find(home.path(), "bad").unwrap_err();
        assert!(error.message.contains("bad.pem"), "{error}");
    }
}
