//! The blast radius: what a fault would hit, said before it is made. Pure.

use super::kind::FaultKind;
use super::scene::Scene;
use crate::api::drill::PlanInfo;
use crate::error::{Error, ErrorKind, Result};

/// What each fault would hit.
pub(super) fn plan(scene: &Scene, kinds: &[FaultKind]) -> Vec<PlanInfo> {
    kinds.iter().map(|kind| one(scene, *kind)).collect()
}

/// Fails with the reason when one of the faults cannot be made here.
///
/// # Errors
/// `UnsupportedOperation` and those of the scene.
pub(super) fn check(scene: &Scene, kinds: &[FaultKind]) -> Result<()> {
    kinds.iter().try_for_each(|kind| possible(scene, *kind))
}

/// Whether a fault can be made.
///
/// # Errors
/// Why not.
pub(super) fn possible(scene: &Scene, kind: FaultKind) -> Result<()> {
    match kind {
        FaultKind::Kill | FaultKind::Freeze => {
            scene.victims.as_ref().map(drop).map_err(Clone::clone)
        }
        FaultKind::KillQueueManager => {
            let victims = scene.victims.as_ref().map_err(Clone::clone)?;
            match victims.queue_managers.is_empty() {
                false => Ok(()),
                true => {
                    let text = format!(
                        "{} has no queue manager running on {}",
                        scene.group, scene.owner
                    );
                    Err(Error::new(ErrorKind::InvalidState, text)
                        .hint("Start-ClusterGroup brings it online"))
                }
            }
        }
        FaultKind::DiskFull => scene.own_disk().map(drop),
        FaultKind::SlowDisk => scene.any_disk().map(drop),
        FaultKind::Move if scene.others_up == 0 => {
            let text = format!("no other node is up that could take {}", scene.group);
            Err(Error::new(ErrorKind::HostNodeNotAvailable, text)
                .hint("Get-ClusterNode shows them"))
        }
        FaultKind::Move => Ok(()),
        FaultKind::CutOff => Err(Error::new(
            ErrorKind::UnsupportedOperation,
            "nodes on one machine share its network: none of them can be cut off alone",
        )
        .hint("Freeze looks the same to the other nodes; with hosts of their own, pull the cable")),
        FaultKind::ClockStep => Err(Error::new(
            ErrorKind::UnsupportedOperation,
            "a machine has one wall clock, and a step would hit every program on it",
        )
        .hint("step the clock of a host by itself; HAMQ decides nothing by the wall clock")),
    }
}

fn one(scene: &Scene, kind: FaultKind) -> PlanInfo {
    let refused = possible(scene, kind).err();
    PlanInfo {
        fault: kind.name().to_owned(),
        node: scene.owner.clone(),
        possible: refused.is_none(),
        groups: groups(scene, kind),
        target: target(scene, kind),
        clients: clients(scene),
        expected_outage: outage(scene, kind),
        undo: undo(scene, kind),
        reason: refused.map(|error| match error.hint {
            Some(hint) => format!("{}; {hint}", error.message),
            None => error.message,
        }),
    }
}

fn groups(scene: &Scene, kind: FaultKind) -> Vec<String> {
    match kind {
        FaultKind::Kill | FaultKind::Freeze | FaultKind::CutOff | FaultKind::ClockStep => {
            scene.groups_of_owner.clone()
        }
        _ => vec![scene.group.clone()],
    }
}

fn target(scene: &Scene, kind: FaultKind) -> String {
    let disk = || {
        scene
            .disk
            .as_ref()
            .map_or_else(String::new, |d| d.display().to_string())
    };
    match (kind, &scene.victims) {
        (FaultKind::Kill | FaultKind::Freeze, Ok(victims)) => victims.to_string(),
        (FaultKind::KillQueueManager, Ok(victims)) => victims.names_of_queue_managers(),
        (FaultKind::DiskFull, _) => format!("all room in {}", disk()),
        (FaultKind::SlowDisk, _) => format!("the disk of {}, and what else lies on it", disk()),
        (FaultKind::Move, _) => format!("{}, offline here and online elsewhere", scene.group),
        _ => String::new(),
    }
}

