//! Who may do what with a queue: rights, an access list, and the check (msmq.md 1.7).

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Rights as bits: MQ 2.2.24 for queues, MQ 2.2.23 for the queue manager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights(pub u32);

macro_rules! rights {
    ($($(#[doc = $doc:literal])* $name:ident = $bits:literal, $text:literal;)+) => {
        impl Rights {
            $($(#[doc = $doc])* pub const $name: Self = Self($bits);)+

            /// Every right of a queue with the name that operators write.
            pub const NAMES: &'static [(&'static str, Self)] = &[$(($text, Self::$name)),+];
        }
    };
}

rights! {
    /// Take a message out (with peek).
    DELETE_MESSAGE = 0x1, "DeleteMessage";
    /// Look at messages.
    PEEK = 0x2, "PeekMessage";
    /// Send.
    WRITE = 0x4, "WriteMessage";
    /// Take a message out of the journal (with peek).
    DELETE_JOURNAL = 0x8, "DeleteJournalMessage";
    /// Set properties.
    SET_PROPERTIES = 0x10, "SetQueueProperties";
    /// See properties.
    GET_PROPERTIES = 0x20, "GetQueueProperties";
    /// Delete the queue.
    DELETE_QUEUE = 0x1_0000, "DeleteQueue";
    /// See who may do what.
    GET_PERMISSIONS = 0x2_0000, "GetQueuePermissions";
    /// Change who may do what.
    CHANGE_PERMISSIONS = 0x4_0000, "ChangeQueuePermissions";
    /// Become the owner.
    TAKE_OWNERSHIP = 0x8_0000, "TakeQueueOwnership";
    /// Receive: delete and peek.
    RECEIVE = 0x3, "ReceiveMessage";
    /// Receive from the journal.
    RECEIVE_JOURNAL = 0xA, "ReceiveJournalMessage";
    /// Read everything.
    GENERIC_READ = 0x2_002B, "GenericRead";
    /// Send and see.
    GENERIC_WRITE = 0x2_0024, "GenericWrite";
    /// Everything.
    FULL_CONTROL = 0xF_003F, "FullControl";
}

/// MQ 2.2.23: create a queue.
pub const CREATE_QUEUE: Rights = Rights(0x4);

impl Rights {
    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is among them.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Reads a name as operators write it.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn parse(text: &str) -> Result<Self> {
        let found = Self::NAMES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|found| found.1).ok_or_else(|| {
            let names: Vec<&str> = Self::NAMES.iter().map(|n| n.0).collect();
            Error::new(
                ErrorKind::InvalidParameter,
                format!("{text:?} is no right of a queue"),
            )
            .hint(format!("use one of {}", names.join(", ")))
        })
    }
}

impl std::fmt::Display for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.has(Self::FULL_CONTROL) {
            return f.write_str("FullControl");
        }
        let single = Self::NAMES
            .iter()
            .filter(|(_, bits)| bits.0.count_ones() == 1);
        let names: Vec<&str> = single.filter(|n| self.has(n.1)).map(|n| n.0).collect();
        f.write_str(&names.join(", "))
    }
}

/// Everybody, whoever it is.
pub const EVERYONE: &str = "Everyone";
/// Who has not proven to be anybody.
pub const ANONYMOUS: &str = "ANONYMOUS LOGON";
/// The administrators of the computer.
pub const ADMINISTRATORS: &str = "Administrators";

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// A user, a group, `Everyone`, `ANONYMOUS LOGON` or `Administrators`; case does not count.
    pub trustee: String,
    /// Allow, or deny. A denial counts more than any permission.
    pub allow: bool,
    /// Which rights.
    pub rights: Rights,
}

/// Who may do what with a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessList {
    /// May always see and change the list.
    pub owner: String,
    /// The entries.
    pub entries: Vec<AccessEntry>,
}

/// Who somebody is, as the connection has proven it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The user's name; empty: nobody knows.
    pub user: String,
    /// The groups the user is in.
    pub groups: Vec<String>,
    /// Whether it is an administrator of this computer or the queue manager itself.
    pub administrator: bool,
}

impl Access {
    /// The queue manager itself, and who embeds it.
    #[must_use]
    pub fn owner_of_all(user: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            groups: Vec::new(),
            administrator: true,
        }
    }

    /// Nobody in particular.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::default()
    }

    fn is(&self, trustee: &str) -> bool {
        let same = |name: &str| name.eq_ignore_ascii_case(trustee);
        if same(EVERYONE) {
            return true;
        }
        if self.user.is_empty() {
            return same(ANONYMOUS);
        }
        same(&self.user)
            || self.groups.iter().any(|group| same(group))
            || self.administrator && same(ADMINISTRATORS)
    }

    /// The name for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.user.is_empty() {
            ANONYMOUS
        } else {
            &self.user
        }
    }
}

