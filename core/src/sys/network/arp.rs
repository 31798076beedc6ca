//! ARP on one interface: whether somebody else has an IPv4 address, and telling everybody who has it now (RFC 5227).
//!
//! ```text
//!   probe     who has 10.0.0.9? tell nobody (0.0.0.0)      nobody's table changes by it
//!   announce  10.0.0.9 is at 02:00:00:00:00:01              everybody's table does, and every switch's
//! ```
//!
//! The packets and what counts as a conflict are those of RFC 5227. Its times are not: seven seconds of silence before an
//! address may be used suit a machine that is booting, not a failover. A machine that is there answers within
//! milliseconds; conflicts that show later are heard, told and answered by [`Arp::conflict`] and [`Arp::announce`].

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{LinkAddr, SockaddrLike};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};
use tokio::time::{Instant, timeout_at};

use super::netlink::Link;
use super::readable::Readable;

/// Probes before an address is used, and the time that each is given for answers.
const PROBES: u32 = 3;
const PROBE_WAIT: Duration = Duration::from_millis(50);
/// Bytes of an Ethernet header and of ARP for IPv4 behind it.
const FRAME_BYTES: usize = 42;
const ETHERTYPE_ARP: u16 = 0x0806;
const BROADCAST: [u8; 6] = [0xff; 6];
/// Hardware type Ethernet, protocol IPv4, and the lengths of both addresses.
const ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
const OPERATION_REQUEST: u16 = 1;
const OPERATION_REPLY: u16 = 2;

/// What an ARP packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packet {
    operation: u16,
    sender_hardware: [u8; 6],
    sender: Ipv4Addr,
    target: Ipv4Addr,
}

/// A packet socket that sends and hears ARP on one interface.
#[derive(Debug)]
pub struct Arp {
    socket: Readable,
    hardware: [u8; 6],
}

impl Arp {
    /// Opens it; on a tokio runtime.
    ///
    /// # Errors
    /// Those of the system: `PermissionDenied` without CAP_NET_RAW; `Unsupported` where the interface has no
    /// hardware address.
    pub fn open(link: &Link) -> io::Result<Self> {
        let no_hardware =
            || io::Error::new(io::ErrorKind::Unsupported, "it has no hardware address");
        let hardware = link.hardware.ok_or_else(no_hardware)?;
        // Protocol numbers of packet sockets are in network byte order.
        let protocol = std::num::NonZero::new(u32::from(ETHERTYPE_ARP.to_be()));
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(
            AddressFamily::PACKET,
            SocketType::RAW,
            flags,
            protocol.map(Protocol::from_raw),
        )?;
        // Its protocol number is 0, by which the socket keeps its own.
        nix::sys::socket::bind(socket.as_raw_fd(), &link_address(link)?)?;
        let socket = Readable::new(socket)?;
        Ok(Self { socket, hardware })
    }

