//! Which user is at the other end of a connection of this machine.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::time::Duration;

use super::Stream;
use super::holder::kernel_form;

/// Bytes of a table of the system that are read at most.
const TABLE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Groups of one user.
const GROUPS_MAX: usize = 1024;

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub uid: u32,
    /// Its name; its number where it has none.
    pub name: String,
    /// The groups it is in.
    pub groups: Vec<String>,
    /// Whether it is the superuser or runs this process.
    pub administrator: bool,
}

/// Finds out who is at the other end of connections, many at a time: a table of the system is read once for all
/// connections that were there before.
#[derive(Debug, Default)]
pub struct Peers {
    /// The system's connections over IPv4 and IPv6, and when they were read.
    tables: [Option<(Duration, String)>; 2],
    users: HashMap<u32, User>,
}

impl Peers {
    /// Who is at the other end of a connection that was accepted at `accepted`, where the system tells: of a Unix
    /// socket always, of TCP on this machine only. A table that is older than the connection may know another one by
    /// its addresses, so it does not count.
    pub fn user_of(&mut self, stream: &Stream, accepted: Duration, now: Duration) -> Option<User> {
        let uid = match stream {
            Stream::Unix(unix) => rustix::net::sockopt::socket_peercred(unix)
                .ok()?
                .uid
                .as_raw(),
            Stream::Tcp(_) => {
                let (peer, local) = (stream.peer_address()?, stream.local_address()?);
                self.uid_of_tcp(peer, local, accepted, now)?
            }
        };
        Some(self.users.entry(uid).or_insert_with(|| user(uid)).clone())
    }

    /// Forgets what may have changed meanwhile.
    pub fn rest(&mut self) {
        *self = Self::default();
    }

    /// Who owns the socket at `peer` that is connected to us at `local`.
    fn uid_of_tcp(
        &mut self,
        peer: SocketAddr,
        local: SocketAddr,
        accepted: Duration,
        now: Duration,
    ) -> Option<u32> {
        if !peer.ip().is_loopback() {
            return None;
        }
        let (path, table) = match peer {
            SocketAddr::V4(_) => ("/proc/net/tcp", &mut self.tables[0]),
            SocketAddr::V6(_) => ("/proc/net/tcp6", &mut self.tables[1]),
        };
        if table
            .as_ref()
            .is_none_or(|(read_at, _)| *read_at <= accepted)
        {
            *table = Some((now, read(path)));
        }
        let (_, text) = table.as_ref()?;
        uid_in_table(text, peer, local)
    }
}

/// Who owns the socket at `peer`, which is connected to us at `local`: on this machine only, and while it is open.
#[must_use]
pub fn user_at(peer: SocketAddr, local: SocketAddr) -> Option<User> {
    let uid = Peers::default().uid_of_tcp(peer, local, Duration::ZERO, Duration::ZERO)?;
    Some(user(uid))
}

/// Whom this process runs as.
#[must_use]
pub fn own_user() -> User {
    user(rustix::process::geteuid().as_raw())
}

fn user(uid: u32) -> User {
    let passwd = read("/etc/passwd");
    let entry = passwd.lines().find_map(|line| passwd_entry(line, uid));
    let groups = match &entry {
        Some((name, group)) => groups(&read("/etc/group"), name, *group),
        None => Vec::new(),
    };
    User {
        uid,
        name: entry.map_or_else(|| uid.to_string(), |(name, _)| name.to_owned()),
        groups,
        administrator: uid == 0 || uid == rustix::process::geteuid().as_raw(),
    }
}

/// `sl local remote st tx:rx tr:when retransmits uid …`
fn uid_in_table(table: &str, peer: SocketAddr, local: SocketAddr) -> Option<u32> {
    let form = |address: SocketAddr| format!("{}:{:04X}", kernel_form(address), address.port());
    let both = format!(" {} {} ", form(peer), form(local));
    let behind = &table[table.find(&both)? + both.len()..];
    behind.split_ascii_whitespace().nth(4)?.parse().ok()
}

/// `name:password:uid:gid:…`
fn passwd_entry(line: &str, uid: u32) -> Option<(&str, u32)> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let found: u32 = fields.nth(1)?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    (found == uid).then_some((name, group))
}

/// `name:password:gid:member,member`
fn groups(table: &str, user: &str, primary: u32) -> Vec<String> {
    let member = |line: &&str| {
        let mut fields = line.split(':').skip(2);
        let id = fields.next().and_then(|id| id.parse().ok());
        id == Some(primary)
            || fields
                .next()
                .is_some_and(|all| all.split(',').any(|one| one == user))
    };
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
    table
        .lines()
        .filter(member)
        .map(name)
        .take(GROUPS_MAX)
        .collect()
}

fn read(path: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(TABLE_BYTES_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_of_both_kinds_of_connection_is_this_process_s_user() {
        let (near, _far) = Stream::pair().unwrap();
        let at = Duration::from_secs;
        let mut peers = Peers::default();
        let me = peers.user_of(&near, at(1), at(1)).unwrap();
        assert_eq!(me.uid, rustix::process::geteuid().as_raw());
        assert!(me.administrator && !me.name.is_empty());

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let _client = std::net::TcpStream::connect(address).unwrap();
        let stream = Stream::tcp(listener.accept().unwrap().0).unwrap();
        assert_eq!(peers.user_of(&stream, at(2), at(3)), Some(me.clone()));
        let second = std::net::TcpStream::connect(address).unwrap();
        let accepted = Stream::tcp(listener.accept().unwrap().0).unwrap();
        assert_eq!(peers.user_of(&accepted, at(2), at(4)), None, "an old table");
        assert_eq!(peers.user_of(&accepted, at(4), at(4)), Some(me));
        drop(second);
    }

    #[test]
    fn the_system_s_tables_are_read_by_their_columns() {
        let line = "alice:x:1001:100:Alice:/home/alice:/bin/sh";
        assert_eq!(passwd_entry(line, 1001), Some(("alice", 100)));
        assert_eq!(passwd_entry(line, 100), None);
        assert_eq!(passwd_entry("nonsense", 0), None);
        let table = "root:x:0:\nusers:x:100:\nops:x:7:bob,alice\nmalice:x:8:malice\n";
        assert_eq!(groups(table, "alice", 100), ["users", "ops"]);
        if cfg!(target_endian = "little") {
            let table = "  sl  local_address rem_address   st tx rx tr tm->when retrnsmt   uid  timeout inode\n   \
                0: 0100007F:1E79 0100007F:9C40 01 0:0 00:0 0 0 0 1 1\n   \
                1: 0100007F:9C40 0100007F:1E79 01 0:0 00:0 0 1001 0 2 1\n";
            let (client, server) = ("127.0.0.1:40000".parse(), "127.0.0.1:7801".parse());
            assert_eq!(
                uid_in_table(table, client.unwrap(), server.unwrap()),
                Some(1001)
            );
        }
    }
}
