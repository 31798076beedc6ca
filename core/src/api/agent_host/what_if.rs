//! `What-If`: commands that are rehearsed, one after the other, by the code that runs them.

use serde::Deserialize;

use super::dispatch;
use crate::api::spec::RunsAt;
use crate::api::value::Value;
use crate::api::what_if::StepInfo;
use crate::cluster::agent::Agent;
use crate::cluster::configuration::Step;
use crate::cluster::explain::timeline;
use crate::cluster::record::{Decision, fold};
use crate::error::{Error, ErrorKind, Result};

/// Internal commands that only change rows.
const REHEARSABLE: [&str; 2] = ["Remove-Node", "Clear-Quarantine"];

/// What is to be rehearsed.
#[derive(Debug, Deserialize)]
pub(super) struct WhatIf {
    #[serde(rename = "Commands")]
    commands: Vec<Asked>,
}

#[derive(Debug, Deserialize)]
struct Asked {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Arguments")]
    arguments: Value,
}

pub(super) async fn what_if(agent: &Agent, asked: WhatIf) -> Result<Vec<StepInfo>> {
    let rehearsal = agent.rehearse().await?;
    for command in asked.commands {
        check(&command.name)?;
        // The dispatch of a rehearsal ends here again only by a command that check refuses.
        Box::pin(dispatch(&rehearsal, &command.name, command.arguments)).await?;
    }
    let (steps, interrupted) = rehearsal.rehearsed();
    let mut all: Vec<StepInfo> = steps.into_iter().map(info).collect();
    if !interrupted.is_empty() {
        let decisions = timeline(agent.decisions().await?);
        all.extend(interrupted.iter().map(|group| outage(group, &decisions)));
    }
    Ok(all)
}

fn check(name: &str) -> Result<()> {
    let known = crate::api::find(name).is_some_and(|spec| spec.runs_at == RunsAt::Agent);
    if known || REHEARSABLE.iter().any(|n| n.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    let text = format!("{name} cannot be rehearsed at a node agent");
    Err(Error::new(ErrorKind::Usage, text))
}

fn info(step: Step) -> StepInfo {
    StepInfo::new(&step.action, &step.object, &step.node, step.note)
}

/// How long the group's clients wait: as long as it took the last time.
fn outage(group: &str, decisions: &[(Decision, Option<f64>)]) -> StepInfo {
    let of_group = |d: &&(Decision, Option<f64>)| fold(&d.0.group) == fold(group);
    let last = decisions
        .iter()
        .rev()
        .filter(of_group)
        .find(|d| d.0.event == "ready");
    let note = match last.and_then(|(_, elapsed)| *elapsed) {
        Some(ms) => {
            format!("its clients wait until it is back; the last time that took {ms:.0} ms")
        }
        None => "its clients wait until it is back; how long that takes here is not known yet"
            .to_owned(),
    };
    StepInfo::new("Interrupt", group, "", note)
}
