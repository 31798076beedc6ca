//! A SCSI-3 persistent reservation: the device itself refuses the writes of every machine but one.
//!
//! ```text
//!   take:       can it? ► register our key ► reserve, or preempt the former owner's ► read back
//!   give back:  release ► unregister
//! ```
//!
//! Type 5, Write Exclusive - Registrants Only. The key is the group's epoch, which no two owners ever
//! share: so the keys of two nodes differ by construction. Done by `sg_persist` of sg3-utils.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::device::system_path;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::process::{Finished, Spawn, run};

const PROGRAM: &str = "sg_persist";
/// Write Exclusive - Registrants Only.
const TYPE: &str = "--prout-type=5";
/// "HQ", then the epoch.
const KEY_MARK: u64 = 0x4851 << 48;
/// One command to a device that answers.
const COMMAND_MAX: Duration = Duration::from_secs(20);

/// A reservation of a device by an owner.
#[derive(Clone, Debug)]
pub(super) struct Reservation {
    program: PathBuf,
    device: PathBuf,
    key: u64,
}

impl Reservation {
    pub(super) fn new(device: &Path, epoch: u64) -> Self {
        Self {
            program: PROGRAM.into(),
            device: device.to_owned(),
            key: KEY_MARK | (epoch & 0xFFFF_FFFF_FFFF),
        }
    }

    /// Makes it ours, whoever has it.
    pub(super) async fn take(&self) -> Result<()> {
        self.check_capable().await?;
        self.out(&[
            "--register-ignore",
            &format!("--param-sark={:#x}", self.key),
        ])
        .await?;
        match self.holder().await? {
            Some(key) if key == self.key => {}
            Some(other) => {
                let (own, other) = (format!("{:#x}", self.key), format!("{other:#x}"));
                let (rk, sark) = (format!("--param-rk={own}"), format!("--param-sark={other}"));
                self.out(&["--preempt", &rk, &sark, TYPE]).await?;
            }
            None => {
                let key = format!("--param-rk={:#x}", self.key);
                self.out(&["--reserve", &key, TYPE]).await?;
            }
        }
        self.check().await
    }

    /// Whether it is ours.
    pub(super) async fn check(&self) -> Result<()> {
        let holder = self.holder().await?;
        if holder == Some(self.key) {
            return Ok(());
        }
        let by = holder.map_or_else(|| "nobody".to_owned(), |key| format!("key {key:#x}"));
        let text = format!(
            "{} is reserved by {by}, not by this owner",
            self.device.display()
        );
        Err(Error::new(ErrorKind::Fenced, text).hint("another owner has taken the disk"))
    }

    /// Gives it back, if it is still ours.
    pub(super) async fn give_back(&self) -> Result<()> {
        let key = format!("--param-rk={:#x}", self.key);
        if self.holder().await? == Some(self.key) {
            self.out(&["--release", &key, TYPE]).await?;
        }
        // Preempted, we are registered no longer.
        drop(self.out(&["--register", &key, "--param-sark=0"]).await);
        Ok(())
    }

    async fn check_capable(&self) -> Result<()> {
        let answer = self.ask(&["--in", "--report-capabilities"]).await?;
        let capable = answer.exit.code == Some(0)
            && answer
                .output
                .lines()
                .any(|l| l.trim() == "Write Exclusive, registrants only: 1");
        if capable {
            return Ok(());
        }
        let text = format!(
            "{} has no SCSI-3 persistent reservation of type Write Exclusive, Registrants Only: {}",
            self.device.display(),
            answer.story()
        );
        Err(Error::new(ErrorKind::ResourceNotAvailable, text)
            .hint("Set-ClusterParameter … PersistentReservation 0, if only one machine reaches the device"))
    }

    /// The key of who has it.
    async fn holder(&self) -> Result<Option<u64>> {
        let answer = self.ask(&["--in", "--read-reservation"]).await?;
        if answer.exit.code != Some(0) {
            return Err(self.failed("read the reservation", &answer));
        }
        Ok(answer.output.lines().find_map(|line| {
            let key = line.trim().strip_prefix("Key=0x")?;
            let digits = key.split(|c: char| !c.is_ascii_hexdigit()).next()?;
            u64::from_str_radix(digits, 16).ok()
        }))
    }

