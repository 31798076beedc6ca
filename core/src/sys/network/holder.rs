//! Who holds an address, for people.

use std::net::SocketAddr;

/// Who listens at `address`, for people: `process 4711 (nginx)`. None if the system does not tell.
#[must_use]
pub fn holder(address: SocketAddr) -> Option<String> {
    let table = match address {
        SocketAddr::V4(_) => "/proc/net/tcp",
        SocketAddr::V6(_) => "/proc/net/tcp6",
    };
    let inode = listening_inode(&std::fs::read_to_string(table).ok()?, address)?;
    let link = format!("socket:[{inode}]");
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let Ok(pid) = process.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        let holds = descriptors.flatten().any(|descriptor| {
            std::fs::read_link(descriptor.path()).is_ok_and(|target| *target == *link)
        });
        if holds {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("process {pid} ({})", name.trim()));
        }
    }
    None
}

/// The inode of the socket that listens at `address`, or at its port on every address.
fn listening_inode(table: &str, address: SocketAddr) -> Option<u64> {
    const LISTEN: &str = "0A";
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (ip, port) = fields.get(1)?.split_once(':')?;
        let same_port = u16::from_str_radix(port, 16) == Ok(address.port());
        let same_ip = ip == kernel_form(address) || ip.bytes().all(|digit| digit == b'0');
        let found = same_port && same_ip && fields.get(3) == Some(&LISTEN);
        found.then(|| fields.get(9)?.parse().ok())?
    })
}

/// An address as /proc/net/tcp prints it: 32-bit words in the machine's byte order.
pub(super) fn kernel_form(address: SocketAddr) -> String {
    let bytes = match address {
        SocketAddr::V4(v4) => v4.ip().octets().to_vec(),
        SocketAddr::V6(v6) => v6.ip().octets().to_vec(),
    };
    let word = |chunk: &[u8]| {
        let mut word = chunk.to_vec();
        if cfg!(target_endian = "little") {
            word.reverse();
        }
        word.iter()
            .map(|byte| format!("{byte:02X}"))
            .collect::<String>()
    };
    bytes.chunks(4).map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_table_is_read() {
        let table = "  sl  local_address rem_address   st\n   \
            0: 0B01007F:1E7B 00000000:0000 0A 0:0 0:0 0 0 0 4711 1\n   \
            1: 0C01007F:1E7B 00000000:0000 01 0:0 0:0 0 0 0 4712 1\n";
        let at = |text: &str| listening_inode(table, text.parse().unwrap());
        if cfg!(target_endian = "little") {
            assert_eq!(at("127.0.1.11:7803"), Some(4711));
        }
        assert_eq!(at("127.0.1.12:7803"), None, "not listening");
        assert_eq!(at("127.0.1.11:7804"), None);
    }
}
