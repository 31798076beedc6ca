//! Who may do what.

use super::{Asks, Managers, queue::local};
use crate::api::queue::unexpected;
use crate::api::queue_access::{
    AccessInfo, GetMsmqQueueACL, GetMsmqQueueManagerACL, SetMsmqQueueACL, SetMsmqQueueManagerACL,
};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QueuePath;
use crate::queue::access::{AccessEntry, AccessList, Rights};
use crate::queue::request::{Reply, Request};

pub(super) fn of_queue(on: &dyn Managers, command: &GetMsmqQueueACL) -> Result<Vec<AccessInfo>> {
    let path = QueuePath::parse(&command.name)?;
    let manager = on.manager(path.computer())?;
    get(&*manager, local(&path)).map(|list| shown(&path.to_string(), &list))
}

pub(super) fn of_machine(
    on: &dyn Managers,
    command: &GetMsmqQueueManagerACL,
) -> Result<Vec<AccessInfo>> {
    let manager = on.manager(&command.name)?;
    get(&*manager, String::new()).map(|list| shown(&command.name, &list))
}

pub(super) fn set_of_queue(on: &dyn Managers, command: SetMsmqQueueACL) -> Result<Vec<AccessInfo>> {
    let path = QueuePath::parse(&command.name)?;
    let manager = on.manager(path.computer())?;
    let changes = Changes {
        users: command.user_name,
        allow: rights(&command.allow)?,
        deny: rights(&command.deny)?,
        remove: rights(&command.remove)?,
        owner: command.owner,
    };
    let list = change(&*manager, local(&path), changes)?;
    Ok(shown(&path.to_string(), &list))
}

pub(super) fn set_of_machine(
    on: &dyn Managers,
    command: SetMsmqQueueManagerACL,
) -> Result<Vec<AccessInfo>> {
    let manager = on.manager(&command.name)?;
    let changes = Changes {
        users: command.user_name,
        allow: rights(&command.allow)?,
        deny: rights(&command.deny)?,
        remove: rights(&command.remove)?,
        owner: command.owner,
    };
    let list = change(&*manager, String::new(), changes)?;
    Ok(shown(&command.name, &list))
}

/// What a command does to a list.
struct Changes {
    users: Vec<String>,
    allow: Rights,
    deny: Rights,
    remove: Rights,
    owner: Option<String>,
}

impl Changes {
    fn check(&self) -> Result<()> {
        let any = self.allow.and(self.deny).and(self.remove);
        let text = match (self.users.is_empty(), any.0 == 0) {
            (true, true) if self.owner.is_some() => return Ok(()),
            (true, _) => "-UserName is missing",
            (false, true) => "neither -Allow nor -Deny nor -Remove is given",
            (false, false) if self.allow.0 & self.deny.0 != 0 => {
                "the same right is to be allowed and denied"
            }
            (false, false) => return Ok(()),
        };
        Err(Error::new(ErrorKind::Usage, text)
            .hint("as in Set-MsmqQueueACL VS1/private$/q Everyone -Allow WriteMessage"))
    }

    fn apply(self, list: &mut AccessList) {
        for user in &self.users {
            let gone = self.remove;
            set(list, user, true, self.allow, gone.and(self.deny));
            set(list, user, false, self.deny, gone.and(self.allow));
        }
        if let Some(owner) = self.owner {
            list.owner = owner;
        }
    }
}

/// Adds and takes away rights in the one entry that the user has of this kind.
fn set(list: &mut AccessList, user: &str, allow: bool, add: Rights, take: Rights) {
    let (mut of_user, others): (Vec<_>, Vec<_>) = std::mem::take(&mut list.entries)
        .into_iter()
        .partition(|e| e.allow == allow && e.trustee.eq_ignore_ascii_case(user));
    list.entries = others;
    let before = of_user.iter().fold(Rights(0), |all, e| all.and(e.rights));
    let rights = Rights((before.0 & !take.0) | add.0);
    let trustee = of_user
        .pop()
        .map_or_else(|| user.to_owned(), |entry| entry.trustee);
    if rights.0 != 0 {
        list.entries.push(AccessEntry {
            trustee,
            allow,
            rights,
        });
    }
}

fn rights(words: &[String]) -> Result<Rights> {
    words.iter().try_fold(Rights(0), |all, word| {
        Rights::parse(word.trim()).map(|one| all.and(one))
    })
}

fn get(manager: &dyn Asks, queue: String) -> Result<AccessList> {
    list_of(manager.ask(Request::GetAccess { queue })?)
}

fn change(manager: &dyn Asks, queue: String, changes: Changes) -> Result<AccessList> {
    changes.check()?;
    let mut access = get(manager, queue.clone())?;
    changes.apply(&mut access);
    list_of(manager.ask(Request::SetAccess { queue, access })?)
}

fn list_of(reply: Reply) -> Result<AccessList> {
    match reply {
        Reply::Access(list) => Ok(list),
        other => Err(unexpected(&other)),
    }
}

fn shown(name: &str, list: &AccessList) -> Vec<AccessInfo> {
    let line = |user: &str, kind: &str, rights: Rights| AccessInfo {
        name: name.to_owned(),
        user_name: user.to_owned(),
        access_type: kind.to_owned(),
        rights: rights.to_string().split(", ").map(str::to_owned).collect(),
    };
    let own = Rights::GET_PERMISSIONS.and(Rights::CHANGE_PERMISSIONS);
    let entries = list.entries.iter().map(|entry| {
        let kind = if entry.allow { "Allow" } else { "Deny" };
        line(&entry.trustee, kind, entry.rights)
    });
    std::iter::once(line(&list.owner, "Owner", own))
        .chain(entries)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(allow: &str, deny: &str, remove: &str) -> Changes {
        let words =
            |text: &str| -> Vec<String> { text.split_terminator(',').map(str::to_owned).collect() };
        Changes {
            users: vec!["anna".into()],
            allow: rights(&words(allow)).unwrap(),
            deny: rights(&words(deny)).unwrap(),
            remove: rights(&words(remove)).unwrap(),
            owner: None,
        }
    }

    #[test]
    fn a_user_has_one_entry_of_each_kind_and_a_right_only_one_meaning() {
        let mut list = AccessList::of_new_queue("root");
        let others = list.entries.clone();
        changes("ReceiveMessage", "", "").apply(&mut list);
        changes("WriteMessage", "PeekMessage", "").apply(&mut list);
        let own: Vec<_> = list
            .entries
            .iter()
            .filter(|e| e.trustee == "anna")
            .collect();
        let summary: Vec<_> = own.iter().map(|e| (e.allow, e.rights)).collect();
        let allowed = Rights::DELETE_MESSAGE.and(Rights::WRITE);
        assert_eq!(summary, [(true, allowed), (false, Rights::PEEK)]);
        changes("", "", "FullControl").apply(&mut list);
        assert_eq!(list.entries, others);
    }

    #[test]
    fn a_change_that_changes_nothing_is_a_slip() {
        assert!(changes("", "", "").check().is_err());
        assert!(
            changes("PeekMessage", "ReceiveMessage", "")
                .check()
                .is_err()
        );
        assert!(changes("", "", "PeekMessage").check().is_ok());
        let nobody = Changes {
            users: Vec::new(),
            ..changes("PeekMessage", "", "")
        };
        assert!(nobody.check().is_err());
    }
}
