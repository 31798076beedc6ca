//! A private property: its name, and what its values may be.

use std::net::IpAddr;

/// What the values of a property are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Any text.
    Text,
    /// A whole number of 32 bits.
    Number,
    /// A TCP port; 0 is none.
    Port,
    /// 0 or 1.
    Flag,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these numbers.
    OneNumberOf(&'static [&'static str]),
    /// An IP address that one machine can have.
    Address,
    /// The name of a computer.
    ComputerName,
    /// The path of a file or folder, from the root.
    Path,
    /// A block device: a path below `/dev`, `UUID=…` or `LABEL=…`.
    Device,
    /// Options of a mount, with commas.
    MountOptions,
    /// The name of a systemd unit.
    Unit,
}

/// Longest computer name, as NetBIOS has it.
const COMPUTER_NAME_CHARS_MAX: usize = 15;
/// Longest value, in bytes.
const VALUE_BYTES_MAX: usize = 64 * 1024;

/// A private property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// What its values may be.
    pub form: Form,
    /// The resource cannot come online without it.
    pub required: bool,
    /// Cannot be changed while a queue manager's messages lie under it.
    pub immutable: bool,
}

impl Parameter {
    /// Whether it is a number (`UInt32`), not text.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        matches!(
            self.form,
            Form::Number | Form::Port | Form::Flag | Form::OneNumberOf(_)
        )
    }

    /// What a value must be, in words, where `value` is not.
    #[must_use]
    pub fn complaint(&self, value: &str) -> Option<String> {
        let value = value.trim();
        if value.len() > VALUE_BYTES_MAX || value.contains(['\0', '\n']) {
            return Some("a line of at most 64 KiB".to_owned());
        }
        (!self.form.fits(value)).then(|| self.form.description())
    }
}

impl Form {
    fn fits(self, value: &str) -> bool {
        match self {
            Self::Text => true,
            Self::Number => value.parse::<u32>().is_ok(),
            Self::Port => value.parse::<u16>().is_ok(),
            Self::Flag => matches!(value, "0" | "1"),
            Self::OneOf(words) | Self::OneNumberOf(words) => words.contains(&value),
            Self::Address => value
                .parse::<IpAddr>()
                .is_ok_and(|a| !a.is_unspecified() && !a.is_multicast()),
            Self::ComputerName => is_computer_name(value),
            Self::Path => value.starts_with('/') && !value.split('/').any(|part| part == ".."),
            Self::Device => is_device(value),
            Self::MountOptions => value.split(',').all(is_mount_option),
            Self::Unit => is_unit(value),
        }
    }

    fn description(self) -> String {
        let text = match self {
            Self::Text => "a text",
            Self::Number => "a whole number from 0 to 4294967295",
            Self::Port => "a TCP port, such as 9464; 0 for none",
            Self::Flag => "0 or 1",
            Self::OneOf(words) | Self::OneNumberOf(words) => {
                return format!("one of {}", words.join(", "));
            }
            Self::Address => "an address, such as 10.0.0.100, fd00::100 or 127.0.9.1",
            Self::ComputerName => {
                "a computer name: 1 to 15 letters, digits and inner hyphens, not digits alone"
            }
            Self::Path => "a path from the root without .., such as /srv/vs1",
            Self::Device => "a block device: /dev/…, UUID=… or LABEL=…",
            Self::MountOptions => {
                "mount options with commas, such as noatime,nodev; not ro, lazy ones or remount"
            }
            Self::Unit => "a unit's name, such as postgresql or postgresql@.service",
        };
        text.to_owned()
    }
}

/// Whether a computer may be called so.
#[must_use]
fn is_computer_name(name: &str) -> bool {
    let fits = (1..=COMPUTER_NAME_CHARS_MAX).contains(&name.len());
    let known = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let edges = !name.starts_with('-') && !name.ends_with('-');
    fits && known && edges && !name.bytes().all(|b| b.is_ascii_digit())
}

fn is_device(value: &str) -> bool {
    let named = |text: &str| !text.is_empty() && !text.contains(['/', '"']);
    let tag = value
        .strip_prefix("UUID=")
        .or_else(|| value.strip_prefix("LABEL="));
    match tag {
        Some(tag) => named(tag),
        None => value.len() > 5 && value.starts_with("/dev/") && Form::Path.fits(value),
    }
}

/// A resource whose disk is read-only, or that mounts what is mounted already, is none.
fn is_mount_option(option: &str) -> bool {
    let refused = [
        "ro",
        "remount",
        "bind",
        "rbind",
        "move",
        "loop",
        "user",
        "users",
        "noauto",
        "norecovery",
    ];
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-_.=:/+%".contains(&b);
    !option.is_empty() && option.bytes().all(known) && !refused.contains(&option)
}

fn is_unit(value: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b);
    let kind = value
        .rsplit_once('.')
        .is_none_or(|(_, kind)| kind == "service");
    !value.is_empty()
        && value.len() <= 255
        && !value.starts_with('-')
        && value.bytes().all(known)
        && kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_takes_what_it_is_and_nothing_else() {
        let table: &[(Form, &[&str], &[&str])] = &[
            (
                Form::Number,
                &["0", "4294967295"],
                &["-1", "4294967296", "x", "1.5"],
            ),
            (Form::Flag, &["0", "1"], &["2", "yes"]),
            (Form::OneOf(&["ext4", "xfs"]), &["xfs"], &["XFS", "ntfs"]),
            (
                Form::Address,
                &["10.0.0.1", "fd00::1"],
                &["0.0.0.0", "224.0.0.1", "home", "::"],
            ),
            (
                Form::ComputerName,
                &["VS1", "a", "orders-2"],
                &["", "-a", "a_b", "42", "ABCDEFGHIJKLMNOP", "größe"],
            ),
            (Form::Path, &["/srv/vs1", "/"], &["srv", "/srv/../etc"]),
            (
                Form::Device,
                &["/dev/sdb1", "UUID=1-2", "LABEL=data 1"],
                &["/srv", "/dev/", "UUID=", "sdb", "/dev/../x"],
            ),
            (
                Form::MountOptions,
                &["noatime", "nodev,errors=panic"],
                &["ro", "a,,b", "noatime,remount", "x;y"],
            ),
            (
                Form::Unit,
                &["a", "a@b.service", "foo@"],
                &["a.socket", "-a", "a b", "a/b"],
            ),
        ];
        for (form, good, bad) in table {
            for value in *good {
                assert!(form.fits(value), "{form:?} {value}");
            }
            for value in *bad {
                assert!(!form.fits(value), "{form:?} {value}");
            }
        }
    }
}
