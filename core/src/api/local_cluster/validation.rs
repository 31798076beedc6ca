//! Test-Cluster: asks the nodes, runs the checks, writes the report.

use std::path::Path;

use crate::api::agents::{AgentAddress, Agents, Repeat};
use crate::api::validation::{TestCluster, ValidationInfo};
use crate::api::value::{Value, from_value, to_value};
use crate::cluster::record::fold;
use crate::cluster::validation::{
    self, Checked, ClusterFacts, Facts, NodeFacts, Outcome, Selection,
};
use crate::cluster::view::View;
use crate::database::{Entry, Range};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::folder;

pub(super) async fn run(command: &TestCluster, agents: &Agents) -> Result<Vec<Value>> {
    let selection = Selection {
        include: command.include.clone(),
        exclude: command.exclude.clone(),
    };
    selection.check()?;
    let render = command
        .report_path
        .as_deref()
        .map(report_form)
        .transpose()?;
    let facts = gather(command, agents).await?;
    let checked = validation::run(&facts, &selection);
    if let (Some(render), Some(path)) = (render, &command.report_path) {
        let time = crate::api::value::Time(facts.now_ms).to_string();
        let text = render(&agents.cluster, &time, &checked);
        folder::write_durably(&folder::absolute(path.as_ref())?, text.as_bytes())?;
    }
    let mut records: Vec<ValidationInfo> = checked.iter().map(record).collect();
    records.push(summary(&agents.cluster, &checked));
    records.iter().map(to_value).collect()
}

type Render = fn(&str, &str, &[Checked]) -> String;

fn report_form(path: &str) -> Result<Render> {
    match Path::new(path).extension().and_then(|e| e.to_str()) {
        Some("html" | "htm") => Ok(validation::html),
        Some("json") => Ok(validation::json),
        _ => {
            let text = format!("the report {path:?} ends neither with .html nor with .json");
            Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint("for example -ReportPath lab.html"))
        }
    }
}

async fn gather(command: &TestCluster, agents: &Agents) -> Result<Facts> {
    let nothing = Value::Map(Vec::new());
    let told = agents
        .run("Read-ClusterFacts", &nothing, Repeat::Allowed)
        .await?;
    let told: ClusterFacts = from_value(&told)?;
    let mut facts = Facts {
        view: View::parse(&range(told.rows, told.revision)),
        database: told.database,
        ..Facts::default()
    };
    check_nodes(&command.nodes, &facts.view)?;
    // One after the other: trials of one device at the same moment would slow each other.
    for agent in &agents.nodes {
        let wanted =
            command.nodes.is_empty() || command.nodes.iter().any(|n| fold(n) == fold(&agent.node));
        if !wanted {
            continue;
        }
        match ask(agents, agent).await {
            Ok(node) => drop(facts.nodes.insert(fold(&node.node), node)),
            Err(error) => drop(facts.silent.insert(fold(&agent.node), error.message)),
        }
    }
    facts.now_ms = SystemClock.wall_ms();
    Ok(facts)
}

fn range(rows: Vec<(String, Vec<u8>, u64)>, revision: u64) -> Range {
    let entry = |(key, value, version)| Entry {
        key,
        value,
        version,
        lease: None,
    };
    Range {
        revision,
        entries: rows.into_iter().map(entry).collect(),
    }
}

fn check_nodes(wanted: &[String], view: &View) -> Result<()> {
    for node in wanted {
        crate::cluster::configuration::find_node(view, node)?;
    }
    Ok(())
}

/// Asks a node, and compares its wall clock with ours: it was read when the answer was sent.
async fn ask(agents: &Agents, agent: &AgentAddress) -> Result<NodeFacts> {
    let clock = SystemClock;
    let (asked, started) = (clock.wall_ms(), clock.boot());
    let answer = agents
        .run_at(agent, "Read-NodeFacts", &Value::Map(Vec::new()))
        .await?;
    let mut node: NodeFacts = from_value(&answer)?;
    let took = u64::try_from((clock.boot() - started).as_millis()).unwrap_or(u64::MAX);
    node.skew_error_ms = took.saturating_sub(node.gathering_ms) / 2 + 1;
    let ours = asked
        .saturating_add(took)
        .saturating_sub(node.skew_error_ms);
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    node.skew_ms = signed(node.wall_ms) - signed(ours);
    Ok(node)
}

fn record(checked: &Checked) -> ValidationInfo {
    ValidationInfo {
        category: checked.category.name().to_owned(),
        name: checked.name.to_owned(),
        object: checked.finding.object.clone(),
        result: checked.finding.outcome.name().to_owned(),
        detail: checked.finding.detail.clone(),
        advice: checked.finding.advice.clone(),
    }
}

/// The worst outcome, and how many there are of each.
fn summary(cluster: &str, all: &[Checked]) -> ValidationInfo {
    let count = |o: Outcome| all.iter().filter(|c| c.finding.outcome == o).count();
    let (failed, warned) = (count(Outcome::Failed), count(Outcome::Warning));
    let (result, advice) = match (failed, warned) {
        (0, 0) => (Outcome::Passed, ""),
        (0, _) => (Outcome::Warning, "look at the warnings; the cluster works"),
        _ => (
            Outcome::Failed,
            "correct what failed before the cluster is relied on",
        ),
    };
    ValidationInfo {
        category: "Summary".to_owned(),
        name: "Test-Cluster".to_owned(),
        object: cluster.to_owned(),
        result: result.name().to_owned(),
        detail: format!(
            "{failed} failed, {warned} warning(s), {} passed",
            count(Outcome::Passed)
        ),
        advice: advice.to_owned(),
    }
}
