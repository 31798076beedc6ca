//! The private properties of an IP Address.

use std::net::IpAddr;

use crate::error::{Error, ErrorKind, Result};
use crate::resource_types::Context;
use crate::sys::network::Subnet;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// `Address`.
    pub(super) address: IpAddr,
    /// `SubnetMask` or `PrefixLength`.
    pub(super) prefix: Option<u8>,
    /// `Network`: a subnet, or an interface's name. The agent has replaced the name of a cluster network.
    pub(super) network: Option<String>,
    /// `OverrideAddressMatch`: the address need not be in a subnet that the interface has.
    pub(super) any_subnet: bool,
}

impl Settings {
    pub(super) fn read(context: &Context) -> Result<Self> {
        let text = context.required("Address")?;
        let address: IpAddr = text.trim().parse().map_err(|_| {
            invalid(
                context,
                "Address",
                text,
                "give one like 10.0.0.100 or fd00::100",
            )
        })?;
        check_kind(context, address)?;
        if context.number("EnableDhcp", 0)? != 0 {
            let hint = "give a fixed Address and EnableDhcp=0: an address by DHCP belongs to a machine, not to a group";
            return Err(invalid(context, "EnableDhcp", "1", hint));
        }
        let mask = context
            .parameter("PrefixLength")
            .or(context.parameter("SubnetMask"));
        let prefix = match mask {
            None => None,
            Some(text) => Some(Subnet::parse_prefix(text, address).ok_or_else(|| {
                let hint = "give bits, such as 24, or for IPv4 a mask, such as 255.255.255.0";
                invalid(context, "SubnetMask", text, hint)
            })?),
        };
        Ok(Self {
            address,
            prefix,
            network: context
                .parameter("Network")
                .map(|text| text.trim().to_owned()),
            any_subnet: context.number("OverrideAddressMatch", 0)? != 0,
        })
    }
}

fn check_kind(context: &Context, address: IpAddr) -> Result<()> {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    let mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    if address.is_unspecified() || address.is_multicast() || broadcast || mapped {
        let hint = "give an address that one machine can have";
        return Err(invalid(context, "Address", &address.to_string(), hint));
    }
    Ok(())
}

fn invalid(context: &Context, name: &str, value: &str, hint: &str) -> Error {
    let text = format!(
        "{name} of resource {:?} cannot be {value:?}",
        context.resource
    );
    Error::new(ErrorKind::InvalidParameter, text).hint(hint)
}