    /// Asks whether somebody has `address`; the hardware address of who answered.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn probe(&self, address: Ipv4Addr) -> io::Result<Option<[u8; 6]>> {
        let probe = Packet {
            operation: OPERATION_REQUEST,
            sender_hardware: self.hardware,
            sender: Ipv4Addr::UNSPECIFIED,
            target: address,
        };
        for _ in 0..PROBES {
            self.send(&probe)?;
            let until = Instant::now() + PROBE_WAIT;
            if let Ok(found) = timeout_at(until, self.heard(address, true)).await {
                return found.map(Some);
            }
        }
        Ok(None)
    }

    /// Tells everybody that `address` is here: once as a request and once as a reply, because some systems take the one
    /// and some the other.
    ///
    /// # Errors
    /// Those of the system.
    pub fn announce(&self, address: Ipv4Addr) -> io::Result<()> {
        for operation in [OPERATION_REQUEST, OPERATION_REPLY] {
            self.send(&Packet {
                operation,
                sender_hardware: self.hardware,
                sender: address,
                target: address,
            })?;
        }
        Ok(())
    }

    /// Waits until somebody else uses `address`; their hardware address.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn conflict(&self, address: Ipv4Addr) -> io::Result<[u8; 6]> {
        self.heard(address, false).await
    }

    /// Waits for a packet of somebody else who uses `address`, or `probing` counts: wants to use it.
    async fn heard(&self, address: Ipv4Addr, probing: bool) -> io::Result<[u8; 6]> {
        let mut buffer = [0; 128];
        loop {
            match recv(self.socket.socket(), &mut buffer[..], RecvFlags::empty()) {
                Ok((_, length)) => {
                    let packet = buffer.get(..length).and_then(decode);
                    if let Some(other) = packet.and_then(|p| p.claims(address, probing))
                        && other != self.hardware
                    {
                        return Ok(other);
                    }
                }
                Err(Errno::AGAIN) => self.socket.ready().await?,
                Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    fn send(&self, packet: &Packet) -> io::Result<()> {
        match send(self.socket.socket(), &encode(packet), SendFlags::empty()) {
            // A full queue loses a packet, as a network may.
            Ok(_) | Err(Errno::AGAIN | Errno::NOBUFS) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

/// The system's own form of an interface as an address.
fn link_address(link: &Link) -> io::Result<LinkAddr> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("{} is gone", link.name));
    getifaddrs()?
        .filter_map(|interface| interface.address)
        .filter_map(|address| address.as_link_addr().copied())
        .find(|address| u32::try_from(address.ifindex()).is_ok_and(|index| index == link.index))
        .filter(|address| address.len() > 0)
        .ok_or_else(missing)
}

impl Packet {
    /// Who uses `address` by this packet, or wants to.
    fn claims(&self, address: Ipv4Addr, probing: bool) -> Option<[u8; 6]> {
        let uses = self.sender == address;
        let wants = probing
            && self.operation == OPERATION_REQUEST
            && self.sender == Ipv4Addr::UNSPECIFIED
            && self.target == address;
        (uses || wants).then_some(self.sender_hardware)
    }
}

fn encode(packet: &Packet) -> [u8; FRAME_BYTES] {
    let mut frame = [0; FRAME_BYTES];
    frame[0..6].copy_from_slice(&BROADCAST);
    frame[6..12].copy_from_slice(&packet.sender_hardware);
    frame[12..14].copy_from_slice(&ETHERTYPE_ARP.to_be_bytes());
    frame[14..20].copy_from_slice(&ETHERNET_IPV4);
    frame[20..22].copy_from_slice(&packet.operation.to_be_bytes());
    frame[22..28].copy_from_slice(&packet.sender_hardware);
    frame[28..32].copy_from_slice(&packet.sender.octets());
    // 32..38, the target's hardware address, is what is asked for
    frame[38..42].copy_from_slice(&packet.target.octets());
    frame
}

fn decode(frame: &[u8]) -> Option<Packet> {
    let frame = frame.get(..FRAME_BYTES)?;
    let is_arp = frame[12..14] == ETHERTYPE_ARP.to_be_bytes() && frame[14..20] == ETHERNET_IPV4;
    let ip = |at: usize| -> Option<Ipv4Addr> {
        let bytes: [u8; 4] = frame.get(at..at + 4)?.try_into().ok()?;
        Some(bytes.into())
    };
    let packet = Packet {
        operation: u16::from_be_bytes(frame.get(20..22)?.try_into().ok()?),
        sender_hardware: frame.get(22..28)?.try_into().ok()?,
        sender: ip(28)?,
        target: ip(38)?,
    };
    is_arp.then_some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: [u8; 6] = [2, 0, 0, 0, 0, 1];

    fn packet(operation: u16, sender: &str, target: &str) -> Packet {
        Packet {
            operation,
            sender_hardware: HERE,
            sender: sender.parse().unwrap(),
            target: target.parse().unwrap(),
        }
    }

    #[test]
    fn a_packet_is_the_same_behind_the_wire_and_other_frames_are_none() {
        let sent = packet(OPERATION_REPLY, "10.0.0.9", "10.0.0.1");
        let frame = encode(&sent);
        assert_eq!(decode(&frame), Some(sent));
        for cut in 0..frame.len() {
            assert_eq!(decode(&frame[..cut]), None);
        }
        let mut other = frame;
        other[13] = 0;
        assert_eq!(decode(&other), None, "not ARP");
        let mut other = frame;
        other[18] = 8;
        assert_eq!(decode(&other), None, "not Ethernet");
    }

    #[test]
    fn users_conflict_always_and_those_who_ask_first_only_while_probing() {
        let address: Ipv4Addr = "10.0.0.9".parse().unwrap();
        let user = packet(OPERATION_REPLY, "10.0.0.9", "10.0.0.1");
        let rival = packet(OPERATION_REQUEST, "0.0.0.0", "10.0.0.9");
        let asking = packet(OPERATION_REQUEST, "10.0.0.1", "10.0.0.9");
        for (packet, probing, expected) in [
            (user, true, Some(HERE)),
            (user, false, Some(HERE)),
            (rival, true, Some(HERE)),
            (rival, false, None),
            (asking, true, None),
            (asking, false, None),
        ] {
            assert_eq!(
                packet.claims(address, probing),
                expected,
                "{packet:?} {probing}"
            );
        }
    }
}
