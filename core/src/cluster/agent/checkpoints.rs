//! Checkpoints in practice: captured while a resource is online here, restored before it comes online.
//!
//! ```text
//!  actor ─ before_online ─ restore or capture ─ row: held by this node at this epoch
//!        ─ is_online ───── looked at every half second, captured when it changed
//!        ─ after_end ───── captured once more
//!  watch ─ not online here ─ an edit by hand is told; it is kept when the resource comes
//! ```
//!
//! Every write is guarded by the owner's row at the epoch the resource was started with. An image is stored in the same
//! transaction as the row that names it, so that a crash leaves the former version or the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Shared;
use crate::cluster::checkpoint::{
    Checkpoint, Holder, IMAGE_BYTES_MAX, Kind, Marker, Step, VERSIONS_MAX, image_key, row_key,
};
use crate::cluster::record::{Owner, decode, encode, fold, key};
use crate::cluster::view::Versioned;
use crate::database::{Commit, Guard, Transaction, Write};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::image::{Image, Signature, set_aside, signature};
use crate::sys::trust::digest;
use crate::sys::{file, folder};

/// Between two looks at the files.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long the last capture may take when a resource ends.
const LAST_CAPTURE_MAX: Duration = Duration::from_secs(2);
/// Tries of a row that others keep changing.
const TRIES_MAX: usize = 5;
/// Digests that a node remembers of each.
const HAD_MAX: usize = 16;
/// Largest marker.
const MARKER_BYTES_MAX: usize = 64 * 1024;

/// What this node has in use, and what it saw last.
#[derive(Debug, Default)]
pub(in crate::cluster) struct Checkpoints {
    /// Resources that are online here, with their epoch.
    online: Mutex<BTreeMap<String, u64>>,
    /// One at a time works on the files of a resource.
    busy: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// The checkpoints of one resource on this node.
#[derive(Clone)]
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    pub(super) resource: String,
}

/// What was found at a path.
struct Local {
    /// None if it cannot be read whole; then why.
    image: std::result::Result<(Vec<u8>, String), Error>,
}

impl Local {
    fn read(path: &std::path::Path) -> Self {
        let read = || {
            let image = Image::read(path, IMAGE_BYTES_MAX)?;
            if image.is_nothing() {
                return Ok((Vec::new(), String::new()));
            }
            let bytes = image.encode()?;
            if bytes.len() > IMAGE_BYTES_MAX {
                let text = format!("{} is too large for a checkpoint", path.display());
                return Err(
                    Error::new(ErrorKind::InsufficientResources, text).hint(format!(
                        "at most {IMAGE_BYTES_MAX} bytes; put data on the group's disk"
                    )),
                );
            }
            let digest = digest(&bytes).to_string();
            Ok((bytes, digest))
        };
        Self { image: read() }
    }

    fn digest(&self) -> Option<&str> {
        self.image.as_ref().ok().map(|(_, digest)| digest.as_str())
    }
}

impl Keeper {
    /// Puts the files of the resource in place, before it comes online at `epoch`.
    pub(super) async fn before_online(&self, epoch: u64) -> Result<()> {
        let busy = self.busy().await;
        for row in self.rows().await? {
            self.prepare(row, epoch).await?;
        }
        drop(busy);
        Ok(())
    }

    /// From now on changes are captured.
    pub(super) fn is_online(&self, epoch: u64) {
        let mut online = lock(&self.shared.checkpoints.online);
        online.insert(self.resource.clone(), epoch);
    }

    /// From now on they are not.
    pub(super) fn is_ending(&self) -> Option<u64> {
        lock(&self.shared.checkpoints.online).remove(&self.resource)
    }

    /// What was changed since the last look, if the resource was online.
    pub(super) async fn after_end(&self, was_online: Option<u64>) {
        let Some(epoch) = was_online else { return };
        let view = self.shared.view.borrow().clone();
        if view.checkpoints_of(&self.resource).next().is_none() {
            return;
        }
        let work = self.capture_all(epoch);
        let done = tokio::time::timeout(LAST_CAPTURE_MAX, work).await;
        let why = match done {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.message,
            Err(_) => "the database does not answer".to_owned(),
        };
        self.log(
            "WARN",
            &format!("its last changes were not captured: {why}"),
        );
    }

    /// Captures what has changed of a resource that is online here.
    pub(super) async fn capture_all(&self, epoch: u64) -> Result<()> {
        let busy = self.busy().await;
        for row in self.rows().await? {
            self.capture(&row, epoch).await?;
        }
        drop(busy);
        Ok(())
    }

