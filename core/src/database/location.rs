//! Where a cluster database lies, as people write it.
//!
//! ```text
//!  sqlite:///srv/lab/quorum/cluster.db, or the path alone
//!  etcd://h1:2379,h2:2379,h3:2379/hamq/lab?ca=/etc/hamq/ca.pem&cert=…&key=…&user=hamq&password-file=…
//! ```
//!
//! Secrets are named by their files, so that a location can be shown, logged and kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// etcd's port for clients.
pub const ETCD_PORT: u16 = 2379;
/// Most members that a location names.
const MEMBERS_MAX: usize = 16;
const ETCD: &str = "etcd://";
const SQLITE: &str = "sqlite:";
const EXAMPLE: &str =
    "for example etcd://h1:2379,h2:2379,h3:2379/hamq/lab?ca=/etc/hamq/etcd-ca.pem";

/// A location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Location {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// Keys under a prefix of an etcd cluster.
    Etcd(EtcdLocation),
}

/// What is needed to reach an etcd cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtcdLocation {
    /// Host and port of each member.
    pub members: Vec<(String, u16)>,
    /// What all keys begin with; empty: not chosen yet.
    pub prefix: String,
    /// Certificates of the authority that the members must prove; without it there is no TLS.
    pub ca: Option<PathBuf>,
    /// Our own certificate with its chain, and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The etcd user, and the file that holds its password.
    pub user: Option<(String, PathBuf)>,
    /// Speak without TLS also to other machines.
    pub insecure: bool,
    /// Never compact: somebody else does.
    pub no_compaction: bool,
}

impl Location {
    /// The path of an SQLite database.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Etcd(_) => None,
        }
    }
}

impl From<PathBuf> for Location {
    fn from(path: PathBuf) -> Self {
        Self::Sqlite(path)
    }
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(rest) = text.strip_prefix(ETCD) {
            return EtcdLocation::parse(text, rest).map(Self::Etcd);
        }
        let path = text.strip_prefix(SQLITE).unwrap_or(text);
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.contains("://") {
            return Err(wrong(text, "is no place for a cluster database"));
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

impl TryFrom<String> for Location {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Location> for String {
    fn from(location: Location) -> Self {
        location.to_string()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Etcd(etcd) => etcd.fmt(f),
        }
    }
}

impl EtcdLocation {
    fn parse(text: &str, rest: &str) -> Result<Self> {
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (members, prefix) = place.split_once('/').unwrap_or((place, ""));
        let mut location = Self {
            members: members
                .split(',')
                .map(|m| member(text, m))
                .collect::<Result<_>>()?,
            prefix: check_prefix(text, prefix.trim_end_matches('/'))?,
            ..Self::default()
        };
        if location.members.len() > MEMBERS_MAX {
            return Err(wrong(
                text,
                &format!("names more than {MEMBERS_MAX} members"),
            ));
        }
        location.read_query(text, query)?;
        location.check_security(text)?;
        Ok(location)
    }

    fn read_query(&mut self, text: &str, query: &str) -> Result<()> {
        let (mut cert, mut key, mut user, mut password) = (None, None, None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let path = || absolute(text, name, value);
            match name {
                "ca" => self.ca = Some(path()?),
                "cert" => cert = Some(path()?),
                "key" => key = Some(path()?),
                "user" if !value.is_empty() => user = Some(value.to_owned()),
                "password-file" => password = Some(path()?),
                "insecure" => self.insecure = yes(text, name, value)?,
                "compaction" => self.no_compaction = !yes(text, name, value)?,
                "password" => {
                    return Err(
                        wrong(text, "holds a password, which everybody would see").hint(
                            "write it into a file that only HAMQ may read: password-file=/path",
                        ),
                    );
                }
                _ => return Err(wrong(text, &format!("has an unknown option {name:?}"))),
            }
        }
        self.identity = both(text, "cert", "key", cert, key)?;
        self.user = both(text, "user", "password-file", user, password)?;
        Ok(())
    }

    /// Closed by default: whoever stands between could decide who owns what.
    fn check_security(&self, text: &str) -> Result<()> {
        if self.ca.is_none() && self.identity.is_some() {
            return Err(wrong(
                text,
                "has a certificate but no ca=/path to check the members by",
            ));
        }
        let far = self.members.iter().find(|(host, _)| !is_loopback(host));
        match far {
            Some((host, _)) if self.ca.is_none() && !self.insecure => Err(wrong(
                text,
                &format!("would reach {host} without TLS"),
            )
            .hint(
                "add ca=/path, and cert= and key= if the members ask for them; insecure=yes \
                     only where nobody else can reach the network",
            )),
            _ => Ok(()),
        }
    }

    /// Whether the connections are encrypted.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.ca.is_some()
    }
}

impl fmt::Display for EtcdLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.members.iter().map(member_text).collect();
        write!(f, "{ETCD}{}", names.join(","))?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        let path = |path: &PathBuf| path.display().to_string();
        let options = [
            ("ca", self.ca.as_ref().map(path)),
            ("cert", self.identity.as_ref().map(|(cert, _)| path(cert))),
            ("key", self.identity.as_ref().map(|(_, key)| path(key))),
            ("user", self.user.as_ref().map(|(user, _)| user.clone())),
            (
                "password-file",
                self.user.as_ref().map(|(_, file)| path(file)),
            ),
            ("insecure", self.insecure.then(|| "yes".to_owned())),
            ("compaction", self.no_compaction.then(|| "no".to_owned())),
        ];
        let given = options
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        for (index, (name, value)) in given.enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            write!(f, "{mark}{name}={value}")?;
        }
        Ok(())
    }
}

