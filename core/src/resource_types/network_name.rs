//! *Network Name*: the name by which clients reach the virtual server. The agents spread it; the
//! resource checks it and hands it to its dependents.

use super::{Answer, Context, OnlineReport, Provided, Resource};
use crate::error::{Error, ErrorKind, Result};

/// Longest computer name, as NetBIOS has it.
const NAME_CHARS_MAX: usize = 15;

/// The resource; see the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct NetworkName;

fn register(context: &Context) -> Result<OnlineReport> {
    let name = context.parameter("Name").unwrap_or(&context.group).trim();
    check_name(name)?;
    if context.provided.address.is_none() {
        return Err(context.lacks("IP Address"));
    }
    Ok(OnlineReport {
        provides: Provided {
            network_name: Some(name.to_owned()),
            ..context.provided.clone()
        },
        steps: Vec::new(),
    })
}

fn check_name(name: &str) -> Result<()> {
    let fits = (1..=NAME_CHARS_MAX).contains(&name.len());
    let known = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let edges = !name.starts_with('-') && !name.ends_with('-');
    let digits_only = name.bytes().all(|b| b.is_ascii_digit());
    if fits && known && edges && !digits_only {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidParameter,
        format!("{name:?} is no network name"),
    )
    .hint("use 1 to 15 letters, digits and inner hyphens, not digits alone; set Name if the group's name is none"))
}

impl Resource for NetworkName {
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport> {
        Box::pin(std::future::ready(register(context)))
    }

    fn offline(&mut self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn terminate(&mut self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_computers() {
        for good in ["VS1", "a", "orders-2", "ABCDEFGHIJKLMNO"] {
            check_name(good).unwrap();
        }
        for bad in [
            "",
            "-a",
            "a-",
            "a_b",
            "a b",
            "42",
            "ABCDEFGHIJKLMNOP",
            "größe",
        ] {
            assert_eq!(
                check_name(bad).unwrap_err().kind,
                ErrorKind::InvalidParameter,
                "{bad}"
            );
        }
    }
}