    async fn prepare(&self, mut row: Versioned<Checkpoint>, epoch: u64) -> Result<()> {
        let path = self.place_of(&row);
        let mut kept = None;
        for _ in 0..TRIES_MAX {
            let (local, marker) = self.look(&row).await?;
            let step = row.before_online(&self.shared.options.node, local.digest(), &marker);
            let written = match step {
                Step::Capture => self.store(&row, local, epoch).await?,
                Step::Keep => self.take(&row, epoch, kept.clone()).await?,
                Step::Restore { aside } => {
                    if aside {
                        kept = Some(self.keep_aside(&row, path.clone()).await?);
                    }
                    self.restore(&row, path.clone(), marker).await?;
                    self.take(&row, epoch, kept.clone()).await?
                }
            };
            if let Commit::Done { .. } = written {
                return Ok(());
            }
            let again = self.rows().await?.into_iter().find(|r| r.path == row.path);
            match again {
                Some(newer) => row = newer,
                None => return Ok(()), // removed meanwhile
            }
        }
        let text = format!("the checkpoint {} kept changing", row.path);
        Err(Error::new(ErrorKind::Timeout, text).hint("Get-ClusterCheckpoint shows by whom"))
    }

    /// Puts the newest image in place. The node remembers it first: what a crash leaves is known, not edited.
    async fn restore(&self, row: &Checkpoint, path: PathBuf, mut marker: Marker) -> Result<()> {
        let key = image_key(&row.resource, &row.path, row.version);
        let found = self.shared.options.database.read(&key).await?;
        let image = found.entries.into_iter().find(|e| e.key == key);
        let value = image.map(|e| e.value).unwrap_or_default();
        let image = match row.digest.is_empty() {
            true => Image::default(),
            false => Image::decode(&value, &row.digest)?,
        };
        remember(&mut marker, row.version, &row.digest);
        self.save(row, &marker).await?;
        blocking(move || image.place(&path)).await?;
        self.log(
            "INFO",
            &format!(
                "{} restored: version {} of {}",
                row.path, row.version, row.captured_by
            ),
        );
        Ok(())
    }

    async fn keep_aside(&self, row: &Checkpoint, path: PathBuf) -> Result<String> {
        let wall_ms = self.shared.options.clock.wall_ms();
        let kept = blocking(move || set_aside(&path, wall_ms)).await?;
        let node = &self.shared.options.node;
        let holder = row.holder.as_ref().map_or("another node", |h| &h.node);
        self.log(
            "WARN",
            &format!(
                "{} was changed on {node} while {holder} had it: that copy is kept as {}, and version {} of {} takes its place",
                row.path,
                kept.display(),
                row.version,
                row.captured_by
            ),
        );
        Ok(format!("{node}:{}", kept.display()))
    }

    /// Writes that this node has it in use now.
    async fn take(
        &self,
        row: &Versioned<Checkpoint>,
        epoch: u64,
        kept: Option<String>,
    ) -> Result<Commit> {
        let holder = self.holder(epoch);
        if kept.is_none() && row.holder.as_ref() == Some(&holder) {
            return Ok(Commit::Done {
                revision: row.version,
            });
        }
        self.commit(row, &row.taken(holder, kept), epoch, Vec::new())
            .await
    }

    /// Captures one, if it has changed and is in use here.
    async fn capture(&self, row: &Versioned<Checkpoint>, epoch: u64) -> Result<()> {
        let fresh = row.row.version == 0 && row.holder.is_none();
        if !fresh && !row.is_held_by(&self.shared.options.node, epoch) {
            return Ok(()); // added while it ran elsewhere: it is restored the next time it comes online
        }
        let (local, _) = self.look(row).await?;
        match &local.image {
            Ok((_, digest)) if *digest == row.digest && row.trouble.is_none() => Ok(()),
            Ok((_, digest)) if digest.is_empty() && row.row.version == 0 => Ok(()),
            Ok(_) => match self.store(row, local, epoch).await? {
                Commit::Done { .. } => Ok(()),
                Commit::Refused => {
                    let text = format!("the checkpoint {} was changed by somebody else", row.path);
                    Err(Error::new(ErrorKind::Timeout, text).hint("it is tried again"))
                }
            },
            Err(error) => self.complain(row, epoch, error).await,
        }
    }

