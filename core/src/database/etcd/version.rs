//! What is known against versions of etcd, for the operator. Pure, but for asking the members.
//!
//! None of these faults makes this backend decide wrongly (see the module above); they cost time, or lose
//! etcd's own data, or let others in.

use std::time::Duration;

use super::super::location::member_text;
use super::client::Client;
use super::message::{Status, method};

/// How long a member may take to tell its version.
const ASK_MAX: Duration = Duration::from_secs(1);

type Version = (u32, u32, u32);

struct Fault {
    from: Version,
    /// The first version without it.
    until: Version,
    only_with_users: bool,
    text: &'static str,
}

const FAULTS: &[Fault] = &[
    Fault {
        from: (3, 5, 0),
        until: (3, 5, 3),
        only_with_users: false,
        text: "members that are killed under load may come to hold different data (etcd issue 13766): \
               use 3.5.3 or later before anything else",
    },
    Fault {
        from: (3, 4, 0),
        until: (3, 4, 42),
        only_with_users: true,
        text: "its authentication can be bypassed (CVE-2026-33413, CVE-2026-33343): rely on client \
               certificates",
    },
    Fault {
        from: (3, 4, 20),
        until: (3, 4, 42),
        only_with_users: false,
        text: "it may answer reads from the past after a pause (etcd issue 20418); HAMQ passes such answers \
               over, other clients do not",
    },
    Fault {
        from: (3, 0, 0),
        until: (3, 4, 32),
        only_with_users: false,
        text: "its revision may go back after a crash while it compacts: HAMQ then waits until it has \
               caught up",
    },
    Fault {
        from: (3, 0, 0),
        until: (3, 5, 0),
        only_with_users: false,
        text: "the 3.4 line has ended and gets no more corrections: plan to use 3.5 or 3.6",
    },
];

/// What there is to say about a version.
pub(super) fn faults(version: &str, users: bool) -> Vec<String> {
    let Some(parsed) = parse(version) else {
        return vec![format!(
            "etcd calls itself version {version:?}, which is not known"
        )];
    };
    let known = FAULTS.iter().filter(|fault| {
        (fault.from..fault.until).contains(&parsed) && (users || !fault.only_with_users)
    });
    known
        .map(|fault| format!("etcd {version}: {}", fault.text))
        .collect()
}

fn parse(version: &str) -> Option<Version> {
    let plain = version.split(['-', '+']).next()?;
    let mut parts = plain.split('.').map(str::parse);
    let mut part = || parts.next()?.ok();
    Some((part()?, part()?, part()?))
}

/// Asks every member, and says what an operator should know.
pub(super) async fn notices(client: &Client) -> Vec<String> {
    let users = client.location.user.is_some();
    let mut texts = Vec::new();
    let mut clusters = Vec::new();
    for (index, member) in client.location.members.iter().enumerate() {
        match ask(client, index).await {
            Ok(status) => {
                texts.extend(faults(&status.version, users));
                texts.extend(
                    status
                        .errors
                        .iter()
                        .map(|e| format!("etcd at {}: {e}", member_text(member))),
                );
                clusters.push(status.header.cluster);
            }
            Err(why) => texts.push(format!(
                "etcd at {} does not answer: {why}",
                member_text(member)
            )),
        }
    }
    if clusters.windows(2).any(|two| two[0] != two[1]) {
        texts
            .push("the members belong to different etcd clusters: correct the location".to_owned());
    }
    if client.location.members.len() < 3 {
        let text = "with fewer than three etcd members the loss of one stops the cluster";
        texts.push(text.to_owned());
    }
    texts.sort();
    texts.dedup();
    texts
}

async fn ask(client: &Client, index: usize) -> Result<Status, String> {
    let work = async {
        let (connection, token) = client.dedicated(index, ASK_MAX).await?;
        let empty = bytes::Bytes::new();
        connection
            .call(method::STATUS, &empty, token.as_deref(), ASK_MAX)
            .await
    };
    let reply = tokio::time::timeout(ASK_MAX, work).await;
    let reply = reply.map_err(|_| "it is silent".to_owned())?;
    let reply = reply.map_err(|failure| failure.to_string())?;
    Status::decode(reply).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_faults_and_only_those() {
        let counts = |version, users| faults(version, users).len();
        assert_eq!(counts("3.4.23", false), 3);
        assert_eq!(counts("3.4.23", true), 4);
        assert_eq!(counts("3.4.45", true), 1);
        assert_eq!(counts("3.5.2", false), 1);
        assert_eq!(counts("3.5.21", true), 0);
        assert_eq!(counts("3.6.0-rc.1", false), 0);
        assert_eq!(counts("main", false), 1);
    }
}
