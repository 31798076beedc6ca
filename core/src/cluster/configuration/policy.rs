//! Properties that policies follow: of groups, of resources, of the cluster.

use super::change::Change;
use super::group::{FAILOVER_PERIOD_MAX, FOLLOWS_NODES, out_of_range};
use super::lookup::{find_group, find_node, find_resource};
use crate::cluster::policy::{NEVER, PRIORITIES, RestartAction, RestartPolicy};
use crate::cluster::record::GroupConfig;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// What of a group changes; what is not named stays.
#[derive(Clone, Debug, Default)]
pub struct GroupChange {
    /// AutoFailbackType.
    pub auto_failback_type: Option<u64>,
    /// FailbackWindowStart; [`NEVER`] takes the window away.
    pub failback_window_start: Option<u64>,
    /// FailbackWindowEnd.
    pub failback_window_end: Option<u64>,
    /// FailoverThreshold; [`NEVER`] follows the number of nodes.
    pub failover_threshold: Option<u64>,
    /// FailoverPeriod, in hours.
    pub failover_period: Option<u64>,
    /// Priority.
    pub priority: Option<u64>,
    /// AntiAffinityClassNames; one empty name clears them.
    pub anti_affinity: Vec<String>,
    /// DefaultOwner; an empty name clears it.
    pub default_owner: Option<String>,
}

/// Sets properties of a group.
///
/// # Errors
/// `GroupNotFound`, `NodeNotFound`, `InvalidParameter`.
pub fn set_group(view: &View, name: &str, change: &GroupChange) -> Result<Change> {
    let before = find_group(view, name)?;
    let mut row = before.row.clone();
    if let Some(failback) = change.auto_failback_type {
        check(
            "AutoFailbackType",
            failback,
            0..=1,
            "0 (prevent) or 1 (allow)",
        )?;
        row.auto_failback = failback == 1;
    }
    row.failback_window = window(&row, change)?;
    if let Some(threshold) = change.failover_threshold {
        check("FailoverThreshold", threshold, 0..=NEVER, "0 to 4294967295")?;
        row.failover_threshold = Some(threshold).filter(|t| *t < FOLLOWS_NODES);
    }
    if let Some(period) = change.failover_period {
        check(
            "FailoverPeriod",
            period,
            0..=FAILOVER_PERIOD_MAX,
            "0 to 1193 hours",
        )?;
        row.failover_period_hours = period;
    }
    if let Some(priority) = change.priority {
        if !PRIORITIES.iter().any(|(number, _)| *number == priority) {
            let known = PRIORITIES.map(|(number, name)| format!("{number} ({name})"));
            return Err(out_of_range("Priority", priority, &known.join(", ")));
        }
        row.priority = priority;
    }
    if !change.anti_affinity.is_empty() {
        let named = change.anti_affinity.iter().filter(|c| !c.trim().is_empty());
        row.anti_affinity = named.map(|c| c.trim().to_owned()).collect();
    }
    match change.default_owner.as_deref().map(str::trim) {
        None => {}
        Some("") => row.default_owner = None,
        Some(node) => row.default_owner = Some(find_node(view, node)?.name.clone()),
    }
    let raised = row.priority > 0;
    let mut changed = Change::default()
        .guard(view, "group", &view.groups, name)
        .put("group", name, &row);
    if row.anti_affinity != before.row.anti_affinity {
        changed = changed.put_policy(view, &view.policy());
    }
    Ok(match raised {
        true => changed.let_start(view, name),
        false => changed,
    })
}

fn check(what: &str, value: u64, range: std::ops::RangeInclusive<u64>, words: &str) -> Result<()> {
    match range.contains(&value) {
        true => Ok(()),
        false => Err(out_of_range(what, value, words)),
    }
}

/// Both ends of a window are set, or none is; they differ.
fn window(row: &GroupConfig, change: &GroupChange) -> Result<Option<(u8, u8)>> {
    let hour = |what: &str, asked: Option<u64>, present: Option<u8>| -> Result<Option<u8>> {
        let words = "an hour, 0 to 23; 4294967295 takes the window away";
        match asked {
            None => Ok(present),
            Some(NEVER) => Ok(None),
            Some(hour) => check(what, hour, 0..=23, words).map(|()| u8::try_from(hour).ok()),
        }
    };
    let (start, end) = (change.failback_window_start, change.failback_window_end);
    let former = row.failback_window;
    let begins = hour("FailbackWindowStart", start, former.map(|w| w.0))?;
    let ends = hour("FailbackWindowEnd", end, former.map(|w| w.1))?;
    match (begins, ends) {
        (Some(start), Some(end)) if start != end => Ok(Some((start, end))),
        (Some(hour), Some(_)) => {
            let text = format!("a failback window from {hour} to {hour} is empty");
            Err(Error::new(ErrorKind::InvalidParameter, text).hint(
                "the window ends before FailbackWindowEnd; without a window any hour will do",
            ))
        }
        (None, None) => Ok(None),
        _ if start == Some(NEVER) || end == Some(NEVER) => Ok(None),
        _ => {
            let text = "a failback window has a start and an end";
            Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint("give both -FailbackWindowStart and -FailbackWindowEnd"))
        }
    }
}