    /// Stores an image as the next version, and forgets the oldest.
    async fn store(&self, row: &Versioned<Checkpoint>, local: Local, epoch: u64) -> Result<Commit> {
        let (bytes, digest) = local.image?;
        let wall_ms = self.shared.options.clock.wall_ms();
        let next = row.captured(
            digest.clone(),
            bytes.len() as u64,
            self.holder(epoch),
            wall_ms,
        );
        let image = Write::Put {
            key: image_key(&row.resource, &row.path, next.version),
            value: bytes,
            lease: None,
        };
        let oldest = next.version.checked_sub(VERSIONS_MAX);
        let oldest = oldest.map(|version| Write::Delete {
            key: image_key(&row.resource, &row.path, version),
        });
        let writes = std::iter::once(image).chain(oldest).collect();
        let commit = self.commit(row, &next, epoch, writes).await?;
        if let Commit::Done { .. } = commit {
            let mut marker = self.marker(row).await?;
            remember(&mut marker, next.version, &digest);
            self.save(row, &marker).await?;
            let text = format!("{} captured as version {}", row.path, next.version);
            self.log("INFO", &text);
        }
        Ok(commit)
    }

    async fn complain(&self, row: &Versioned<Checkpoint>, epoch: u64, error: &Error) -> Result<()> {
        let why = match &error.hint {
            Some(hint) => format!("{}; {hint}", error.message),
            None => error.message.clone(),
        };
        if row.trouble.as_ref() == Some(&why) {
            return Ok(());
        }
        self.log("ERR", &format!("{} was not captured: {why}", row.path));
        let mut next = row.row.clone();
        next.trouble = Some(why);
        self.commit(row, &next, epoch, Vec::new()).await.map(drop)
    }

    /// Writes a row, if it is as it was and this node still owns the group at this epoch.
    async fn commit(
        &self,
        row: &Versioned<Checkpoint>,
        next: &Checkpoint,
        epoch: u64,
        mut writes: Vec<Write>,
    ) -> Result<Commit> {
        let owner = self.owner(epoch).await?;
        let key = row_key(&row.resource, &row.path);
        writes.push(Write::Put {
            key: key.clone(),
            value: encode(next),
            lease: None,
        });
        let version = row.version;
        let guards = vec![owner, Guard { key, version }];
        let transaction = Transaction { guards, writes };
        self.shared.options.database.commit(transaction).await
    }

    /// The guard that the group is ours.
    async fn owner(&self, epoch: u64) -> Result<Guard> {
        let view = self.shared.view.borrow().clone();
        let group = view.resources.get(&self.resource).map(|r| r.group.clone());
        let group = group.unwrap_or_default();
        let key = key("owner", &group);
        let found = self.shared.options.database.read(&key).await?;
        let entry = found.entries.into_iter().find(|e| e.key == key);
        let owner = entry.and_then(|e| Some((e.version, decode::<Owner>(&e.value)?)));
        let mine = |owner: &Owner| {
            fold(&owner.node) == fold(&self.shared.options.node) && owner.epoch == epoch
        };
        match owner {
            Some((version, owner)) if mine(&owner) => Ok(Guard { key, version }),
            _ => {
                let text =
                    format!("group {group} has another owner than this node at epoch {epoch}");
                Err(Error::new(ErrorKind::Fenced, text).hint("the new owner has its checkpoints"))
            }
        }
    }

    /// The rows as they are now.
    async fn rows(&self) -> Result<Vec<Versioned<Checkpoint>>> {
        let prefix = row_key(&self.resource, "");
        let found = self.shared.options.database.read(&prefix).await?;
        let rows = found.entries.into_iter().map(|entry| {
            let row = decode(&entry.value);
            row.map(|row| Versioned {
                row,
                version: entry.version,
            })
            .ok_or_else(|| {
                let text = format!("the row {} cannot be read", entry.key);
                Error::new(ErrorKind::StoreDamaged, text)
                    .hint("is this program older than the one that wrote it?")
            })
        });
        rows.collect()
    }

    async fn look(&self, row: &Checkpoint) -> Result<(Local, Marker)> {
        let path = self.place_of(row);
        let local = blocking(move || Ok(Local::read(&path))).await?;
        Ok((local, self.marker(row).await?))
    }

    fn place_of(&self, row: &Checkpoint) -> PathBuf {
        match row.kind {
            Kind::Settings => self.shared.settings().join(&row.path),
            Kind::File => PathBuf::from(&row.path),
        }
    }

    fn marker_path(&self, row: &Checkpoint) -> PathBuf {
        let name = digest(row_key(&row.resource, &row.path).as_bytes());
        let folder = self.shared.options.data.join("checkpoints");
        folder.join(name.to_string())
    }

