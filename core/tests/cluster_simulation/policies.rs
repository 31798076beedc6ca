//! Each policy at its exact edge, on clocks that are moved by hand.

use hamq_core::cluster::configuration::{
    Failback, GroupChange, PolicyChange, Suspend, clear_quarantine, resume_node, set_group,
    start_group, stop_group, suspend_node,
};
use hamq_core::cluster::group::GroupState;
use hamq_core::cluster::node::NodeState;
use hamq_core::cluster::policy::NEVER;
use hamq_core::cluster::resource::ResourceState;

use crate::stage::Stage;

/// Two restarts within ten seconds, half a second before each.
fn usual() -> PolicyChange {
    PolicyChange {
        threshold: Some(2),
        period_ms: Some(10_000),
        delay_ms: Some(500),
        retry_ms: Some(20_000),
        ..PolicyChange::default()
    }
}

fn on(policy: &PolicyChange, nodes: usize) -> Stage {
    let mut stage = Stage::new(nodes);
    stage.group("g", policy);
    assert_eq!(stage.place("g-app"), "n1");
    stage
}

#[test]
fn a_restart_waits_for_its_delay_and_the_one_beyond_the_threshold_moves_the_group() {
    let mut stage = on(&usual(), 2);
    for _ in 0..2 {
        stage.fail("g-app");
        stage.advance(499);
        assert_eq!(
            stage.place("g-app"),
            "",
            "it restarted before its RestartDelay"
        );
        stage.advance(1);
        assert_eq!(stage.place("g-app"), "n1");
    }
    stage.fail("g-app");
    assert_eq!(
        stage.place("g-app"),
        "n2",
        "the third failure moves the group at once"
    );
    // It left for failing: there it has all its restarts again.
    stage.fail("g-app");
    stage.advance(500);
    assert_eq!(stage.place("g-app"), "n2");
}

#[test]
fn a_restart_is_forgotten_when_its_period_is_over_and_not_before() {
    for (rest, place) in [(8_998, "n2"), (8_999, "n1")] {
        let mut stage = on(&usual(), 2);
        stage.fail("g-app"); // counted at 0
        stage.advance(1_001);
        stage.fail("g-app"); // counted at 1001
        stage.advance(rest);
        stage.fail("g-app"); // at 9999, or at 10000
        stage.advance(500);
        assert_eq!(stage.place("g-app"), place, "{rest}");
    }
}

#[test]
fn no_jump_of_the_wall_clock_gives_a_restart_away_or_takes_one() {
    for jump in [-86_400_000_i64, 86_400_000, 0] {
        let mut stage = on(&usual(), 2);
        for _ in 0..2 {
            stage.fail("g-app");
            stage.wall_ms = stage.wall_ms.saturating_add_signed(jump);
            stage.advance(1_000);
            assert_eq!(stage.place("g-app"), "n1");
        }
        stage.fail("g-app");
        assert_eq!(stage.place("g-app"), "n2", "jump of {jump} ms");
    }
}

#[test]
fn a_new_agent_on_the_same_machine_counts_on() {
    let mut stage = on(&usual(), 1);
    for _ in 0..2 {
        stage.fail("g-app");
        stage.advance(1_000);
        stage.crash(0);
        stage.boot(0);
        assert_eq!(stage.place("g-app"), "n1");
    }
    stage.fail("g-app");
    stage.advance(7_000);
    assert_eq!(
        stage.place("g-app"),
        "",
        "the third restart within ten seconds is not allowed"
    );
}

#[test]
fn another_machine_that_takes_over_counts_on() {
    let mut stage = on(&usual(), 2);
    stage.fail("g-app");
    stage.advance(1_000);
    stage.fail("g-app");
    stage.advance(1_000);
    stage.crash(0);
    assert_eq!(stage.place("g-app"), "n2");
    stage.advance(7_999);
    stage.fail("g-app");
    // 9999 ms after the first: both restarts count, and no other node is there.
    stage.advance(500);
    assert_eq!(stage.place("g-app"), "");
}

#[test]
fn each_restart_action_goes_as_far_as_it_says() {
    for (action, restarts, then) in [(0, 0, ""), (1, 2, ""), (2, 2, "n2")] {
        let policy = PolicyChange {
            action: Some(action),
            ..usual()
        };
        let mut stage = on(&policy, 2);
        for _ in 0..restarts {
            stage.fail("g-app");
            stage.advance(500);
            assert_eq!(stage.place("g-app"), "n1", "action {action}");
        }
        stage.fail("g-app");
        stage.advance(500);
        assert_eq!(stage.place("g-app"), then, "action {action}");
    }
}

