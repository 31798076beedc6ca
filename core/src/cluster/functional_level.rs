//! What a cluster of mixed programs can do: its functional level.
//!
//! Each program can take part in a range of levels, which its node writes with its row (`/version/<n>`). The cluster is at
//! one level (`/level`), which only an operator raises, when every node can. A node whose range does not hold the
//! cluster's level does not join: it would not understand rows that others write, or write ones that nobody understands.
//!
//! ```text
//!  1   clusters of before there were levels
//!  2   checkpoints, access of clients
//! ```

use serde::{Deserialize, Serialize};

use super::record::fold;
use super::view::View;
use crate::error::{Error, ErrorKind, Result};

/// The highest level of this program.
pub const LEVEL_MAX: u64 = 2;
/// The lowest.
pub const LEVEL_MIN: u64 = 1;
/// The level at which there are checkpoints.
pub const CHECKPOINTS: u64 = 2;
/// The level at which clients may be kept from what they may not do.
pub const ACCESS: u64 = 2;
/// The key of [`Level`].
pub const LEVEL_KEY: &str = "/level";

/// The level of the cluster. Without a row it is 1; a new cluster's is 0 until its first node has joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The level.
    pub level: u64,
}

/// What a node's program is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Its version: `0.1.0`.
    pub version: String,
    /// The lowest level it can take part in.
    pub lowest: u64,
    /// The highest.
    pub highest: u64,
}

impl Build {
    /// This program.
    #[must_use]
    pub fn current() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            lowest: LEVEL_MIN,
            highest: LEVEL_MAX,
        }
    }

    /// This program, held at a level: it takes part as one does that knows no higher one.
    #[must_use]
    pub fn held_at(level: u64) -> Self {
        let current = Self::current();
        Self {
            highest: level.clamp(current.lowest, current.highest),
            ..current
        }
    }
}

impl View {
    /// The cluster's functional level.
    #[must_use]
    pub fn functional_level(&self) -> u64 {
        self.level.as_ref().map_or(1, |row| row.level)
    }

    /// The program of a node; one of before there were levels if nothing is known of it.
    #[must_use]
    pub fn build_of(&self, node: &str) -> Build {
        let known = self.builds.get(&fold(node)).map(|row| row.row.clone());
        known.unwrap_or_else(|| Build {
            version: String::new(),
            lowest: 1,
            highest: 1,
        })
    }
}

/// The level at which a node with this program joins.
///
/// # Errors
/// `InvalidState` when its program is too old, or too new, for the cluster.
pub fn level_to_join(view: &View, node: &str, build: &Build) -> Result<u64> {
    let level = match (&view.cluster, view.functional_level()) {
        (None, _) | (_, 0) => return Ok(build.highest),
        (Some(_), level) => level,
    };
    if level > build.highest {
        let text = format!(
            "the program of node {node} ({}) knows the functional levels {} to {}, and the cluster is at {level}",
            build.version, build.lowest, build.highest
        );
        return Err(Error::new(ErrorKind::InvalidState, text).hint(
            "install the program that the other nodes have: Get-ClusterNode shows BuildNumber",
        ));
    }
    if level < build.lowest {
        let text = format!(
            "the program of node {node} ({}) needs the functional level {}, and the cluster is at {level}",
            build.version, build.lowest
        );
        return Err(Error::new(ErrorKind::InvalidState, text)
            .hint("Update-ClusterFunctionalLevel first, or install a version in between"));
    }
    Ok(level)
}

/// Refuses what needs a higher level than the cluster is at.
///
/// # Errors
/// `InvalidState`.
pub fn check_level(view: &View, needed: u64, what: &str) -> Result<()> {
    let level = view.functional_level();
    if level >= needed {
        return Ok(());
    }
    let text = format!("{what} need the functional level {needed}, and the cluster is at {level}");
    Err(Error::new(ErrorKind::InvalidState, text)
        .hint("when every node has the new program: Update-ClusterFunctionalLevel"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::configuration::update_level;
    use crate::cluster::record::{ClusterConfig, NodeConfig, encode, key};
    use crate::database::{Entry, Range};

    fn view(level: Option<u64>, nodes: &[(&str, Option<u64>)]) -> View {
        let config = ClusterConfig {
            name: "lab".to_owned(),
            same_subnet_delay_ms: 1,
            same_subnet_threshold: 1,
            lease_ttl_ms: 1,
            fencing: Default::default(),
            created_ms: 1,
        };
        let mut rows = vec![("/cluster".to_owned(), encode(&config))];
        rows.extend(level.map(|level| (LEVEL_KEY.to_owned(), encode(&Level { level }))));
        for (name, highest) in nodes {
            let node = NodeConfig {
                name: (*name).to_owned(),
                id: 1,
                address: String::new(),
                paused: false,
                features: Default::default(),
            };
            rows.push((key("node", name), encode(&node)));
            let build = highest.map(Build::held_at);
            rows.extend(build.map(|build| (key("version", name), encode(&build))));
        }
        let entries = rows.into_iter().map(|(key, value)| Entry {
            key,
            value,
            version: 1,
            lease: None,
        });
        View::parse(&Range {
            revision: 1,
            entries: entries.collect(),
        })
    }

    #[test]
    fn a_node_joins_at_the_level_of_the_cluster_if_its_program_knows_it() {
        let (old, new) = (Build::held_at(1), Build::current());
        let newer = Build {
            lowest: 2,
            highest: 3,
            ..new.clone()
        };
        for (level, build, expected) in [
            (None, &old, Some(1)),
            (None, &new, Some(1)),
            (None, &newer, None),
            (Some(0), &new, Some(2)),
            (Some(0), &old, Some(1)),
            (Some(2), &new, Some(2)),
            (Some(2), &newer, Some(2)),
            (Some(2), &old, None),
        ] {
            let found = level_to_join(&view(level, &[]), "n1", build);
            assert_eq!(
                found.as_ref().ok().copied(),
                expected,
                "{level:?} {build:?}"
            );
            assert!(found.err().is_none_or(|e| e.hint.is_some()));
        }
        assert_eq!(level_to_join(&View::default(), "n1", &old).unwrap(), 1);
    }

    #[test]
    fn the_level_is_raised_when_every_node_can_and_only_then() {
        let raised = |view: &View| {
            let mut after = view.clone();
            let change = update_level(view)?;
            after.apply(&change.into_transaction(), 2);
            Ok::<_, Error>(after.functional_level())
        };
        assert_eq!(
            raised(&view(None, &[("n1", Some(2)), ("n2", Some(2))])).unwrap(),
            2
        );
        for behind in [None, Some(1)] {
            let error = raised(&view(None, &[("n1", Some(2)), ("n2", behind)])).unwrap_err();
            assert!(error.message.contains("n2"), "{error}");
        }
        let there = raised(&view(Some(2), &[("n1", Some(2))]));
        assert_eq!(there.unwrap(), 2, "a runbook may say it again");
        let mixed = view(None, &[]);
        assert!(check_level(&mixed, CHECKPOINTS, "checkpoints").is_err());
        assert!(check_level(&view(Some(2), &[]), CHECKPOINTS, "checkpoints").is_ok());
    }
}
