//! Get-ClusterWhy.

use super::Run;
use crate::api::explain::{GetClusterWhy, WhyInfo};
use crate::api::value::Time;
use crate::cluster::agent::Agent;
use crate::cluster::configuration::{find_group, find_node, find_resource};
use crate::cluster::explain::{Forecast, if_node_dies, standing_now, timeline};
use crate::cluster::record::{Decision, fold};
use crate::cluster::view::View;
use crate::error::{ErrorKind, Result};

/// Decisions shown where nothing else is said.
const LAST_DEFAULT: u64 = 20;

impl Run for GetClusterWhy {
    async fn run(self, agent: &Agent) -> Result<Vec<WhyInfo>> {
        let view = agent.read().await?;
        let (group, resource) = subject(&view, &self.name)?;
        if let Some(node) = &self.if_node_dies {
            let node = find_node(&view, node)?.name.clone();
            let now = Time(agent.options().clock.wall_ms());
            return Ok(forecast(&view, &group, &node, now));
        }
        let time = Time(agent.options().clock.wall_ms());
        let about = |d: &Decision| {
            let this = d.resource.as_ref().map(|r| fold(r)) == resource.as_ref().map(|r| fold(r));
            fold(&d.group) == fold(&group) && (resource.is_none() || d.resource.is_none() || this)
        };
        let decisions = timeline(agent.decisions().await?).into_iter();
        let decisions = decisions.filter(|(d, _)| about(d));
        let mut records: Vec<WhyInfo> = match self.replay {
            true => decisions.filter_map(|(d, _)| replayed(d)).collect(),
            false => decisions.map(|(d, elapsed)| info(d, elapsed)).collect(),
        };
        let last = usize::try_from(self.last.unwrap_or(LAST_DEFAULT)).unwrap_or(usize::MAX);
        let surplus = records.len().saturating_sub(last);
        records.drain(..surplus);
        if !self.replay {
            records.extend(steps(standing_now(&view, &group), &group, time));
        }
        Ok(records)
    }
}

/// The group, and the resource if it is one, of a name.
fn subject(view: &View, name: &str) -> Result<(String, Option<String>)> {
    match find_group(view, name) {
        Ok(group) => Ok((group.name.clone(), None)),
        Err(no_group) => match find_resource(view, name) {
            Ok(resource) => Ok((resource.group.clone(), Some(resource.name.clone()))),
            Err(mut error) => {
                error.kind = ErrorKind::GroupNotFound;
                error.message =
                    format!("there is no group or resource named {name:?} in this cluster");
                error.hint = no_group
                    .hint
                    .filter(|h| h.starts_with("did"))
                    .or(error.hint);
                Err(error)
            }
        },
    }
}

fn info(decision: Decision, elapsed: Option<f64>) -> WhyInfo {
    WhyInfo {
        time: Time(decision.wall_ms),
        node: decision.node,
        group: Some(decision.group),
        resource: decision.resource,
        event: decision.event,
        cause: decision.cause,
        epoch: Some(decision.epoch),
        elapsed,
    }
}

/// A stored decision made again on what it was made on.
fn replayed(decision: Decision) -> Option<WhyInfo> {
    let (then, again) = decision.basis.as_ref()?.replay();
    let (event, cause) = match then == again {
        true => ("same plan", format!("{}: {then}", decision.event)),
        false => (
            "OTHER PLAN",
            format!("{}: {then} then, {again} now", decision.event),
        ),
    };
    Some(WhyInfo {
        event: event.to_owned(),
        cause,
        ..info(decision, None)
    })
}

fn forecast(view: &View, group: &str, node: &str, time: Time) -> Vec<WhyInfo> {
    steps(if_node_dies(view, group, node), group, time)
}

fn steps(steps: Vec<Forecast>, group: &str, time: Time) -> Vec<WhyInfo> {
    let records = steps.into_iter().map(|step| WhyInfo {
        time,
        node: step.node,
        group: Some(group.to_owned()),
        resource: None,
        event: step.event,
        cause: step.cause,
        epoch: None,
        elapsed: None,
    });
    records.collect()
}
