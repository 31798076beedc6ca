//! *Physical Disk*: storage that one owner at a time holds.
//!
//! ```text
//!  DiskPath alone       a folder, also on a network file system ── checked: network ──┐
//!  DiskPath and Device  reserve ► check ► mount ── device, reservation ───────────────┤
//!                                                                                     ▼
//!                       end the former owner ► take the hold (epoch) ── holding ──► online
//!  offline              give the hold back ► unmount, never lazily ► give the reservation back
//! ```
//!
//! The record in the folder ([`Hold`]) decides, by epoch. It protects what is written with the epoch in
//! mind, not a file system on a shared device: that needs a reservation, or one machine only.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::hold::Verdict;
use super::{Answer, Context, Hold, OnlineReport, Provided, Resource, blocking, fence_process};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;
use crate::sys::process::{FileHolder, ProcessIdentity};

mod device;
mod holding;
mod network;
mod reservation;

use device::{Device, Mounted};
use holding::{Belt, Held, refusal};
pub(super) use network::check_path;
use reservation::Reservation;

/// How long processes have to leave a disk that goes offline in order.
const LEAVE_MAX: Duration = Duration::from_secs(2);
/// Between two looks at a disk that must go.
const LEAVE_STEP: Duration = Duration::from_millis(50);
/// Between two lines in the log about a disk that does not go.
const LEAVE_NOTE: Duration = Duration::from_secs(10);

/// The resource; see the module.
#[derive(Debug, Default)]
pub struct PhysicalDisk {
    held: Option<Held>,
    mounted: Option<Mounted>,
    reservation: Option<Reservation>,
    /// Of the last start, for the log and the settings.
    context: Option<Context>,
}

type Steps = Vec<(String, f64)>;

impl PhysicalDisk {
    async fn take(&mut self, context: &Context) -> Result<OnlineReport> {
        let folder = disk_path(context)?;
        let hold = wanted(context)?;
        self.context = Some(context.clone());
        let mut steps = Steps::new();
        match Device::of(context)? {
            Some(device) => {
                self.attach(context, &device, &folder, &hold, &mut steps)
                    .await?;
            }
            None => {
                let place = folder.clone();
                let warnings = blocking(move || {
                    folder::create_below_existing(&place)?;
                    check_path(&place)
                });
                for warning in warnings.await? {
                    context.note("WARN", warning);
                }
            }
        }
        let started = Instant::now();
        end_former_owner(context, &folder, &hold).await?;
        self.hold(context, folder.clone(), hold).await?;
        step(&mut steps, "held", started);
        Ok(OnlineReport {
            provides: Provided {
                disk: Some(folder),
                ..context.provided.clone()
            },
            steps,
        })
    }

    /// Reserves, checks and mounts the device.
    async fn attach(
        &mut self,
        context: &Context,
        device: &Device,
        folder: &Path,
        hold: &Hold,
        steps: &mut Steps,
    ) -> Result<()> {
        let started = Instant::now();
        let path = device.find().await?;
        if device.reserve {
            let reservation = Reservation::new(&path, context.epoch);
            self.reservation = Some(reservation.clone());
            reservation.take().await?;
            step(steps, "reserved", started);
        }
        let mounted = Mounted::new(&path, folder)?;
        if mounted.is_there()? {
            // A former owner on this machine left it mounted. What it wrote is complete only after the
            // unmount, so its mount is not taken over.
            context.note(
                "WARN",
                format_args!("{mounted} is mounted already; mounting it anew"),
            );
            end_former_owner(context, folder, hold).await?;
            self.leave(&mounted, Leave::InOrder).await?;
        }
        // Set before it is mounted: `terminate` then ends whatever was mounted.
        let mounted = self.mounted.insert(Mounted::new(&path, folder)?).clone();
        let started = Instant::now();
        let file_system = device.check(&path).await?;
        step(steps, "checked", started);
        let started = Instant::now();
        let options = device.options.clone();
        blocking(move || mounted.mount(file_system, &options)).await?;
        step(steps, "mounted", started);
        Ok(())
    }

    async fn hold(&mut self, context: &Context, folder: PathBuf, hold: Hold) -> Result<()> {
        // Set before the record is written: `terminate` then releases whatever was written.
        let held = self.held.insert(Held::new(folder, hold)).clone();
        let taken = blocking(move || held.take()).await;
        if taken.is_err() {
            self.held = None;
        }
        if taken? == Belt::Missing {
            context.note(
                "WARN",
                "the disk's lock is held by a process that hangs; its epoch is older",
            );
        }
        Ok(())
    }

    /// Gives everything back, in the reverse order of taking.
    async fn give_back(&mut self, leave: Leave) -> Result<()> {
        if let Some(held) = self.held.take() {
            let released = blocking(move || held.release()).await;
            if leave == Leave::InOrder {
                released?;
            }
        }
        if let Some(mounted) = self.mounted.clone() {
            self.leave(&mounted, leave).await?;
        }
        self.mounted = None;
        if let Some(reservation) = self.reservation.take() {
            reservation.give_back().await?;
        }
        Ok(())
    }

