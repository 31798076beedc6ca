//! Checkpoints: files and settings of a node that follow a resource.
//!
//! ```text
//!  online here, changed ──► captured: version + 1, guarded by the owner's row
//!  coming online here   ──► equal: nothing   held here last: captured   held elsewhere: restored
//!                                              (edited where it was not held: kept aside first)
//! ```
//!
//! `/checkpoint/<r>/<path>` is one row; the images lie under `checkpoint/`, so that a view does not read them.
//! Every write is guarded by the row of the group's owner: who owns it no longer changes nothing (invariant 8).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::record::fold;

/// Versions kept of each.
pub const VERSIONS_MAX: u64 = 4;
/// Checkpoints of one resource.
pub const OF_RESOURCE_MAX: usize = 8;
/// Bytes of one image; with what is around it, it fits a value of the database.
pub const IMAGE_BYTES_MAX: usize = 960 * 1024;
/// Longest path.
pub const PATH_BYTES_MAX: usize = 512;
/// Copies set aside that a row tells of.
pub const KEPT_MAX: usize = 8;

/// What is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A tree of the node's settings: `settings/<path>` in its data folder.
    Settings,
    /// A file or folder at an absolute path.
    File,
}

impl Kind {
    /// As commands show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settings => "Settings",
            Self::File => "File",
        }
    }
}

/// A checkpoint of a resource, with its newest version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The resource, as it was spelled.
    pub resource: String,
    /// What `path` means.
    pub kind: Kind,
    /// The settings key, or the absolute path.
    pub path: String,
    /// Of the newest image; 0 before the first.
    pub version: u64,
    /// SHA-256 of the newest image.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
    /// When it was captured, by the wall clock.
    pub captured_ms: u64,
    /// Where it was captured.
    pub captured_by: String,
    /// Who has it in use, or had last.
    pub holder: Option<Holder>,
    /// Why there is no newer version, if one could not be captured.
    pub trouble: Option<String>,
    /// Copies that were edited where the resource was not, the newest last: `n2:/etc/app.conf.kept-…`.
    pub kept: Vec<String>,
}

/// Who restored a checkpoint last, and acts on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The node.
    pub node: String,
    /// The group's epoch.
    pub epoch: u64,
}

/// What a node has had at the path, by digest: whatever else is there was made by somebody else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The newest version that is or was here.
    pub version: u64,
    /// Digests of images that were here on purpose.
    pub had: BTreeSet<String>,
}

/// What is to be done before a resource comes online.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// What is here is the newest.
    Keep,
    /// What is here is newer: it was made where it belongs.
    Capture,
    /// The newest is put in place.
    Restore {
        /// What is here was edited where the resource was not, and is kept.
        aside: bool,
    },
}

impl Checkpoint {
    /// One that nothing was captured of.
    #[must_use]
    pub fn new(resource: &str, kind: Kind, path: &str) -> Self {
        Self {
            resource: resource.to_owned(),
            kind,
            path: path.to_owned(),
            version: 0,
            digest: String::new(),
            bytes: 0,
            captured_ms: 0,
            captured_by: String::new(),
            holder: None,
            trouble: None,
            kept: Vec::new(),
        }
    }

    /// Whether a node acts on it at an epoch.
    #[must_use]
    pub fn is_held_by(&self, node: &str, epoch: u64) -> bool {
        let holder = self.holder.as_ref();
        holder.is_some_and(|h| fold(&h.node) == fold(node) && h.epoch == epoch)
    }

    /// What to do before the resource comes online on `node`. `here` is the digest of what is there; none if it cannot be
    /// read, the empty one if nothing is.
    #[must_use]
    pub fn before_online(&self, node: &str, here: Option<&str>, marker: &Marker) -> Step {
        if self.version == 0 {
            return match here {
                Some("") | None => Step::Keep,
                Some(_) => Step::Capture,
            };
        }
        if here == Some(self.digest.as_str()) {
            return Step::Keep;
        }
        let holder = self.holder.as_ref();
        if here.is_some() && holder.is_some_and(|h| fold(&h.node) == fold(node)) {
            return Step::Capture;
        }
        let known = match here {
            Some("") => true, // nothing can be lost
            // Of a later life of the cluster than its database knows: it was restored from a backup.
            _ if marker.version > self.version => false,
            Some(digest) => marker.had.contains(digest),
            None => false,
        };
        Step::Restore { aside: !known }
    }

    /// Whether what is on a node that does not have it in use was edited there.
    #[must_use]
    pub fn is_edited(&self, here: &str, marker: &Marker) -> bool {
        self.version > 0
            && !marker.had.is_empty()
            && here != self.digest
            && !marker.had.contains(here)
    }

    /// The row after a capture.
    #[must_use]
    pub fn captured(&self, digest: String, bytes: u64, holder: Holder, wall_ms: u64) -> Self {
        let next = Self {
            version: self.version + 1,
            digest,
            bytes,
            captured_ms: wall_ms,
            captured_by: holder.node.clone(),
            holder: Some(holder),
            trouble: None,
            ..self.clone()
        };
        next.check_invariants();
        next
    }

