//! Whatever is read as a name is written so that it is read as the same name again, and whatever is
//! not is refused with an error that says what to do.

use std::fmt::{Debug, Display};

use hamq_core::name::format_name::{DirectName, QueueFormat, Use};
use hamq_core::name::{
    FormatName, LocalName, MultiElement, PathName, QueueName, QueuePath, SubqueueName,
};
use hamq_core::{Error, Result};

/// Reads the input as each kind of name, bytes 0 and 1 also as the numbers of a format name.
pub(crate) fn check(data: &[u8]) {
    if let &[kind, suffix, ..] = data {
        match QueueFormat::from_bytes([kind, suffix]) {
            Ok(format) => assert_eq!(format.to_bytes(), [kind, suffix]),
            Err(error) => explains_itself(&error),
        }
    }
    let text = String::from_utf8_lossy(data);
    same_again(&text, QueueName::parse);
    same_again(&text, SubqueueName::parse);
    same_again(&text, LocalName::parse);
    same_again(&text, PathName::parse);
    same_again(&text, QueuePath::parse);
    same_again(&text, DirectName::parse);
    same_again(&text, FormatName::parse);
    same_again(&text, MultiElement::parse);
    if let Ok(path) = PathName::parse(&text) {
        path_and_format_name_agree(&path);
    }
    if let Ok(names) = MultiElement::parse(&text) {
        assert!(!names.elements().is_empty());
        names.elements().iter().for_each(used_as_its_numbers_say);
    }
}

fn same_again<T>(text: &str, parse: fn(&str) -> Result<T>)
where
    T: Display + Debug + Eq,
{
    match parse(text) {
        Ok(name) => {
            let written = name.to_string();
            assert_eq!(parse(&written).as_ref(), Ok(&name), "{text:?} {written:?}");
            let again = parse(&written).map(|name| name.to_string());
            assert_eq!(again, Ok(written), "{text:?}");
            for other in [text.to_ascii_uppercase(), text.to_ascii_lowercase()] {
                assert_eq!(parse(&other).as_ref(), Ok(&name), "{text:?} {other:?}");
            }
        }
        Err(error) => explains_itself(&error),
    }
}

fn explains_itself(error: &Error) {
    assert!(!error.message.is_empty());
    assert!(error.hint.as_ref().is_some_and(|hint| !hint.is_empty()));
    // A queue name may be quoted twice, and a sign takes up to ten when it is escaped.
    assert!(error.message.len() < 8000, "{}", error.message.len());
}

fn path_and_format_name_agree(path: &PathName) {
    let computer = match path {
        PathName::Queue(path) => path.computer().to_owned(),
        PathName::Public(path) => path.computer().to_string(),
    };
    let name = path.format_name();
    assert_eq!(FormatName::parse(&name.to_string()).as_ref(), Ok(&name));
    // An address can be spelled in several ways; its format name has one.
    if computer.parse::<std::net::IpAddr>().is_err() {
        assert_eq!(name.path().as_ref(), Ok(path));
    }
}

/// What has a suffix of its own is not sent to.
fn used_as_its_numbers_say(name: &FormatName) {
    let format = name.queue_format();
    assert_eq!(QueueFormat::from_bytes(format.to_bytes()), Ok(format));
    for usage in Use::ALL {
        match name.check(usage) {
            Ok(()) => assert!(name.allows(usage)),
            Err(error) => explains_itself(&error),
        }
    }
    let suffix = format.to_bytes()[1];
    assert!(suffix == 0 || !name.allows(Use::Send), "{name}");
    if let Ok(path) = name.path() {
        assert_eq!(PathName::parse(&path.to_string()), Ok(path));
    }
}
