//! Block devices: real loop devices with ext4 and xfs. They need root: `tests/run root`.

use std::process::{Child, Command, Stdio};

use super::*;

/// A loop device over a file; it is detached when it is dropped.
struct Loop {
    path: PathBuf,
    _file: tempfile::TempDir,
}

fn tool(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(
        done.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

impl Loop {
    /// None where the machine has no such file system; then the test says so.
    fn new(file_system: &str) -> Option<Self> {
        let make = format!("mkfs.{file_system}");
        if Command::new(&make).arg("-V").output().is_err() {
            eprintln!("SKIPPED: {make} is not installed; scripts/components installs it");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("disk");
        let bytes = if file_system == "xfs" { 320 } else { 16 } << 20;
        std::fs::File::create(&file)
            .unwrap()
            .set_len(bytes)
            .unwrap();
        let path = tool("losetup", &["--find", "--show", file.to_str().unwrap()]);
        tool(&make, &["-q", &path]);
        Some(Self {
            path: path.into(),
            _file: folder,
        })
    }

    fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("-d").arg(&self.path).status();
    }
}

fn disk(node: &Node, device: &Loop, more: &[(&str, &str)]) -> (PathBuf, Context) {
    let path = node.folder.path().join("vs1");
    let mut all = vec![
        ("DiskPath", path.to_str().unwrap()),
        ("Device", device.text()),
    ];
    all.extend(more);
    let context = node.context("Disk 1", &all);
    (path, context)
}

fn is_mounted(path: &Path) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    mounts.contains(path.to_str().unwrap())
}

async fn a_device_round_trip(file_system: &str, check: &str) {
    let node = Node::new();
    let Some(device) = Loop::new(file_system) else {
        return;
    };
    let (path, context) = disk(
        &node,
        &device,
        &[("FileSystem", file_system), ("DiskRunChkDsk", check)],
    );
    let mut disk = PhysicalDisk::default();
    let report = disk.online(&context).await.unwrap();
    let steps: Vec<_> = report.steps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(steps, ["checked", "mounted", "held"]);
    assert_eq!(report.provides.disk.as_deref(), Some(&*path));
    std::fs::write(path.join("data"), "kept").unwrap();
    disk.looks_alive().await.unwrap();
    disk.is_alive().await.unwrap();
    disk.offline().await.unwrap();
    assert!(!is_mounted(&path) && !path.join("data").exists());
    disk.online(&context).await.unwrap();
    assert_eq!(std::fs::read_to_string(path.join("data")).unwrap(), "kept");
    assert_eq!(Hold::read(&path).unwrap().unwrap().epoch, 5);
    disk.terminate().await;
    assert!(!is_mounted(&path));
}

#[tokio::test]
#[ignore = "needs root"]
async fn as_root_an_ext4_device_is_checked_mounted_held_and_left_complete() {
    a_device_round_trip("ext4", "0").await;
    a_device_round_trip("ext4", "2").await;
}

#[tokio::test]
#[ignore = "needs root"]
async fn as_root_an_xfs_device_is_checked_mounted_held_and_left_complete() {
    a_device_round_trip("xfs", "0").await;
    a_device_round_trip("xfs", "2").await;
}

#[tokio::test]
#[ignore = "needs root"]
async fn as_root_a_device_mounted_elsewhere_or_empty_or_wrong_is_refused() {
    let node = Node::new();
    let Some(device) = Loop::new("ext4") else {
        return;
    };
    let (path, context) = disk(&node, &device, &[]);
    let elsewhere = node.folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    tool("mount", &[device.text(), elsewhere.to_str().unwrap()]);
    let error = PhysicalDisk::default().online(&context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ResourceNotAvailable);
    assert!(
        error.message.contains(elsewhere.to_str().unwrap()),
        "{error}"
    );
    assert!(is_mounted(&elsewhere), "another's mount was ended");
    tool("umount", &[elsewhere.to_str().unwrap()]);

    let (_, wrong) = disk(&node, &device, &[("FileSystem", "xfs")]);
    let error = PhysicalDisk::default().online(&wrong).await.unwrap_err();
    assert!(error.message.contains("holds ext4, not xfs"), "{error}");
    tool(
        "dd",
        &[
            "if=/dev/zero",
            &format!("of={}", device.text()),
            "bs=4096",
            "count=4",
        ],
    );
    let error = PhysicalDisk::default().online(&context).await.unwrap_err();
    assert!(
        error.hint.unwrap().contains("mkfs.ext4"),
        "{}",
        error.message
    );
    assert!(!is_mounted(&path));
}

fn keeper(folder: &Path) -> Child {
    Command::new("sleep")
        .arg("600")
        .current_dir(folder)
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "needs root"]
async fn as_root_who_keeps_a_disk_busy_is_named_and_ended_only_when_it_must_go() {
    let node = Node::new();
    let Some(device) = Loop::new("ext4") else {
        return;
    };
    let (path, context) = disk(&node, &device, &[]);
    let mut disk = PhysicalDisk::default();
    disk.online(&context).await.unwrap();
    let mut busy = keeper(&path);
    let error = disk.offline().await.unwrap_err();
    let named = format!(
        "sleep (process {}, its working folder {}",
        busy.id(),
        path.display()
    );
    assert!(error.message.contains(&named), "{error}");
    assert!(is_mounted(&path), "a lazy unmount");
    assert!(
        busy.try_wait().unwrap().is_none(),
        "ended although nothing forced it"
    );
    within(disk.terminate()).await;
    assert!(!is_mounted(&path));
    busy.wait().unwrap();
    assert!(
        node.log().contains("must go: ending sleep"),
        "{}",
        node.log()
    );
}

#[tokio::test]
#[ignore = "needs root"]
async fn as_root_a_disk_that_may_not_be_forced_stays_until_it_is_left() {
    let node = Node::new();
    let Some(device) = Loop::new("ext4") else {
        return;
    };
    let (path, context) = disk(&node, &device, &[("ForceUnmount", "0")]);
    let mut disk = PhysicalDisk::default();
    disk.online(&context).await.unwrap();
    let mut busy = keeper(&path);
    let given_away = tokio::time::timeout(Duration::from_secs(3), disk.terminate()).await;
    assert!(
        given_away.is_err() && is_mounted(&path),
        "given away while in use"
    );
    assert!(busy.try_wait().unwrap().is_none());
    busy.kill().unwrap();
    busy.wait().unwrap();
    within(disk.terminate()).await;
    assert!(!is_mounted(&path));
}

#[tokio::test]
#[ignore = "needs root"]
async fn as_root_a_disk_that_a_dead_owner_left_mounted_is_mounted_anew() {
    let node = Node::new();
    let Some(device) = Loop::new("ext4") else {
        return;
    };
    let (path, context) = disk(&node, &device, &[]);
    std::fs::create_dir(&path).unwrap();
    tool("mount", &[device.text(), path.to_str().unwrap()]);
    std::fs::write(path.join("data"), "kept").unwrap();
    let (mut child, holder) = sleeper();
    hold_of(&path, 4, "Disk 1", Some(holder));
    let mut disk = PhysicalDisk::default();
    disk.online(&context).await.unwrap();
    assert!(
        child.wait().unwrap().code().is_none(),
        "the former owner was not ended"
    );
    assert_eq!(std::fs::read_to_string(path.join("data")).unwrap(), "kept");
    disk.offline().await.unwrap();
    assert!(!is_mounted(&path));

    tool("mount", &[device.text(), path.to_str().unwrap()]);
    let (mut child, holder) = sleeper();
    hold_of(&path, 9, "Disk 9", Some(holder.clone()));
    let error = disk.online(&context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ResourceNotAvailable);
    assert!(
        holder.is_alive() && is_mounted(&path),
        "another cluster's disk was disturbed"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    tool("umount", &[path.to_str().unwrap()]);
}

#[tokio::test]
#[ignore = "needs root"]
async fn as_root_a_disk_that_is_unmounted_or_read_only_has_failed() {
    let node = Node::new();
    let Some(device) = Loop::new("ext4") else {
        return;
    };
    let (path, context) = disk(&node, &device, &[]);
    let place = path.to_str().unwrap();
    let mut disk = PhysicalDisk::default();
    disk.online(&context).await.unwrap();
    tool("mount", &["-o", "remount,ro", place]);
    let error = disk.looks_alive().await.unwrap_err();
    assert!(error.message.contains("read-only"), "{error}");
    tool("umount", &[place]);
    let error = disk.looks_alive().await.unwrap_err();
    assert!(error.message.contains("not mounted"), "{error}");
    disk.terminate().await;
    disk.online(&context).await.unwrap();
    disk.offline().await.unwrap();
}

#[tokio::test]
#[ignore = "needs root"]
async fn as_root_a_damaged_file_system_is_not_mounted() {
    let node = Node::new();
    let Some(device) = Loop::new("ext4") else {
        return;
    };
    let (path, context) = disk(&node, &device, &[("DiskRunChkDsk", "2")]);
    // The root folder's inode: what e2fsck -p does not dare to repair.
    tool("debugfs", &["-w", "-R", "clri <2>", device.text()]);
    let error = PhysicalDisk::default().online(&context).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::StoreDamaged, "{error}");
    assert!(!is_mounted(&path));
}

#[tokio::test]
#[ignore = "needs root"]
async fn as_root_a_device_without_reservations_is_refused_where_one_is_asked_for() {
    let node = Node::new();
    let Some(device) = Loop::new("ext4") else {
        return;
    };
    let (path, context) = disk(&node, &device, &[("PersistentReservation", "1")]);
    let error = PhysicalDisk::default().online(&context).await.unwrap_err();
    assert!(error.hint.is_some(), "{error}");
    assert!(
        matches!(
            error.kind,
            ErrorKind::ResourceNotAvailable | ErrorKind::NotFound
        ),
        "{error}"
    );
    assert!(!is_mounted(&path));
}