    async fn out(&self, arguments: &[&str]) -> Result<()> {
        let all: Vec<&str> = ["--out"].iter().chain(arguments).copied().collect();
        let answer = self.ask(&all).await?;
        match answer.exit.code {
            Some(0) => Ok(()),
            _ => Err(self.failed(arguments.first().copied().unwrap_or_default(), &answer)),
        }
    }

    fn failed(&self, what: &str, answer: &Finished) -> Error {
        let text = format!(
            "persistent reservation of {}: {what}: {}",
            self.device.display(),
            answer.story()
        );
        Error::new(ErrorKind::ResourceNotAvailable, text).hint(format!(
            "sg_persist --in --read-full-status {}",
            self.device.display()
        ))
    }

    async fn ask(&self, arguments: &[&str]) -> Result<Finished> {
        let mut command = vec![self.program.clone().into_os_string()];
        command.extend(arguments.iter().map(Into::into));
        command.push(self.device.clone().into_os_string());
        let what = Spawn {
            command,
            environment: vec![("LC_ALL".to_owned(), "C".to_owned()), system_path()],
            directory: None,
            keep_as: None,
        };
        run(what, COMMAND_MAX).await.map_err(|e| match e.kind {
            ErrorKind::NotFound => Error::new(
                ErrorKind::NotFound,
                "sg_persist is not installed on this node",
            )
            .hint("apt-get install sg3-utils"),
            _ => e,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Stands for a device: one reservation, in a file. What it prints is what sg_persist 1.46 prints.
    const STAND_IN: &str = r#"#!/bin/sh
state=$(dirname "$0")/state; touch "$state"
for a in "$@"; do case "$a" in
  --param-rk=*) rk=${a#*=};; --param-sark=*) sark=${a#*=};; esac; done
case "$*" in
  *--report-capabilities*) echo "Report capabilities response:"
     [ -e "$(dirname "$0")/plain" ] && exit 9
     echo "      Write Exclusive, registrants only: 1";;
  *--read-reservation*) if [ -s "$state" ]; then echo "  PR generation=0x4, Reservation follows:"
     echo "    Key=$(cat "$state")"; echo "    scope: LU_SCOPE,  type: Write Exclusive, registrants only"
     else echo "  PR generation=0x4, there is NO reservation held"; fi;;
  *--register*) :;;
  *--reserve*) [ -s "$state" ] && { echo "Reservation conflict" >&2; exit 24; }; printf %s "$rk" > "$state";;
  *--preempt*) [ "$(cat "$state")" = "$sark" ] || exit 24; printf %s "$rk" > "$state";;
  *--release*) : > "$state";;
esac
"#;

    fn stand_in() -> (tempfile::TempDir, impl Fn(u64) -> Reservation) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("sg_persist");
        std::fs::write(&program, STAND_IN).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let of = move |epoch| Reservation {
            program: program.clone(),
            ..Reservation::new(Path::new("/dev/sdz"), epoch)
        };
        (folder, of)
    }

    #[tokio::test]
    async fn a_newer_owner_preempts_and_the_former_one_sees_it() {
        let (_folder, of) = stand_in();
        let (first, second) = (of(7), of(8));
        first.take().await.unwrap();
        first.take().await.unwrap();
        second.take().await.unwrap();
        assert_eq!(first.check().await.unwrap_err().kind, ErrorKind::Fenced);
        first.give_back().await.unwrap();
        second.check().await.unwrap();
        second.give_back().await.unwrap();
        assert_eq!(second.holder().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_device_without_reservations_is_refused() {
        let (folder, of) = stand_in();
        std::fs::write(folder.path().join("plain"), "").unwrap();
        let error = of(1).take().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ResourceNotAvailable);
        assert!(error.hint.unwrap().contains("PersistentReservation 0"));
    }
}