fn clients(scene: &Scene) -> String {
    let server = scene.server.as_deref().unwrap_or("the group");
    match scene.sessions {
        Some(1) => format!("1 session with {server}"),
        Some(sessions) => format!("{sessions} sessions with {server}"),
        None => format!("everybody connected to {server}"),
    }
}

fn outage(scene: &Scene, kind: FaultKind) -> String {
    let (suspect, lease) = (scene.suspect_ms, scene.lease_ms);
    match kind {
        FaultKind::Kill if scene.others_up == 0 => {
            "until the node is started again: no other is up".to_owned()
        }
        FaultKind::Kill => format!(
            "below a second where its death is seen; {lease} ms more where the lease must run out"
        ),
        FaultKind::KillQueueManager => "below a second: it is restarted where it was".to_owned(),
        FaultKind::Freeze => format!("{suspect} ms until it is missed, then below a second"),
        FaultKind::DiskFull => "while it lasts: sends are refused, receives go on".to_owned(),
        FaultKind::SlowDisk => "none; sends take longer".to_owned(),
        FaultKind::Move => "below a second".to_owned(),
        FaultKind::CutOff | FaultKind::ClockStep => String::new(),
    }
}

fn undo(scene: &Scene, kind: FaultKind) -> String {
    match kind {
        FaultKind::Kill => format!(
            "{} is started again (Start-Drill does it, else Start-ClusterNode)",
            scene.owner
        ),
        FaultKind::KillQueueManager => "the cluster restarts it".to_owned(),
        FaultKind::Freeze | FaultKind::DiskFull | FaultKind::SlowDisk => {
            "by itself: when its time is over, or its client gone".to_owned()
        }
        FaultKind::Move => "not undone: Move-ClusterGroup moves it back".to_owned(),
        FaultKind::CutOff | FaultKind::ClockStep => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene() -> Scene {
        Scene {
            group: "VS1".to_owned(),
            owner: "n1".to_owned(),
            groups_of_owner: vec!["VS1".to_owned(), "VS2".to_owned()],
            others_up: 2,
            victims: Err(Error::new(ErrorKind::InvalidState, "n1 runs elsewhere")),
            server: Some("MQ1".to_owned()),
            sessions: Some(3),
            disk: Some("/".into()),
            disk_is_own: false,
            suspect_ms: 1_500,
            lease_ms: 2_000,
        }
    }

    #[test]
    fn a_node_takes_all_its_groups_along_and_a_queue_manager_only_its_own() {
        let rows = plan(&scene(), &[FaultKind::Kill, FaultKind::Move]);
        assert_eq!(rows[0].groups, ["VS1", "VS2"]);
        assert_eq!(rows[1].groups, ["VS1"]);
        assert_eq!(rows[0].clients, "3 sessions with MQ1");
        assert!(rows[1].possible);
        assert_eq!(
            (rows[0].possible, rows[0].reason.as_deref()),
            (false, Some("n1 runs elsewhere"))
        );
    }

    #[test]
    fn what_cannot_be_made_says_why_and_what_else_there_is() {
        let mut scene = scene();
        for kind in [FaultKind::CutOff, FaultKind::ClockStep, FaultKind::DiskFull] {
            let error = possible(&scene, kind).unwrap_err();
            assert_eq!(error.kind, ErrorKind::UnsupportedOperation);
            assert!(error.hint.is_some(), "{error}");
        }
        possible(&scene, FaultKind::SlowDisk).unwrap();
        scene.others_up = 0;
        assert!(possible(&scene, FaultKind::Move).is_err());
        scene.disk_is_own = true;
        possible(&scene, FaultKind::DiskFull).unwrap();
        let kinds = [FaultKind::SlowDisk, FaultKind::ClockStep];
        assert!(check(&scene, &kinds).is_err());
    }

    #[test]
    fn names_of_faults_are_understood_and_corrected() {
        assert_eq!(FaultKind::parse("freeze").unwrap(), FaultKind::Freeze);
        let error = FaultKind::parse("Freze").unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean Freeze?"));
        assert_eq!(FaultKind::parse_all(&[]).unwrap(), FaultKind::USUAL);
    }
}