    /// A marker that cannot be read is none: then what is there is kept, not taken for known.
    async fn marker(&self, row: &Checkpoint) -> Result<Marker> {
        let path = self.marker_path(row);
        blocking(move || {
            let bytes = match file::read_up_to(&path, MARKER_BYTES_MAX) {
                Ok(bytes) => bytes.unwrap_or_default(),
                Err(_) => Vec::new(),
            };
            Ok(decode(&bytes).unwrap_or_default())
        })
        .await
    }

    async fn save(&self, row: &Checkpoint, marker: &Marker) -> Result<()> {
        let (path, bytes) = (self.marker_path(row), encode(marker));
        blocking(move || {
            if let Some(folder) = path.parent() {
                folder::create_secret(folder)?;
            }
            folder::write_durably(&path, &bytes)
        })
        .await
    }

    fn holder(&self, epoch: u64) -> Holder {
        Holder {
            node: self.shared.options.node.clone(),
            epoch,
        }
    }

    async fn busy(&self) -> tokio::sync::OwnedMutexGuard<()> {
        let busy = {
            let mut all = lock(&self.shared.checkpoints.busy);
            Arc::clone(all.entry(self.resource.clone()).or_default())
        };
        busy.lock_owned().await
    }

    fn log(&self, level: &str, text: &str) {
        let view = self.shared.view.borrow().clone();
        let name = view.resource_name(&self.resource);
        self.shared.log(level, "CKPT", &format!("{name}: {text}"));
    }
}

fn remember(marker: &mut Marker, version: u64, digest: &str) {
    if marker.had.len() >= HAD_MAX {
        marker.had.clear(); // what is older than sixteen versions counts as edited: it is kept
    }
    marker.had.insert(digest.to_owned());
    marker.version = marker.version.max(version);
}

/// Looks at the files of all checkpoints, until the agent ends.
pub(super) async fn watch(shared: Arc<Shared>) {
    let mut seen: BTreeMap<String, (Signature, bool)> = BTreeMap::new();
    let mut told = BTreeSet::new();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let view = shared.view.borrow().clone();
        seen.retain(|key, _| view.checkpoints.contains_key(key));
        for (key, row) in &view.checkpoints {
            let keeper = Keeper {
                shared: Arc::clone(&shared),
                resource: fold(&row.resource),
            };
            if !has_changed(&keeper, row, &mut seen, key).await {
                continue;
            }
            let epoch = lock(&shared.checkpoints.online)
                .get(&keeper.resource)
                .copied();
            let result = match epoch {
                Some(epoch) => keeper.capture_all(epoch).await,
                None => tell_edit(&keeper, row, &mut told).await,
            };
            if let Err(error) = result {
                seen.remove(key); // another try at the next look
                keeper.log("DBG", &format!("{} was not looked at: {error}", row.path));
            }
        }
    }
}

/// Whether the files have another signature than at the last look. After a change they are read twice: a second
/// change within the same tick of the file system's clock has the same times.
async fn has_changed(
    keeper: &Keeper,
    row: &Checkpoint,
    seen: &mut BTreeMap<String, (Signature, bool)>,
    key: &str,
) -> bool {
    let path = keeper.place_of(row);
    let Ok(now) = blocking(move || signature(&path)).await else {
        return true; // reading it says why
    };
    match seen.get(key) {
        Some((before, settled)) if *before == now => {
            let settled = *settled;
            seen.insert(key.to_owned(), (now, true));
            !settled
        }
        _ => {
            seen.insert(key.to_owned(), (now, false));
            true
        }
    }
}

/// Says once that files were edited on a node that does not have them in use.
async fn tell_edit(
    keeper: &Keeper,
    row: &Versioned<Checkpoint>,
    told: &mut BTreeSet<(String, String)>,
) -> Result<()> {
    let node = &keeper.shared.options.node;
    let holder = row.holder.as_ref().filter(|h| fold(&h.node) != fold(node));
    let Some(holder) = holder else {
        return Ok(()); // here it belongs, and is captured when the resource comes online
    };
    let (local, marker) = keeper.look(row).await?;
    let digest = local.digest().unwrap_or("unreadable").to_owned();
    if row.is_edited(&digest, &marker) && told.insert((row.path.clone(), digest)) {
        let text = format!(
            "{} was edited on {node}, but {} has it: edit it there; this copy will be set aside when the resource comes to {node}",
            row.path, holder.node
        );
        keeper.log("WARN", &text);
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| {
        let text = format!("a task of a checkpoint ended: {e}");
        Err(Error::new(ErrorKind::Internal, text))
    })
}
