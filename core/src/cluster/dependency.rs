//! Dependencies between the resources of a group: a provider is online before its dependents, and
//! goes offline after them.

use std::collections::BTreeSet;

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

/// The requirements of its type that a resource's providers, also indirect ones, do not meet.
#[must_use]
pub fn unmet(view: &View, resource: &str) -> Vec<Requires> {
    let Some(rule) = view
        .resources
        .get(&fold(resource))
        .and_then(|r| resource_type::find(&r.resource_type))
    else {
        return Vec::new();
    };
    let below = all_providers(view, resource);
    let types: Vec<_> = below
        .iter()
        .filter_map(|name| view.resources.get(name))
        .filter_map(|r| resource_type::find(&r.resource_type))
        .collect();
    let met = |requirement: &Requires| types.iter().any(|t| t.satisfies(*requirement));
    rule.requires
        .iter()
        .copied()
        .filter(|requirement| !met(requirement))
        .collect()
}

/// Whether a resource is to be online: it and everything it needs is meant to be.
#[must_use]
pub fn wanted(view: &View, resource: &str) -> bool {
    let meant = |name: &str| {
        view.resources
            .get(name)
            .is_some_and(|r| r.persistent_online)
    };
    meant(&fold(resource)) && all_providers(view, resource).iter().all(|p| meant(p))
}
