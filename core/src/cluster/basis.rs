//! What a decision was made on: stored with it, so that it can be made again and comes out the same.

use serde::{Deserialize, Serialize};

use super::failover::{Facts, Verdict, decide};
use super::placement::{Reason, Standing, rank};

/// What a decision was made on, and what came out: enough to make it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Basis {
    /// Where a group goes.
    Placement {
        /// `Orphaned`, `Planned` or `Failed`.
        reason: String,
        /// The node it leaves.
        source: Option<String>,
        /// What was known of each node.
        standings: Vec<Standing>,
        /// The node that was chosen.
        chosen: Option<String>,
    },
    /// What a failure leads to.
    Failure {
        /// What was known.
        facts: Facts,
        /// What was decided.
        verdict: Verdict,
    },
}

impl Basis {
    /// A placement with its outcome.
    #[must_use]
    pub fn placement(reason: Reason<'_>, standings: Vec<Standing>) -> Self {
        let (name, source) = match reason {
            Reason::Orphaned => ("Orphaned", None),
            Reason::Planned { source } => ("Planned", Some(source.to_owned())),
            Reason::Failed { source } => ("Failed", Some(source.to_owned())),
        };
        Self::Placement {
            reason: name.to_owned(),
            source,
            chosen: rank(&standings, reason).into_iter().next(),
            standings,
        }
    }

    /// What was decided, and what is decided now on the same.
    #[must_use]
    pub fn replay(&self) -> (String, String) {
        match self {
            Self::Placement {
                reason,
                source,
                standings,
                chosen,
            } => {
                let source = source.as_deref().unwrap_or_default();
                let reason = match reason.as_str() {
                    "Planned" => Reason::Planned { source },
                    "Failed" => Reason::Failed { source },
                    _ => Reason::Orphaned,
                };
                let again = rank(standings, reason).into_iter().next();
                let name = |node: &Option<String>| node.clone().unwrap_or("no node".to_owned());
                (name(chosen), name(&again))
            }
            Self::Failure { facts, verdict } => {
                (format!("{verdict:?}"), format!("{:?}", decide(*facts)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_decision_that_does_not_follow_from_its_basis_is_found_out() {
        let standing = |node: &str| Standing {
            node: node.to_owned(),
            obstacle: None,
            lacks: None,
            rival: None,
        };
        let known = vec![standing("n1"), standing("n2")];
        let basis = Basis::placement(Reason::Planned { source: "n1" }, known.clone());
        assert_eq!(basis.replay(), ("n2".to_owned(), "n2".to_owned()));
        let Basis::Placement { reason, source, .. } = basis else {
            panic!("a placement is a placement");
        };
        let forged = Basis::Placement {
            reason,
            source,
            standings: known,
            chosen: Some("n1".to_owned()),
        };
        assert_eq!(forged.replay(), ("n1".to_owned(), "n2".to_owned()));
    }
}
