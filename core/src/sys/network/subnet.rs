//! A subnet: an address and how many of its bits are the network's.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// See the module. Bits behind the prefix are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subnet {
    address: IpAddr,
    prefix: u8,
}

impl Subnet {
    /// The subnet that `address` is in; a prefix that is too long is all of the address.
    #[must_use]
    pub fn of(address: IpAddr, prefix: u8) -> Self {
        let prefix = prefix.min(bits(address));
        let address = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() & mask).into()
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Ipv6Addr::from_bits(v6.to_bits() & mask).into()
            }
        };
        Self { address, prefix }
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && Self::of(address, self.prefix) == *self
    }

    /// Its first address.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Its bits.
    #[must_use]
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// How many bits `text` means, `24` or `255.255.255.0`, for addresses of the kind of `address`.
    #[must_use]
    pub fn parse_prefix(text: &str, address: IpAddr) -> Option<u8> {
        let text = text.trim();
        if let Ok(prefix) = text.trim_start_matches('/').parse::<u8>() {
            return (1..=bits(address)).contains(&prefix).then_some(prefix);
        }
        let mask = text.parse::<Ipv4Addr>().ok()?.to_bits();
        let prefix = mask.leading_ones();
        let is_mask = address.is_ipv4() && prefix > 0 && mask.count_ones() == prefix;
        is_mask.then(|| u8::try_from(prefix).ok())?
    }
}

/// Bits of an address of this kind.
#[must_use]
pub const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, prefix) = text.split_once('/').ok_or(())?;
        let address = address.trim().parse().map_err(|_| ())?;
        let prefix = Self::parse_prefix(prefix, address).ok_or(())?;
        Ok(Self::of(address, prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_one_subnet_of_a_size() {
        let subnet = Subnet::of("10.1.2.3".parse().unwrap(), 24);
        assert_eq!(subnet.to_string(), "10.1.2.0/24");
        assert_eq!("10.1.2.77/255.255.255.0".parse(), Ok(subnet));
        assert!(subnet.contains("10.1.2.255".parse().unwrap()));
        assert!(!subnet.contains("10.1.3.0".parse().unwrap()));
        assert!(!subnet.contains("fd00::".parse().unwrap()));
        let six = Subnet::of("fd00:0:0:1::9".parse().unwrap(), 64);
        assert_eq!(six.to_string(), "fd00:0:0:1::/64");
        assert!(Subnet::of("10.0.0.1".parse().unwrap(), 0).contains("192.0.2.1".parse().unwrap()));
    }

    #[test]
    fn a_prefix_has_two_spellings() {
        let (four, six) = ("10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap());
        for (text, address, expected) in [
            ("24", four, Some(24)),
            ("/24", four, Some(24)),
            ("255.255.252.0", four, Some(22)),
            ("255.255.255.255", four, Some(32)),
            ("255.0.255.0", four, None),
            ("0.0.0.0", four, None),
            ("33", four, None),
            ("0", four, None),
            ("64", six, Some(64)),
            ("129", six, None),
            ("255.255.255.0", six, None),
            ("", four, None),
        ] {
            assert_eq!(
                Subnet::parse_prefix(text, address),
                expected,
                "{text} {address}"
            );
        }
    }
}