    /// Unmounts. In order, whoever is still there is named; at once, he is ended, unless the disk's
    /// settings forbid it. A disk that must go and does not is never given away: another machine would
    /// write into a file system that this one writes into.
    async fn leave(&self, mounted: &Mounted, leave: Leave) -> Result<()> {
        let began = Instant::now();
        let mut noted: Option<Instant> = None;
        loop {
            let disk = mounted.clone();
            let Some(holders) = blocking(move || disk.unmount()).await? else {
                return Ok(());
            };
            let patient = began.elapsed() < LEAVE_MAX;
            match leave {
                Leave::InOrder if patient => {}
                Leave::InOrder => return Err(mounted.busy(&holders)),
                Leave::AtOnce => self.end_holders(mounted, &holders).await,
            }
            if !patient && noted.is_none_or(|at| at.elapsed() > LEAVE_NOTE) {
                noted = Some(Instant::now());
                self.note(&mounted.busy(&holders).message);
            }
            tokio::time::sleep(LEAVE_STEP).await;
        }
    }

    async fn end_holders(&self, mounted: &Mounted, holders: &[FileHolder]) {
        if !self.may_end() {
            return;
        }
        for holder in holders.iter().filter(|h| h.process.pid > 1) {
            self.note(format_args!("{mounted} must go: ending {holder}"));
            let process = holder.process.clone();
            // One that hangs in the kernel is met again in the next round.
            let _ = blocking(move || process.kill_and_wait(LEAVE_MAX)).await;
        }
    }

    fn may_end(&self) -> bool {
        let context = self.context.as_ref();
        context.is_none_or(|c| c.number("ForceUnmount", 1).is_ok_and(|n| n != 0))
    }

    fn note(&self, text: impl std::fmt::Display) {
        if let Some(context) = &self.context {
            context.note("WARN", text);
        }
    }
}

/// How a disk is left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// As asked for: who keeps it busy is named.
    InOrder,
    /// It must go; nothing goes on before it has.
    AtOnce,
}

fn step(steps: &mut Steps, name: &str, since: Instant) {
    steps.push((name.to_owned(), since.elapsed().as_secs_f64() * 1e3));
}

/// Refuses a disk of another, and ends a former owner of ours that hangs on this machine.
async fn end_former_owner(context: &Context, folder: &Path, wanted: &Hold) -> Result<()> {
    let place = folder.to_owned();
    let Some(recorded) = blocking(move || Hold::read(&place)).await? else {
        return Ok(());
    };
    match recorded.judge_now(wanted) {
        Verdict::Free => Ok(()),
        Verdict::Former(process) => {
            let outcome = fence_process(process, context.fencing).await;
            context.note(
                "WARN",
                format_args!(
                    "former owner {} (epoch {}): {outcome}",
                    recorded.node, recorded.epoch
                ),
            );
            Ok(())
        }
        verdict => Err(refusal(folder, &recorded, &verdict)),
    }
}

fn disk_path(context: &Context) -> Result<PathBuf> {
    let path = PathBuf::from(context.required("DiskPath")?);
    if !path.is_absolute() {
        return Err(Error::new(
            ErrorKind::InvalidParameter,
            format!(
                "DiskPath {} of {:?} is not absolute",
                path.display(),
                context.resource
            ),
        )
        .hint("give the folder from the root, for example /srv/disk1"));
    }
    Ok(path)
}

fn wanted(context: &Context) -> Result<Hold> {
    Ok(Hold {
        format: 1,
        cluster: context.cluster.clone(),
        group: context.group.clone(),
        resource: context.resource.clone(),
        epoch: context.epoch,
        node: context.node.clone(),
        holder: Some(ProcessIdentity::current()?),
    })
}

impl Resource for PhysicalDisk {
    fn online<'a>(&'a mut self, context: &'a Context) -> Answer<'a, OnlineReport> {
        Box::pin(async move {
            let taken = self.take(context).await;
            if taken.is_err() {
                // What was taken on the way is given back before anyone else tries.
                self.terminate().await;
            }
            taken
        })
    }

    fn offline(&mut self) -> Answer<'_, ()> {
        Box::pin(self.give_back(Leave::InOrder))
    }

    fn terminate(&mut self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            // A folder that cannot even be released is fenced by the next owner's epoch.
            if let Err(error) = self.give_back(Leave::AtOnce).await {
                self.note(format_args!("giving the disk back: {}", error.message));
            }
        })
    }

    fn looks_alive(&mut self) -> Answer<'_, ()> {
        let (held, mounted) = (self.held.clone(), self.mounted.clone());
        Box::pin(async move {
            let Some(held) = held else {
                return Err(Error::new(
                    ErrorKind::InvalidState,
                    "the disk is not online",
                ));
            };
            blocking(move || {
                if let Some(mounted) = mounted {
                    mounted.check()?;
                }
                held.check()
            })
            .await
        })
    }

    fn is_alive(&mut self) -> Answer<'_, ()> {
        let (held, reservation) = (self.held.clone(), self.reservation.clone());
        Box::pin(async move {
            self.looks_alive().await?;
            if let Some(reservation) = reservation {
                reservation.check().await?;
            }
            match held {
                Some(held) => blocking(move || held.probe()).await,
                None => Ok(()),
            }
        })
    }
}
