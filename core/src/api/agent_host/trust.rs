//! Tokens, certificates, and who may still give commands.

use serde::{Deserialize, Serialize};

use super::Run;
use crate::api::trust::{
    ClientCertificateInfo, ClientFile, JoinTokenInfo, NewClusterClientCertificate,
    NewClusterJoinToken, Ticket,
};
use crate::api::value::Time;
use crate::cluster::agent::Agent;
use crate::cluster::configuration::Change;
use crate::cluster::record::{CLUSTER_KEY, JoinToken, NodeConfig, encode, fold, key};
use crate::cluster::view::View;
use crate::database::{Guard, Transaction, Write};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::year_of;
use crate::sys::trust::{Authority, IssuedFor, KeyForm, digest, random};

/// How long a token lasts unless something else is said, and at most.
const LIFETIME_MS: u64 = 3_600_000;
const LIFETIME_MS_MAX: u64 = 7 * 24 * LIFETIME_MS;
/// Bytes of a public key.
const KEY_BYTES_MAX: usize = 200;

/// `Join-Cluster`: what a new node shows, and asks to be signed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Join {
    #[serde(rename = "Id")]
    pub(crate) id: String,
    #[serde(rename = "Secret")]
    pub(crate) secret: String,
    #[serde(rename = "Name")]
    pub(crate) name: String,
    #[serde(rename = "Address")]
    pub(crate) address: String,
    #[serde(rename = "PublicKey")]
    pub(crate) public_key: String,
}

/// What it gets.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Joined {
    #[serde(rename = "Cluster")]
    pub(crate) cluster: String,
    #[serde(rename = "Database")]
    pub(crate) database: String,
    #[serde(rename = "Certificate")]
    pub(crate) certificate: String,
    #[serde(rename = "Authority")]
    pub(crate) authority: String,
    #[serde(rename = "AuthorityKey")]
    pub(crate) authority_key: String,
    #[serde(rename = "Nodes")]
    pub(crate) nodes: Vec<(String, String)>,
}

fn authority(agent: &Agent) -> Result<Authority> {
    let options = agent.options();
    let year = year_of(options.clock.wall_ms());
    Authority::load(&options.data.join("tls"), &options.cluster, year)
}

fn nodes(view: &View) -> Vec<(String, String)> {
    let nodes = view.nodes.values();
    nodes.map(|n| (n.name.clone(), n.address.clone())).collect()
}

impl Run for NewClusterJoinToken {
    async fn run(self, agent: &Agent) -> Result<JoinTokenInfo> {
        let lifetime = self.lifetime.map_or(LIFETIME_MS, |lifetime| lifetime.0);
        if !(1..=LIFETIME_MS_MAX).contains(&lifetime) {
            let text = "-Lifetime is out of range";
            return Err(Error::new(ErrorKind::InvalidParameter, text).hint("use 1ms to 7d"));
        }
        let authority = authority(agent)?.fingerprint()?.to_string();
        let now = agent.options().clock.wall_ms();
        let id = uuid::Uuid::new_v4().simple().to_string();
        let secret = digest(&random()?).to_string();
        let row = JoinToken {
            secret_hash: digest(secret.as_bytes()).to_string(),
            expires_ms: now.saturating_add(lifetime),
        };
        let decide = |view: &View| {
            let mut change = Change::default()
                .guard(view, "token", &view.tokens, &id)
                .put("token", &id, &row)
                .into_transaction();
            let over = view
                .tokens
                .iter()
                .filter(|(_, token)| token.expires_ms <= now);
            change.writes.extend(over.map(|(id, _)| Write::Delete {
                key: key("token", id),
            }));
            Ok((change, nodes(view)))
        };
        let (_, nodes) = agent.change(decide).await?;
        let ticket = Ticket {
            cluster: agent.options().cluster.clone(),
            nodes,
            authority,
            id: id.clone(),
            secret,
        };
        Ok(JoinTokenInfo {
            token: ticket.text()?,
            expires: Time(row.expires_ms),
        })
    }
}

impl Run for NewClusterClientCertificate {
    async fn run(self, agent: &Agent) -> Result<ClientCertificateInfo> {
        let authority = authority(agent)?;
        let nodes = nodes(&agent.read().await?);
        let cluster = &agent.options().cluster;
        Ok(ClientCertificateInfo {
            text: ClientFile::write(&authority, &self.name, cluster, &nodes)?,
            cluster: cluster.clone(),
            name: self.name,
        })
    }
}

/// A new node: the token is used up and the node added by one transaction.
pub(super) async fn join(agent: &Agent, asked: &Join) -> Result<Joined> {
    let authority = authority(agent)?;
    let public = crate::api::trust::from_hex(&asked.public_key)
        .filter(|bytes| bytes.len() <= KEY_BYTES_MAX)
        .ok_or_else(|| Error::new(ErrorKind::InvalidParameter, "this is no public key"))?;
    crate::name::check_object_name("node", &asked.name)?;
    // Before the token is used: a name that cannot be signed must not cost one.
    let certificate = authority.issue(IssuedFor::Node(&asked.name), &KeyForm(public))?;
    let now = agent.options().clock.wall_ms();
    let decide = |view: &View| {
        check_token(view, asked, now)?;
        Ok((joining(view, asked)?, nodes(view)))
    };
    let (_, nodes) = agent.change(decide).await?;
    Ok(Joined {
        cluster: agent.options().cluster.clone(),
        database: agent.options().database.location(),
        certificate,
        authority: authority.certificate_pem().to_owned(),
        authority_key: authority.key_pem(),
        nodes,
    })
}

fn check_token(view: &View, asked: &Join, now: u64) -> Result<()> {
    let hash = digest(asked.secret.as_bytes()).to_string();
    let token = view.tokens.get(&fold(&asked.id));
    let known = token.filter(|token| token.secret_hash == hash);
    let why = match known {
        Some(token) if token.expires_ms > now => return Ok(()),
        Some(_) => "the join token has expired",
        None => "the join token was used already, or is none of this cluster",
    };
    Err(Error::new(ErrorKind::AccessDenied, why)
        .hint("make a new one on a node of the cluster: New-ClusterJoinToken"))
}

fn joining(view: &View, asked: &Join) -> Result<Transaction> {
    let known = view.nodes.get(&fold(&asked.name));
    if known.is_some() && view.sessions.contains_key(&fold(&asked.name)) {
        let text = format!("node {} is up already", asked.name);
        return Err(Error::new(ErrorKind::ObjectAlreadyExists, text)
            .hint("give the new node another name; one that is down can be replaced by its name"));
    }
    let row = match known {
        Some(node) => NodeConfig {
            address: asked.address.clone(),
            ..node.row.clone()
        },
        None => NodeConfig {
            name: asked.name.clone(),
            id: view.nodes.values().map(|n| n.id).max().unwrap_or(0) + 1,
            address: asked.address.clone(),
            paused: false,
            features: Default::default(),
        },
    };
    let mut transaction = Change::default()
        .guard(view, "token", &view.tokens, &asked.id)
        .guard(view, "node", &view.nodes, &asked.name)
        .put("node", &asked.name, &row)
        .into_transaction();
    transaction.writes.push(Write::Delete {
        key: key("token", &asked.id),
    });
    // Written with each new node, so that two never get the same number.
    if let Some(cluster) = &view.cluster {
        transaction.guards.push(Guard {
            key: CLUSTER_KEY.to_owned(),
            version: cluster.version,
        });
        transaction.writes.push(Write::Put {
            key: CLUSTER_KEY.to_owned(),
            value: encode(&cluster.row),
            lease: None,
        });
    }
    Ok(transaction)
}