/// What of a resource's policy changes; what is not named stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct PolicyChange {
    /// RestartAction.
    pub action: Option<u64>,
    /// RestartThreshold.
    pub threshold: Option<u64>,
    /// RestartPeriod, in milliseconds as all that follow.
    pub period_ms: Option<u64>,
    /// RestartDelay.
    pub delay_ms: Option<u64>,
    /// RetryPeriodOnFailure; [`NEVER`] is for ever.
    pub retry_ms: Option<u64>,
    /// PendingTimeout.
    pub pending_timeout_ms: Option<u64>,
    /// DeadlockTimeout.
    pub deadlock_timeout_ms: Option<u64>,
    /// LooksAlivePollInterval; [`NEVER`] is that of the type.
    pub looks_alive_ms: Option<u64>,
    /// IsAlivePollInterval; [`NEVER`] is that of the type.
    pub is_alive_ms: Option<u64>,
}

impl PolicyChange {
    /// The policy with the change, if each value is one that the property may have.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub fn apply(&self, mut policy: RestartPolicy) -> Result<RestartPolicy> {
        if let Some(number) = self.action {
            let words =
                "0 (do not restart), 1 (restart, never fail over) or 2 (restart, then fail over)";
            policy.action = RestartAction::from_number(number)
                .ok_or_else(|| out_of_range("RestartAction", number, words))?;
        }
        for (what, value, least, place) in [
            ("RestartThreshold", self.threshold, 0, &mut policy.threshold),
            ("RestartPeriod", self.period_ms, 0, &mut policy.period_ms),
            ("RestartDelay", self.delay_ms, 0, &mut policy.delay_ms),
            (
                "RetryPeriodOnFailure",
                self.retry_ms,
                0,
                &mut policy.retry_ms,
            ),
            (
                "PendingTimeout",
                self.pending_timeout_ms,
                10,
                &mut policy.pending_timeout_ms,
            ),
            (
                "DeadlockTimeout",
                self.deadlock_timeout_ms,
                1000,
                &mut policy.deadlock_timeout_ms,
            ),
            (
                "LooksAlivePollInterval",
                self.looks_alive_ms,
                10,
                &mut policy.looks_alive_ms,
            ),
            (
                "IsAlivePollInterval",
                self.is_alive_ms,
                10,
                &mut policy.is_alive_ms,
            ),
        ] {
            let Some(value) = value else { continue };
            check(
                what,
                value,
                least..=NEVER,
                &format!("{least} to 4294967295"),
            )?;
            *place = value;
        }
        if policy.retry_ms < policy.period_ms
            && (self.retry_ms.is_some() || self.period_ms.is_some())
        {
            let text = format!(
                "RetryPeriodOnFailure ({} ms) is shorter than RestartPeriod ({} ms)",
                policy.retry_ms, policy.period_ms
            );
            return Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint("a resource that rests must have its restarts back when it is tried again: make it at least as long"));
        }
        Ok(policy)
    }
}

/// Sets the policy of a resource; it holds from the next failure or start on.
///
/// # Errors
/// `ResourceNotFound`, `InvalidParameter`.
pub fn set_restart_policy(view: &View, name: &str, change: &PolicyChange) -> Result<Change> {
    let mut row = find_resource(view, name)?.row.clone();
    row.policy = change.apply(row.policy)?;
    Ok(Change::default()
        .guard(view, "resource", &view.resources, name)
        .put("resource", name, &row))
}

/// What of the cluster's policy changes; what is not named stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClusterChange {
    /// ClusterEnforcedAntiAffinity.
    pub enforced_anti_affinity: Option<u64>,
    /// QuarantineThreshold.
    pub quarantine_threshold: Option<u64>,
    /// QuarantineDuration, in seconds.
    pub quarantine_duration_s: Option<u64>,
    /// Size of the cluster log, in megabytes.
    pub log_megabytes: Option<u64>,
    /// Level of the cluster log.
    pub log_level: Option<u64>,
}

/// Sets properties of the cluster; with nothing named, nothing is written.
///
/// # Errors
/// `InvalidParameter`.
pub fn set_cluster_policy(view: &View, change: &ClusterChange) -> Result<Change> {
    let before = view.policy();
    let mut row = before;
    if let Some(enforced) = change.enforced_anti_affinity {
        check(
            "EnforcedAntiAffinity",
            enforced,
            0..=1,
            "0 (prefer) or 1 (enforce)",
        )?;
        row.enforced_anti_affinity = enforced == 1;
    }
    if let Some(threshold) = change.quarantine_threshold {
        check(
            "QuarantineThreshold",
            threshold,
            0..=1000,
            "0 (never) to 1000",
        )?;
        row.quarantine_threshold = threshold;
    }
    if let Some(duration) = change.quarantine_duration_s {
        check(
            "QuarantineDuration",
            duration,
            0..=NEVER,
            "0 to 4294967295 seconds",
        )?;
        row.quarantine_duration_s = duration;
    }
    if let Some(megabytes) = change.log_megabytes {
        check("Size", megabytes, 2..=1024, "2 to 1024 megabytes")?;
        row.log_megabytes = megabytes;
    }
    if let Some(level) = change.log_level {
        check("Level", level, 0..=5, "0 (nothing) to 5 (everything)")?;
        row.log_level = level;
    }
    if row == before {
        return Ok(Change::default());
    }
    Ok(Change::default().put_policy(view, &row))
}