impl AccessList {
    /// What a new queue has: everything for its owner, and everybody may see that it is there.
    #[must_use]
    pub fn of_new_queue(owner: &str) -> Self {
        let entry = |trustee: &str, rights| AccessEntry {
            trustee: trustee.to_owned(),
            allow: true,
            rights,
        };
        let see = Rights::GET_PROPERTIES.and(Rights::GET_PERMISSIONS);
        Self {
            owner: owner.to_owned(),
            entries: vec![entry(owner, Rights::FULL_CONTROL), entry(EVERYONE, see)],
        }
    }

    /// What `who` may do. Administrators may everything that is not denied to them by name, and always
    /// change the list: nobody can lock them out.
    #[must_use]
    pub fn rights_of(&self, who: &Access) -> Rights {
        let (mut allowed, mut denied) = (0, 0);
        for entry in self.entries.iter().filter(|entry| who.is(&entry.trustee)) {
            if entry.allow {
                allowed |= entry.rights.0;
            } else {
                denied |= entry.rights.0;
            }
        }
        if who.administrator {
            allowed |= Rights::FULL_CONTROL.0;
        }
        let mut rights = allowed & !denied;
        let owner = !who.user.is_empty() && who.user.eq_ignore_ascii_case(&self.owner);
        if owner || who.administrator {
            rights |= Rights::GET_PERMISSIONS.0 | Rights::CHANGE_PERMISSIONS.0;
        }
        Rights(rights)
    }

    /// Whether `who` may do this with `what`.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub fn check(&self, who: &Access, needed: Rights, what: impl std::fmt::Display) -> Result<()> {
        if self.rights_of(who).has(needed) {
            return Ok(());
        }
        let text = format!("{} has no right {needed} on {what}", who.name());
        Err(Error::new(ErrorKind::AccessDenied, text).hint(
            "its owner or an administrator gives it: Set-MsmqQueueACL -UserName NAME -Allow RIGHT",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str, groups: &[&str]) -> Access {
        Access {
            user: name.to_owned(),
            groups: groups.iter().map(|g| (*g).to_owned()).collect(),
            administrator: false,
        }
    }

    #[test]
    fn a_new_queue_belongs_to_its_creator_and_others_only_see_it() {
        let list = AccessList::of_new_queue("alice");
        assert!(
            list.rights_of(&user("Alice", &[]))
                .has(Rights::FULL_CONTROL)
        );
        let bob = user("bob", &[]);
        assert!(list.check(&bob, Rights::GET_PROPERTIES, "q").is_ok());
        let error = list.check(&bob, Rights::WRITE, "q").unwrap_err();
        assert_eq!(error.kind, ErrorKind::AccessDenied);
        assert!(error.message.contains("bob") && error.message.contains("WriteMessage"));
    }

    #[test]
    fn a_denial_counts_more_than_any_permission_and_locks_nobody_out_for_good() {
        let mut list = AccessList::of_new_queue("alice");
        let entry = |trustee: &str, allow, rights| AccessEntry {
            trustee: trustee.into(),
            allow,
            rights,
        };
        list.entries.push(entry("ops", true, Rights::RECEIVE));
        list.entries
            .push(entry("bob", false, Rights::DELETE_MESSAGE));
        list.entries
            .push(entry("alice", false, Rights::FULL_CONTROL));
        let bob = user("bob", &["ops"]);
        assert!(list.rights_of(&bob).has(Rights::PEEK));
        assert!(!list.rights_of(&bob).has(Rights::RECEIVE));
        assert!(
            list.rights_of(&user("carol", &["OPS"]))
                .has(Rights::RECEIVE)
        );
        let alice = list.rights_of(&user("alice", &[]));
        assert!(alice.has(Rights::CHANGE_PERMISSIONS) && !alice.has(Rights::WRITE));
        assert!(
            list.rights_of(&Access::owner_of_all("root"))
                .has(Rights::FULL_CONTROL)
        );
    }

    #[test]
    fn who_proved_nothing_is_anonymous() {
        let mut list = AccessList::default();
        let nobody = Access::anonymous();
        assert_eq!(list.rights_of(&nobody), Rights(0));
        list.entries.push(AccessEntry {
            trustee: ANONYMOUS.into(),
            allow: true,
            rights: Rights::WRITE,
        });
        assert!(list.rights_of(&nobody).has(Rights::WRITE));
        assert!(!list.rights_of(&user("bob", &[])).has(Rights::WRITE));
    }

    #[test]
    fn rights_are_read_and_written_by_their_names() {
        for (name, rights) in Rights::NAMES {
            assert_eq!(Rights::parse(&name.to_lowercase()), Ok(*rights));
        }
        assert!(Rights::parse("Fly").is_err());
        assert_eq!(Rights::RECEIVE.to_string(), "DeleteMessage, PeekMessage");
    }
}
