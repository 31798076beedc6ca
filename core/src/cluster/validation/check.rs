//! The table of checks, which of them are chosen, and running them.

use super::facts::Facts;
use super::verdict::{Checked, Finding, Outcome};
use super::{configuration, inventory, network, policy, storage, system};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{fits, is_pattern, nearest};

/// The categories of FailoverClusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Groups, resources, dependencies, quorum.
    Configuration,
    /// What the nodes are made of.
    Inventory,
    /// Addresses, ports, networks.
    Network,
    /// Folders and file systems.
    Storage,
    /// Limits, clocks, processes, services.
    System,
}

/// All of them, in the order of a report.
pub const CATEGORIES: [Category; 5] = [
    Category::Configuration,
    Category::Inventory,
    Category::Network,
    Category::Storage,
    Category::System,
];

impl Category {
    /// As it is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "Cluster Configuration",
            Self::Inventory => "Inventory",
            Self::Network => "Network",
            Self::Storage => "Storage",
            Self::System => "System Configuration",
        }
    }
}

/// One check.
#[derive(Debug)]
pub struct Check {
    /// `Validate Required Dependencies`.
    pub name: &'static str,
    /// What it looks at.
    pub description: &'static str,
    /// Whence the rule comes: `seed` is the deployment guide of Message Queuing in a server cluster,
    /// numbers are sections of the reference of failover clustering.
    pub source: &'static str,
    /// The check itself; no findings: not applicable.
    pub look: fn(&Facts) -> Vec<Finding>,
}

pub(super) const fn check(
    name: &'static str,
    description: &'static str,
    source: &'static str,
    look: fn(&Facts) -> Vec<Finding>,
) -> Check {
    Check {
        name,
        description,
        source,
        look,
    }
}

/// Every check with its category, in the order of a report.
pub fn checks() -> impl Iterator<Item = (Category, &'static Check)> {
    let tables: [(Category, &[&[Check]]); 5] = [
        (
            Category::Configuration,
            &[configuration::CHECKS, policy::CHECKS],
        ),
        (Category::Inventory, &[inventory::CHECKS]),
        (Category::Network, &[network::CHECKS]),
        (Category::Storage, &[storage::CHECKS]),
        (Category::System, &[system::CHECKS]),
    ];
    tables.into_iter().flat_map(|(category, parts)| {
        let all: Vec<&'static Check> = parts.iter().flat_map(|part| part.iter()).collect();
        all.into_iter().map(move |check| (category, check))
    })
}

/// Which checks are run: categories and names, also as patterns.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// These only; empty: all.
    pub include: Vec<String>,
    /// But not these.
    pub exclude: Vec<String>,
}

impl Selection {
    /// # Errors
    /// `InvalidParameter` for what is neither a category nor a check.
    pub fn check(&self) -> Result<()> {
        for wanted in self.include.iter().chain(&self.exclude) {
            if checks().any(|(category, check)| names(wanted, category, check.name)) {
                continue;
            }
            let known = CATEGORIES.iter().map(|c| c.name());
            let known: Vec<_> = known.chain(checks().map(|(_, c)| c.name)).collect();
            let text = format!("there is no check and no category {wanted:?}");
            let hint = match nearest(wanted, known.iter().copied()) {
                Some(near) if !is_pattern(wanted) => format!("did you mean {near:?}?"),
                _ => format!(
                    "the categories are {}",
                    CATEGORIES.map(Category::name).join(", ")
                ),
            };
            return Err(Error::new(ErrorKind::InvalidParameter, text).hint(hint));
        }
        Ok(())
    }

    fn admits(&self, category: Category, name: &str) -> bool {
        let in_list = |list: &[String]| list.iter().any(|w| names(w, category, name));
        (self.include.is_empty() || in_list(&self.include)) && !in_list(&self.exclude)
    }
}

fn names(wanted: &str, category: Category, check: &str) -> bool {
    fits(wanted, category.name()) || fits(wanted, check)
}

/// Runs the chosen checks. Those that were left out by name are told as cancelled.
#[must_use]
pub fn run(facts: &Facts, selection: &Selection) -> Vec<Checked> {
    let mut all = Vec::new();
    for (category, check) in checks() {
        let found = match selection.admits(category, check.name) {
            true => (check.look)(facts),
            false if selection.include.is_empty() => {
                vec![Finding::of(Outcome::Cancelled, "", "it was excluded", "")]
            }
            false => continue,
        };
        let found = match found.is_empty() {
            true => vec![Finding::of(
                Outcome::NotApplicable,
                "",
                "there is nothing to look at",
                "",
            )],
            false => found,
        };
        all.extend(found.into_iter().map(|finding| Checked {
            category,
            name: check.name,
            description: check.description,
            source: check.source,
            finding,
        }));
    }
    all
}
