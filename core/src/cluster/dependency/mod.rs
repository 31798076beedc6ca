//! Dependencies between the resources of a group: a provider is online before its dependents, and
//! goes offline after them. Of alternatives (`[A] or [B]`) one is enough.

use std::collections::BTreeSet;

mod expression;
mod report;

pub use expression::Expression;
pub use report::{Drawn, page};

use super::record::fold;
use super::resource_type::{self, Requires};
use super::view::View;

/// The direct providers of a resource, by lower-case name.
#[must_use]
pub fn providers(view: &View, resource: &str) -> BTreeSet<String> {
    view.resources
        .get(&fold(resource))
        .map(|r| r.depends_on.iter().map(|p| fold(p)).collect())
        .unwrap_or_default()
}

/// The direct dependents of a resource, by lower-case name.
#[must_use]
pub fn dependents(view: &View, resource: &str) -> BTreeSet<String> {
    let wanted = fold(resource);
    view.resources
        .iter()
        .filter(|(_, r)| r.depends_on.iter().any(|p| fold(p) == wanted))
        .map(|(name, _)| name.clone())
        .collect()
}

/// A resource's providers and their providers, without itself.
#[must_use]
pub fn all_providers(view: &View, resource: &str) -> BTreeSet<String> {
    closure(resource, |name| providers(view, name))
}

/// A resource's dependents and their dependents, without itself.
#[must_use]
pub fn all_dependents(view: &View, resource: &str) -> BTreeSet<String> {
    closure(resource, |name| dependents(view, name))
}

fn closure(start: &str, next: impl Fn(&str) -> BTreeSet<String>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<String> = next(&fold(start)).into_iter().collect();
    while let Some(name) = open.pop() {
        if seen.insert(name.clone()) {
            open.extend(next(&name));
        }
    }
    seen
}

/// Whether `resource` would depend on itself if it depended on `provider`.
#[must_use]
pub fn would_cycle(view: &View, resource: &str, provider: &str) -> bool {
    fold(resource) == fold(provider) || all_providers(view, provider).contains(&fold(resource))
}

/// Longest chain of dependencies that is followed; a row that makes a circle ends there.
pub(super) const DEPTH_MAX: usize = 100;

/// The requirements of its type that a resource's providers, also indirect ones, do not meet. Where there
/// are alternatives each of them must.
#[must_use]
pub fn unmet(view: &View, resource: &str) -> Vec<Requires> {
    let Some(rule) = view
        .resources
        .get(&fold(resource))
        .and_then(|r| resource_type::find(&r.resource_type))
    else {
        return Vec::new();
    };
    let required = rule.requires.iter().copied();
    required
        .filter(|requirement| !met(view, resource, *requirement, 0))
        .collect()
}

fn met(view: &View, resource: &str, requirement: Requires, depth: usize) -> bool {
    let Some(config) = view
        .resources
        .get(resource)
        .or_else(|| view.resources.get(&fold(resource)))
    else {
        return false;
    };
    depth <= DEPTH_MAX
        && config.depends_on.ensures(&mut |provider| {
            let rule = view
                .resources
                .get(provider)
                .and_then(|r| resource_type::find(&r.resource_type));
            rule.is_some_and(|t| t.satisfies(requirement))
                || met(view, provider, requirement, depth + 1)
        })
}

/// Whether a resource is to be online: it is meant to be, and so is enough of what it needs.
#[must_use]
pub fn wanted(view: &View, resource: &str) -> bool {
    let meant = |name: &str| {
        view.resources
            .get(name)
            .is_some_and(|r| r.persistent_online)
    };
    meant(&fold(resource)) && carried(view, resource, &meant)
}

/// Whether enough of what a resource needs `is`, and in turn enough of what that needs.
#[must_use]
pub fn carried(view: &View, resource: &str, is: &dyn Fn(&str) -> bool) -> bool {
    carried_at(view, &fold(resource), is, 0)
}

fn carried_at(view: &View, resource: &str, is: &dyn Fn(&str) -> bool, depth: usize) -> bool {
    depth <= DEPTH_MAX
        && view.resources.get(resource).is_none_or(|config| {
            config
                .depends_on
                .holds(&mut |p| is(p) && carried_at(view, p, is, depth + 1))
        })
}
