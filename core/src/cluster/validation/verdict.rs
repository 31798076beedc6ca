//! What a check found, about one object.

use serde::Serialize;

use super::check::Category;

/// How it stands; the worse is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Outcome {
    /// There is nothing that it could look at.
    NotApplicable,
    /// As it should be.
    Passed,
    /// It was not chosen, or was left out.
    Cancelled,
    /// Works, but something is worse than it need be.
    Warning,
    /// Does not work, or not when it is needed.
    Failed,
}

impl Outcome {
    /// As it is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotApplicable => "NotApplicable",
            Self::Passed => "Passed",
            Self::Cancelled => "Cancelled",
            Self::Warning => "Warning",
            Self::Failed => "Failed",
        }
    }
}

/// What a check found about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The node, group, resource, folder …
    pub object: String,
    /// How it stands.
    pub outcome: Outcome,
    /// What is so.
    pub detail: String,
    /// What to do about it; empty where nothing is to be done.
    pub advice: String,
}

impl Finding {
    pub(super) fn passed(object: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::of(Outcome::Passed, object, detail, "")
    }

    pub(super) fn warning(
        object: impl Into<String>,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::of(Outcome::Warning, object, detail, advice)
    }

    pub(super) fn failed(
        object: impl Into<String>,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::of(Outcome::Failed, object, detail, advice)
    }

    pub(super) fn of(
        outcome: Outcome,
        object: impl Into<String>,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            object: object.into(),
            outcome,
            detail: detail.into(),
            advice: advice.into(),
        }
    }

    /// Passed if it is so; otherwise the other finding's outcome, detail and advice.
    pub(super) fn unless(self, holds: bool, detail: impl Into<String>) -> Self {
        match holds {
            true => Self::passed(self.object, detail),
            false => self,
        }
    }
}

/// A finding with the check that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Its category.
    pub category: Category,
    /// Its name.
    pub name: &'static str,
    /// What it looks at.
    pub description: &'static str,
    /// Whence the rule comes.
    pub source: &'static str,
    /// What it found.
    pub finding: Finding,
}