#[test]
fn what_has_no_failover_left_rests_for_its_retry_period() {
    for (retry, rests) in [(20_000, true), (NEVER, false)] {
        let policy = PolicyChange {
            threshold: Some(0),
            retry_ms: Some(retry),
            ..usual()
        };
        // Two nodes: one failover within the period, as FailoverThreshold follows their number.
        let mut stage = on(&policy, 2);
        stage.fail("g-app");
        assert_eq!(stage.place("g-app"), "n2");
        stage.fail("g-app");
        assert_eq!(
            GroupState::published(&stage.database.view, "g"),
            GroupState::Failed
        );
        stage.advance(19_999);
        assert_eq!(stage.place("g-app"), "");
        stage.advance(1);
        assert_eq!(stage.place("g-app") == "n2", rests, "retry {retry}");
    }
}

#[test]
fn failovers_are_allowed_up_to_the_threshold_and_again_after_the_period() {
    let policy = PolicyChange {
        threshold: Some(0),
        ..usual()
    };
    let hour = 3_600_000;
    for (pause, place) in [(hour - 1, ""), (hour, "n1")] {
        let mut stage = on(&policy, 2);
        let change = GroupChange {
            failover_threshold: Some(1),
            failover_period: Some(1),
            ..GroupChange::default()
        };
        stage.command(|v| set_group(v, "g", &change));
        stage.fail("g-app");
        assert_eq!(stage.place("g-app"), "n2");
        stage.advance(pause);
        stage.fail("g-app");
        assert_eq!(stage.place("g-app"), place, "after {pause} ms");
    }
}

#[test]
fn a_start_may_take_as_long_as_it_gets_on() {
    let policy = PolicyChange {
        pending_timeout_ms: Some(3_000),
        deadlock_timeout_ms: Some(300_000),
        ..usual()
    };
    let mut stage = on(&policy, 1);
    stage.command(|v| stop_group(v, "g"));
    stage.silent.insert("g-app".to_owned());
    stage.command(|v| start_group(v, "g"));
    let state = |stage: &Stage| ResourceState::published(&stage.database.view, "g-app");
    for _ in 0..10 {
        stage.advance(2_999);
        assert_eq!(state(&stage), ResourceState::OnlinePending);
        stage.progress(0, "g-app");
    }
    stage.advance(2_999);
    assert_eq!(state(&stage), ResourceState::OnlinePending);
    stage.advance(1);
    assert_eq!(state(&stage), ResourceState::Failed);
}

#[test]
fn a_deadlock_timeout_that_is_shorter_holds() {
    let policy = PolicyChange {
        pending_timeout_ms: Some(30_000),
        deadlock_timeout_ms: Some(1_000),
        ..usual()
    };
    let mut stage = on(&policy, 1);
    stage.command(|v| stop_group(v, "g"));
    stage.silent.insert("g-app".to_owned());
    stage.command(|v| start_group(v, "g"));
    stage.advance(999);
    let state = |stage: &Stage| ResourceState::published(&stage.database.view, "g-app");
    assert_eq!(state(&stage), ResourceState::OnlinePending);
    stage.advance(1);
    assert_eq!(state(&stage), ResourceState::Failed);
}

#[test]
fn a_group_that_is_pending_delays_no_other() {
    let mut stage = on(&usual(), 1);
    stage.silent.insert("slow-app".to_owned());
    stage.group("slow", &PolicyChange::default());
    stage.fail("g-app");
    stage.advance(499);
    assert_eq!(stage.place("g-app"), "");
    stage.advance(1);
    assert_eq!(stage.place("g-app"), "n1");
    assert_eq!(
        ResourceState::published(&stage.database.view, "slow-app"),
        ResourceState::OnlinePending
    );
}

#[test]
fn a_group_fails_back_within_its_window_and_fails_over_at_any_hour() {
    let mut stage = on(&usual(), 2);
    let change = GroupChange {
        auto_failback_type: Some(1),
        failback_window_start: Some(22),
        failback_window_end: Some(6),
        ..GroupChange::default()
    };
    stage.command(|v| set_group(v, "g", &change));
    stage.crash(0);
    assert_eq!(
        stage.place("g-app"),
        "n2",
        "outside the window, but its owner is dead"
    );
    stage.boot(0);
    for (hour, place) in [(12, "n2"), (21, "n2"), (6, "n2"), (22, "n1")] {
        stage.hour = hour;
        stage.advance(2_000);
        assert_eq!(stage.place("g-app"), place, "at {hour}");
    }
}

