//! What the certificates of clients allow.

use super::change::Change;
use crate::cluster::functional_level::{ACCESS, check_level};
use crate::cluster::record::{AccessRight, ClientAccess, fold};
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::name::check_object_name;

/// Says what clients may do from now on.
///
/// # Errors
/// `InvalidParameter`; `InvalidState` while a node would not know of it.
pub fn set_access(view: &View, clients: &[String], right: AccessRight) -> Result<Change> {
    check_level(view, ACCESS, "access of clients")?;
    let mut change = Change::default();
    for name in clients {
        check_object_name("client", name)?;
        let row = ClientAccess {
            name: name.clone(),
            right,
        };
        change = change
            .guard(view, "access", &view.access, name)
            .put("access", name, &row);
    }
    Ok(change)
}

/// Forgets what was said of clients: their certificates allow everything again.
///
/// # Errors
/// `NotFound`.
pub fn remove_access(view: &View, clients: &[String]) -> Result<Change> {
    let mut change = Change::default();
    for name in clients {
        if !view.access.contains_key(&fold(name)) {
            let text = format!("nothing was said of what {name} may do");
            return Err(Error::new(ErrorKind::NotFound, text)
                .hint("Get-ClusterAccess lists those of whom it was"));
        }
        change = change
            .guard(view, "access", &view.access, name)
            .delete("access", name);
    }
    Ok(change)
}

/// Whether a client may give a command.
///
/// # Errors
/// `AccessDenied` with what it may do.
pub fn check_access(view: &View, client: &str, command: &str, changes: bool) -> Result<()> {
    let right = view.access.get(&fold(client)).map(|row| row.right);
    let text = match right {
        None | Some(AccessRight::Full) => return Ok(()),
        Some(AccessRight::ReadOnly) if !changes => return Ok(()),
        Some(AccessRight::ReadOnly) => {
            format!("{client} may only look, and {command} changes something")
        }
        Some(AccessRight::Blocked) => format!("{client} is blocked: it may not give {command}"),
    };
    Err(Error::new(ErrorKind::AccessDenied, text).hint(format!(
        "an operator on a node gives it the right: Grant-ClusterAccess {client} -Full"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Lab, refused};
    use super::*;
    use crate::cluster::functional_level::{LEVEL_KEY, LEVEL_MAX, Level};
    use crate::cluster::record::encode;

    fn lab() -> Lab {
        let mut lab = Lab::new();
        let level = Level { level: LEVEL_MAX };
        lab.put(LEVEL_KEY.to_owned(), encode(&level));
        lab
    }

    #[test]
    fn a_client_may_do_what_was_said_and_everything_where_nothing_was() {
        let mut lab = lab();
        let eve = ["Eve".to_owned()];
        let may =
            |view: &View, changes| check_access(view, "eve", "Move-ClusterGroup", changes).is_ok();
        for (right, looks, changes) in [
            (AccessRight::ReadOnly, true, false),
            (AccessRight::Blocked, false, false),
            (AccessRight::Full, true, true),
        ] {
            lab.apply(|v| set_access(v, &eve, right));
            assert_eq!(
                (may(&lab.0, false), may(&lab.0, true)),
                (looks, changes),
                "{right:?}"
            );
        }
        lab.apply(|v| set_access(v, &eve, AccessRight::Blocked));
        refused(
            check_access(&lab.0, "EVE", "Get-Cluster", false),
            ErrorKind::AccessDenied,
            "Grant-ClusterAccess",
        );
        assert!(check_access(&lab.0, "alice", "Move-ClusterGroup", true).is_ok());
        lab.apply(|v| remove_access(v, &eve));
        assert!(may(&lab.0, true));
        refused(
            remove_access(&lab.0, &eve),
            ErrorKind::NotFound,
            "Get-ClusterAccess",
        );
    }

    #[test]
    fn nobody_is_kept_out_by_a_cluster_part_of_which_would_let_him_in() {
        let lab = Lab::new();
        let right = AccessRight::Blocked;
        let refused = set_access(&lab.0, &["eve".to_owned()], right).unwrap_err();
        assert!(refused.hint.is_some(), "{refused}");
    }
}
