//! Checkpoints: added, removed, and what they forbid.

use super::change::Change;
use super::lookup::find_resource;
use super::resource::quoted;
use crate::cluster::checkpoint::{
    Checkpoint, Kind, OF_RESOURCE_MAX, PATH_BYTES_MAX, image_key, row_key, table_key,
};
use crate::cluster::functional_level::{CHECKPOINTS, check_level};
use crate::cluster::record::fold;
use crate::cluster::view::{Versioned, View};
use crate::error::{Error, ErrorKind, Result};

/// Adds a checkpoint: captured by the owner while the resource is online, restored before it comes online.
///
/// # Errors
/// `ResourceNotFound`, `InvalidParameter`; `ObjectAlreadyExists` when a checkpoint covers the path already;
/// `InvalidRequest` beyond the bound.
pub fn add_checkpoint(view: &View, resource: &str, kind: Kind, path: &str) -> Result<Change> {
    check_level(view, CHECKPOINTS, "checkpoints")?;
    let config = find_resource(view, resource)?;
    let path = check_path(kind, path)?;
    if view.checkpoints_of(resource).count() >= OF_RESOURCE_MAX {
        let text = format!("{} has {OF_RESOURCE_MAX} checkpoints already", config.name);
        return Err(Error::new(ErrorKind::InvalidRequest, text)
            .hint("put the files into one folder, and make a checkpoint of that"));
    }
    let mut all = view.checkpoints.values();
    if let Some(other) = all.find(|c| c.kind == kind && overlaps(&c.path, &path)) {
        let text = format!(
            "{} is a checkpoint of {} already",
            other.path, other.resource
        );
        return Err(Error::new(ErrorKind::ObjectAlreadyExists, text)
            .hint(format!("Get-ClusterCheckpoint {}", quoted(&other.resource))));
    }
    let row = Checkpoint::new(&config.name, kind, &path);
    let table = table_key(resource, &path);
    Ok(Change::default()
        .touch_group(view, &config.group)
        .guard(view, "resource", &view.resources, resource)
        .put_row(
            &row_key(resource, &path),
            view.checkpoints.get(&table),
            &row,
        ))
}

/// Removes the checkpoints of a resource, or the one of a path, with what was captured. Files stay as they are.
///
/// # Errors
/// `ResourceNotFound`; `NotFound`.
pub fn remove_checkpoint(view: &View, resource: &str, path: Option<&str>) -> Result<Change> {
    let config = find_resource(view, resource)?;
    let fits = |c: &Checkpoint| path.is_none_or(|p| plain(p) == c.path);
    let mut change = Change::default();
    for row in view.checkpoints_of(resource).filter(|c| fits(c)) {
        change = forget(change, row);
    }
    if change.is_empty() {
        let text = match path {
            Some(path) => format!("{path} is no checkpoint of {}", config.name),
            None => format!("{} has no checkpoints", config.name),
        };
        return Err(Error::new(ErrorKind::NotFound, text)
            .hint(format!("Get-ClusterCheckpoint {}", quoted(&config.name))));
    }
    Ok(change)
}

/// Removes what belongs to a resource that is removed.
pub(super) fn forget_checkpoints(mut change: Change, view: &View, resource: &str) -> Change {
    for row in view.checkpoints_of(resource) {
        change = forget(change, row);
    }
    change
}

fn forget(change: Change, row: &Versioned<Checkpoint>) -> Change {
    let key = row_key(&row.resource, &row.path);
    let change = change.delete_row(&key, row);
    row.versions().fold(change, |change, version| {
        change.delete_key(image_key(&row.resource, &row.path, version))
    })
}

/// Refuses an edit of settings that are carried by a resource that another node has.
///
/// # Errors
/// `InvalidParameter` for a key that is none; `InvalidRequest` with the owner's name.
pub fn check_settings_edit(view: &View, node: &str, key: &str) -> Result<String> {
    let key = check_path(Kind::Settings, key)?;
    let mut settings = view.checkpoints.values();
    let Some(row) = settings.find(|c| c.kind == Kind::Settings && overlaps(&c.path, &key)) else {
        return Ok(key);
    };
    let config = find_resource(view, &row.resource)?;
    let owner = view.live_owner(&config.group).map(|o| o.node.clone());
    let place = owner.or_else(|| row.holder.as_ref().map(|h| h.node.clone()));
    let Some(place) = place.filter(|place| fold(place) != fold(node)) else {
        return Ok(key);
    };
    let text = format!(
        "the settings {} are a checkpoint of {}, which {place} owns: an edit on {node} would be lost at the next failover",
        row.path, config.name
    );
    Err(Error::new(ErrorKind::InvalidRequest, text)
        .hint(format!("Set-ClusterNodeSetting -Node {place} …")))
}

/// A path as it is stored.
fn check_path(kind: Kind, path: &str) -> Result<String> {
    let plain = plain(path);
    let parts = plain.split('/').skip(usize::from(plain.starts_with('/')));
    let odd = |part: &str| part.is_empty() || part == "." || part == "..";
    let absolute = plain.starts_with('/');
    let bad = plain.is_empty() || parts.clone().any(odd) || plain.chars().any(char::is_control);
    if bad || plain.len() > PATH_BYTES_MAX || absolute != (kind == Kind::File) {
        let (what, form) = match kind {
            Kind::Settings => (
                "settings key",
                "a key such as msmq/triggers, without / at its beginning",
            ),
            Kind::File => (
                "path",
                "the absolute path of a file or folder, without . and ..",
            ),
        };
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            format!("{path:?} is no {what} for a checkpoint"),
        )
        .hint(format!("give {form}, of at most {PATH_BYTES_MAX} bytes")));
    }
    Ok(plain)
}