#[test]
fn a_drained_node_gives_its_groups_away_and_gets_them_back_as_it_was_asked() {
    for (failback, place) in [
        (Failback::NoFailback, "n2"),
        (Failback::Immediate, "n1"),
        (Failback::Policy, "n1"),
    ] {
        let mut stage = on(&usual(), 3);
        let ask = Suspend {
            node: "n1".to_owned(),
            id: "p1".to_owned(),
            drain: true,
            ..Suspend::default()
        };
        stage.command(|v| suspend_node(v, &ask));
        assert_eq!(stage.place("g-app"), "n2");
        assert_eq!(NodeState::of(&stage.database.view, "n1"), NodeState::Paused);
        // It takes nothing while it is paused, not even when its groups' owner dies.
        stage.crash(1);
        assert_eq!(stage.place("g-app"), "n3");
        stage.boot(1);
        stage.advance(5_000);
        stage.command(|v| resume_node(v, "n1", failback));
        let expected = if place == "n2" { "n3" } else { place };
        assert_eq!(stage.place("g-app"), expected, "{failback:?}");
        assert!(stage.database.view.drained.is_empty());
    }
}

#[test]
fn what_cannot_move_from_a_drained_node_stays_unless_the_drain_is_forced() {
    for (force, place) in [(false, "n1"), (true, "")] {
        let mut stage = on(&usual(), 2);
        let owners = vec!["n1".to_owned()];
        stage.command(|v| {
            hamq_core::cluster::configuration::set_possible_owners(v, "g-app", &owners)
        });
        let ask = Suspend {
            node: "n1".to_owned(),
            id: "p1".to_owned(),
            drain: true,
            force,
            target: None,
        };
        stage.command(|v| suspend_node(v, &ask));
        assert_eq!(stage.place("g-app"), place, "force {force}");
        stage.command(|v| resume_node(v, "n1", Failback::NoFailback));
        assert_eq!(stage.place("g-app"), "n1", "force {force}");
    }
}

#[test]
fn a_group_of_priority_nought_waits_for_an_operator_after_its_node_was_lost() {
    let mut stage = on(&usual(), 2);
    let change = GroupChange {
        priority: Some(0),
        ..GroupChange::default()
    };
    stage.command(|v| set_group(v, "g", &change));
    stage.fail("g-app");
    stage.advance(500);
    assert_eq!(stage.place("g-app"), "n1", "a restart is a restart");
    stage.crash(0);
    stage.advance(60_000);
    assert_eq!(
        (stage.owner("g").as_str(), stage.place("g-app").as_str()),
        ("n2", "")
    );
    stage.command(|v| start_group(v, "g"));
    assert_eq!(stage.place("g-app"), "n2");
}

#[test]
fn groups_are_taken_over_and_started_by_priority() {
    let mut stage = Stage::new(2);
    for (group, priority) in [("a", 1000), ("b", 3000), ("c", 2000)] {
        stage.group(group, &usual());
        let change = GroupChange {
            priority: Some(priority),
            ..GroupChange::default()
        };
        stage.command(|v| set_group(v, group, &change));
    }
    stage.starts.clear();
    stage.crash(0);
    let order: Vec<_> = stage
        .starts
        .iter()
        .map(|(_, _, what)| what.as_str())
        .collect();
    assert_eq!(order, ["b-app", "c-app", "a-app"]);
}

#[test]
fn a_node_that_leaves_three_times_within_an_hour_is_quarantined_for_two() {
    let mut stage = on(&usual(), 3);
    let change = GroupChange {
        auto_failback_type: Some(1),
        ..GroupChange::default()
    };
    stage.command(|v| set_group(v, "g", &change));
    for round in 0..3 {
        assert_eq!(stage.place("g-app"), "n1", "round {round}");
        stage.crash(0);
        assert_eq!(stage.place("g-app"), "n2");
        stage.boot(0);
        stage.advance(60_000);
    }
    // It is back, and hosts nothing: the group has moved three times and moves no more.
    let state = |stage: &Stage| NodeState::of(&stage.database.view, "n1");
    assert_eq!(state(&stage), NodeState::Quarantined);
    assert_eq!(stage.place("g-app"), "n2");
    stage.advance(7_200_000 - 60_000 - 1);
    assert_eq!(state(&stage), NodeState::Quarantined);
    stage.advance(1);
    assert_eq!(state(&stage), NodeState::Up);
    assert_eq!(stage.place("g-app"), "n1");
}

#[test]
fn an_operator_ends_a_quarantine() {
    let mut stage = on(&usual(), 2);
    for _ in 0..3 {
        stage.crash(0);
        stage.boot(0);
        stage.advance(1_000);
    }
    assert!(stage.database.view.is_quarantined("n1"));
    stage.command(|v| clear_quarantine(v, "n1"));
    assert!(!stage.database.view.is_quarantined("n1"));
    // Its departures are counted anew.
    stage.crash(0);
    stage.boot(0);
    assert!(!stage.database.view.is_quarantined("n1"));
}

#[test]
fn a_quarantined_node_serves_when_no_other_is_left() {
    let mut stage = on(&usual(), 2);
    for _ in 0..3 {
        stage.crash(0);
        stage.boot(0);
        stage.advance(1_000);
    }
    assert_eq!(stage.place("g-app"), "n2");
    stage.crash(1);
    assert_eq!(stage.place("g-app"), "n1");
}