    /// The row after a node has taken it over, and perhaps set a copy aside.
    #[must_use]
    pub fn taken(&self, holder: Holder, kept: Option<String>) -> Self {
        let mut next = self.clone();
        next.holder = Some(holder);
        next.kept.extend(kept);
        let surplus = next.kept.len().saturating_sub(KEPT_MAX);
        next.kept.drain(..surplus);
        next.check_invariants();
        next
    }

    /// The versions that are stored.
    #[must_use]
    pub fn versions(&self) -> std::ops::RangeInclusive<u64> {
        (self.version.saturating_sub(VERSIONS_MAX) + 1)..=self.version
    }

    /// Panics in debug builds when the row cannot be.
    pub fn check_invariants(&self) {
        debug_assert_eq!(self.version == 0, self.captured_by.is_empty());
        debug_assert!(self.kept.len() <= KEPT_MAX);
    }
}

/// The key of the row of a checkpoint: paths, unlike names, tell cases apart.
#[must_use]
pub fn row_key(resource: &str, path: &str) -> String {
    format!("/checkpoint/{}", table_key(resource, path))
}

/// What a view calls it.
#[must_use]
pub fn table_key(resource: &str, path: &str) -> String {
    format!("{}/{path}", fold(resource))
}

/// The key of an image.
#[must_use]
pub fn image_key(resource: &str, path: &str, version: u64) -> String {
    format!("checkpoint/{}@{version:020}", table_key(resource, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: u64, digest: &str, holder: &str) -> Checkpoint {
        let mut row = Checkpoint::new("App", Kind::File, "/etc/app");
        for n in 1..=version {
            let holder = Holder {
                node: holder.to_owned(),
                epoch: n,
            };
            row = row.captured(digest.to_owned(), 1, holder, n);
        }
        row
    }

    fn had(version: u64, digests: &[&str]) -> Marker {
        Marker {
            version,
            had: digests.iter().map(|d| (*d).to_owned()).collect(),
        }
    }

    #[test]
    fn before_online_each_case_has_one_answer() {
        let first = Checkpoint::new("App", Kind::File, "/etc/app");
        let row = at(3, "new", "n1");
        let aside = Step::Restore { aside: true };
        let restore = Step::Restore { aside: false };
        let none = Marker::default();
        for (row, node, here, marker, expected) in [
            (&first, "n1", Some(""), &none, Step::Keep),
            (&first, "n1", Some("x"), &none, Step::Capture),
            (&first, "n1", None, &none, Step::Keep),
            (&row, "n2", Some("new"), &none, Step::Keep),
            (&row, "N1", Some("newer"), &none, Step::Capture), // changed where it belongs
            (&row, "n1", None, &none, aside),                  // too large to read: never lost
            (&row, "n2", Some(""), &none, restore),
            (&row, "n2", Some("old"), &had(2, &["old"]), restore),
            (&row, "n2", Some("hand"), &had(2, &["old"]), aside),
            (&row, "n2", Some("unknown"), &none, aside), // was there before the cluster
            (&row, "n2", Some("old"), &had(9, &["old"]), aside), // the database is older than this
        ] {
            let step = row.before_online(node, here, marker);
            assert_eq!(step, expected, "{node} {here:?} {marker:?}");
        }
    }

    #[test]
    fn an_edit_where_it_is_not_in_use_is_noticed_once_the_node_has_had_it() {
        let row = at(3, "new", "n1");
        assert!(
            !row.is_edited("hand", &Marker::default()),
            "it never had any"
        );
        assert!(!row.is_edited("old", &had(2, &["old"])));
        assert!(!row.is_edited("new", &had(2, &["old"])));
        assert!(row.is_edited("hand", &had(2, &["old"])));
        assert!(row.is_edited("", &had(2, &["old"])), "removed by hand");
    }

    #[test]
    fn versions_and_copies_set_aside_are_bounded() {
        let mut row = at(9, "x", "n1");
        assert_eq!(row.versions(), 6..=9);
        assert_eq!(at(2, "x", "n1").versions(), 1..=2);
        assert!(Checkpoint::new("a", Kind::File, "/b").versions().is_empty());
        for n in 0..20 {
            let holder = Holder {
                node: "n2".to_owned(),
                epoch: 10 + n,
            };
            row = row.taken(holder, Some(format!("copy {n}")));
        }
        assert_eq!(row.kept.len(), KEPT_MAX);
        assert_eq!(row.kept.last().map(String::as_str), Some("copy 19"));
        assert!(row.is_held_by("N2", 29) && !row.is_held_by("n2", 28));
        assert_eq!(
            image_key("App", "/E", 7),
            "checkpoint/app//E@00000000000000000007"
        );
    }
}
