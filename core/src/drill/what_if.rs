//! What the commands of a drill would do.

use super::kind::FaultKind;
use super::plan;
use super::scene::Scene;
use crate::api::client::Client;
use crate::api::drill::{
    ExportDrillReport, InvokeFault, PlanInfo, StartDrill, StartDrillWorkload, StopDrillWorkload,
};
use crate::api::spec::Command as _;
use crate::api::value::{Value, from_value};
use crate::api::what_if::StepInfo;
use crate::error::Result;

/// Words of Invoke-Fault that end a fault.
const ENDS: [&str; 3] = ["Undo", "Thaw", "Restart"];

/// The steps of a command of a drill; `None` for other commands.
///
/// # Errors
/// Those of the command.
pub(super) fn what_if(
    client: &Client,
    name: &str,
    arguments: &Value,
) -> Option<Result<Vec<StepInfo>>> {
    let steps = match name {
        name if name == StartDrill::SPEC.name => {
            from_value(arguments).and_then(|command| drill(client, &command))
        }
        name if name == InvokeFault::SPEC.name => {
            from_value(arguments).and_then(|command| fault(client, &command))
        }
        name if name == StartDrillWorkload::SPEC.name => {
            from_value(arguments).map(|command: StartDrillWorkload| {
                let note = format!("the messages of {}, over and over", command.messages);
                vec![StepInfo::new("Put load on", &command.queue, "", &note)]
            })
        }
        name if name == StopDrillWorkload::SPEC.name => Ok(vec![StepInfo::new(
            "End load",
            "",
            "",
            "what is under way is received first",
        )]),
        name if name == ExportDrillReport::SPEC.name => {
            from_value(arguments).map(|command: ExportDrillReport| {
                let paths = command.paths.iter();
                paths
                    .map(|path| StepInfo::new("Write file", path, "", "the report"))
                    .collect()
            })
        }
        _ => return None,
    };
    Some(steps)
}

fn drill(client: &Client, command: &StartDrill) -> Result<Vec<StepInfo>> {
    if command.throwaway {
        let note = "three nodes of its own, removed afterwards: nothing else is touched";
        return Ok(vec![StepInfo::new(
            "Create cluster",
            "a throwaway one",
            "",
            note,
        )]);
    }
    let Some(group) = &command.group else {
        return Err(super::rehearsal::no_group());
    };
    let kinds = FaultKind::parse_all(&command.faults)?;
    let mut steps = faults(&Scene::of(client, group)?, &kinds);
    let queue = command
        .queue
        .as_deref()
        .unwrap_or("a transactional queue of its own");
    let note = "a message of anybody else in it ends the drill";
    steps.insert(0, StepInfo::new("Put load on", queue, "", note));
    let files = command.report.iter();
    steps.extend(files.map(|path| StepInfo::new("Write file", path, "", "the report")));
    Ok(steps)
}

fn fault(client: &Client, command: &InvokeFault) -> Result<Vec<StepInfo>> {
    if let Some(word) = ENDS
        .iter()
        .find(|word| word.eq_ignore_ascii_case(&command.kind))
    {
        return Ok(vec![StepInfo::new(
            word,
            &command.group,
            "",
            "faults that this client has made end",
        )]);
    }
    let kind = FaultKind::parse(&command.kind)?;
    Ok(faults(&Scene::of(client, &command.group)?, &[kind]))
}

fn faults(scene: &Scene, kinds: &[FaultKind]) -> Vec<StepInfo> {
    plan::plan(scene, kinds).iter().map(told).collect()
}

fn told(plan: &PlanInfo) -> StepInfo {
    let note = match &plan.reason {
        Some(reason) => format!("not possible: {reason}"),
        None => format!(
            "{}: interrupts {} for {}; outage {}; ends {}",
            plan.target,
            plan.groups.join(", "),
            plan.clients,
            plan.expected_outage,
            plan.undo
        ),
    };
    StepInfo::new("Fault", &plan.fault, &plan.node, &note)
}