/// `host:port`, with brackets around an IPv6 address.
#[must_use]
pub fn member_text((host, port): &(String, u16)) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

fn member(text: &str, member: &str) -> Result<(String, u16)> {
    let refuse = || wrong(text, &format!("names a member {member:?}"));
    let (host, port) = match member.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(refuse)?,
        None => match member.find(':') {
            Some(at) => member.split_at(at),
            None => (member, ""),
        },
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().map_err(|_| refuse())?,
        None if port.is_empty() => ETCD_PORT,
        None => return Err(refuse()),
    };
    let fit = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if host.is_empty() || !host.chars().all(fit) || port == 0 {
        return Err(refuse());
    }
    Ok((host.to_owned(), port))
}

fn check_prefix(text: &str, prefix: &str) -> Result<String> {
    let fit = |c: char| c.is_ascii_alphanumeric() || "-._/".contains(c);
    if prefix.len() > 128 || !prefix.chars().all(fit) {
        let why = "has a prefix of more than letters, digits, -, ., _ and /, or a very long one";
        return Err(wrong(text, why));
    }
    Ok(prefix.to_owned())
}

fn absolute(text: &str, name: &str, value: &str) -> Result<PathBuf> {
    let path = PathBuf::from(value);
    match path.is_absolute() && !value.contains(['&', '?']) {
        true => Ok(path),
        false => Err(wrong(
            text,
            &format!("has {name}={value}, which is no absolute path"),
        )),
    }
}

fn yes(text: &str, name: &str, value: &str) -> Result<bool> {
    match value {
        "yes" | "true" | "on" => Ok(true),
        "no" | "false" | "off" => Ok(false),
        _ => Err(wrong(text, &format!("has {name}={value}: say yes or no"))),
    }
}

fn both<A, B>(
    text: &str,
    a: &str,
    b: &str,
    one: Option<A>,
    other: Option<B>,
) -> Result<Option<(A, B)>> {
    match (one, other) {
        (Some(one), Some(other)) => Ok(Some((one, other))),
        (None, None) => Ok(None),
        _ => Err(wrong(
            text,
            &format!("needs both {a}= and {b}=, or neither"),
        )),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

fn wrong(text: &str, why: &str) -> Error {
    Error::new(ErrorKind::InvalidParameter, format!("{text:?} {why}")).hint(EXAMPLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> EtcdLocation {
        match text.parse() {
            Ok(Location::Etcd(location)) => location,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_written_is_read_and_written_again() {
        for text in [
            "sqlite:///srv/lab/quorum/cluster.db",
            "etcd://127.0.0.1:2379/hamq/lab",
            "etcd://h1:2379,h2:2380/p?ca=/a/ca.pem&cert=/a/c.pem&key=/a/k.pem&user=u&password-file=/a/p",
            "etcd://[::1]:2379/p?compaction=no",
            "etcd://10.0.0.1:2379/p?insecure=yes",
        ] {
            let location: Location = text.parse().unwrap();
            assert_eq!(location.to_string(), text);
            let json = serde_json::to_string(&location).unwrap();
            assert_eq!(serde_json::from_str::<Location>(&json).unwrap(), location);
        }
        let path: Location = "/srv/cluster.db".parse().unwrap();
        assert_eq!(path.file(), Some(Path::new("/srv/cluster.db")));
        let plain = read("etcd://localhost,127.0.0.2:99/");
        assert_eq!(
            plain.members,
            [("localhost".to_owned(), 2379), ("127.0.0.2".to_owned(), 99)]
        );
        assert_eq!(plain.prefix, "");
    }

    #[test]
    fn what_is_wrong_is_refused_with_a_hint() {
        for text in [
            "etcd://",
            "etcd://h1:x/p?insecure=yes",
            "etcd://h 1/p?insecure=yes",
            "etcd://[::1/p",
            "etcd://localhost/a b",
            "etcd://localhost/p?ca=relative.pem",
            "etcd://localhost/p?cert=/c",
            "etcd://localhost/p?cert=/c&key=/k",
            "etcd://localhost/p?user=u",
            "etcd://localhost/p?user=u&password=secret",
            "etcd://localhost/p?colour=red",
            "etcd://h1/p",
            "zookeeper://h1",
            "",
        ] {
            let error = text.parse::<Location>().expect_err(text);
            assert_eq!(error.kind, ErrorKind::InvalidParameter, "{text}");
            assert!(error.hint.is_some());
        }
    }
}