/// Registry keys are typed with backslashes, folders with a slash at their end.
fn plain(path: &str) -> String {
    let slashes = match path.starts_with('/') {
        true => path.to_owned(),
        false => path.replace('\\', "/"),
    };
    slashes.trim_end_matches('/').to_owned()
}

/// One is the other, or lies in it.
fn overlaps(a: &str, b: &str) -> bool {
    let within = |outer: &str, inner: &str| {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(a, b) || within(b, a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::checkpoint::Holder;
    use crate::cluster::configuration::{NewGroup, NewResource, add_group, add_resource};
    use crate::cluster::configuration::{find_group, remove_resource};
    use crate::cluster::functional_level::{LEVEL_KEY, Level};
    use crate::cluster::record::RestartPolicy;

    fn apply(view: &mut View, change: Change) {
        let revision = view.revision + 1;
        view.apply(&change.into_transaction(), revision);
    }

    fn with_app() -> View {
        let mut view = View::default();
        let level = Level { level: CHECKPOINTS };
        apply(
            &mut view,
            Change::default().put_row(LEVEL_KEY, None, &level),
        );
        let group = NewGroup {
            name: "G".to_owned(),
            ..NewGroup::default()
        };
        let change = add_group(&view, &group).unwrap();
        apply(&mut view, change);
        assert!(find_group(&view, "G").is_ok());
        for name in ["App", "Other"] {
            let new = NewResource {
                name: name.to_owned(),
                group: "G".to_owned(),
                resource_type: "Generic Application".to_owned(),
                parameters: vec![("CommandLine".to_owned(), "sleep 1".to_owned())],
                depends_on: Vec::new(),
                possible_owners: Vec::new(),
                policy: RestartPolicy::default(),
            };
            let change = add_resource(&view, &new).unwrap();
            apply(&mut view, change);
        }
        view
    }

    #[test]
    fn a_checkpoint_is_added_once_and_removed_with_all_it_captured() {
        let mut view = with_app();
        for (kind, path) in [
            (Kind::File, "etc/app"),
            (Kind::File, "/"),
            (Kind::File, "/etc/../shadow"),
            (Kind::Settings, "/msmq"),
            (Kind::Settings, ""),
            (Kind::Settings, "a//b"),
        ] {
            let error = add_checkpoint(&view, "App", kind, path).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidParameter, "{path}");
        }
        let change = add_checkpoint(&view, "app", Kind::Settings, r"msmq\Triggers\").unwrap();
        apply(&mut view, change);
        let change = add_checkpoint(&view, "App", Kind::File, "/etc/app").unwrap();
        apply(&mut view, change);
        for path in ["/etc/app", "/etc/app/x", "/etc"] {
            let error = add_checkpoint(&view, "Other", Kind::File, path).unwrap_err();
            assert_eq!(error.kind, ErrorKind::ObjectAlreadyExists, "{path}");
        }
        assert!(add_checkpoint(&view, "Other", Kind::File, "/etc/apple").is_ok());

        let key = table_key("App", "/etc/app");
        let holder = Holder {
            node: "n1".to_owned(),
            epoch: 1,
        };
        let row = view.checkpoints[&key].captured("d".to_owned(), 1, holder, 1);
        let put = Change::default().put_row(&row_key("App", "/etc/app"), None, &row);
        apply(&mut view, put);
        let removed = remove_checkpoint(&view, "App", Some("/etc/app")).unwrap();
        let writes = format!("{:?}", removed.clone().into_transaction().writes);
        assert!(
            writes.contains(&image_key("App", "/etc/app", 1)),
            "{writes}"
        );
        let whole = remove_resource(&view, "App").unwrap();
        let writes = format!("{:?}", whole.clone().into_transaction().writes);
        assert!(
            writes.contains(&image_key("App", "/etc/app", 1)),
            "{writes}"
        );
        apply(&mut view, removed);
        let error = remove_checkpoint(&view, "App", Some("/etc/app")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(view.checkpoints_of("App").count(), 1);
    }

    #[test]
    fn settings_are_edited_where_they_are_held_and_nowhere_else() {
        let mut view = with_app();
        assert_eq!(
            check_settings_edit(&view, "n2", r"msmq\x").unwrap(),
            "msmq/x"
        );
        let change = add_checkpoint(&view, "App", Kind::Settings, "msmq").unwrap();
        apply(&mut view, change);
        let key = table_key("App", "msmq");
        let holder = Holder {
            node: "n1".to_owned(),
            epoch: 1,
        };
        let row = view.checkpoints[&key].captured("d".to_owned(), 1, holder, 1);
        let put = Change::default().put_row(&row_key("App", "msmq"), None, &row);
        apply(&mut view, put);
        assert!(check_settings_edit(&view, "N1", "msmq/x").is_ok());
        let error = check_settings_edit(&view, "n2", "msmq/x").unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert!(error.message.contains("n1 owns"), "{error}");
        assert!(check_settings_edit(&view, "n2", "other").is_ok());
    }
}
