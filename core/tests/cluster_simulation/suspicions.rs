//! Who is thought to be dead, and for how long that holds anything up.

use hamq_core::cluster::configuration::{NewGroup, PolicyChange, add_group};

use crate::stage::Stage;

#[test]
fn a_late_word_of_a_life_before_does_not_keep_a_lost_group_waiting() {
    let mut stage = Stage::new(2);
    stage.group("g", &PolicyChange::default());
    stage.crash(0);
    stage.boot(0);
    stage.crash(1);
    stage.boot(1);
    assert_eq!(stage.place("g-app"), "n1", "in its second life");
    stage.connection_closed(1, 0, 1);
    stage.expire(0);
    assert_eq!(stage.place("g-app"), "n2");
}

/// The claim of what the storage protects ended the owner's session, and without a session everything else of that owner
/// seemed free: a program ran on two nodes until the former owner noticed.
#[test]
fn what_the_storage_does_not_protect_waits_for_the_lease_although_other_groups_were_taken() {
    let mut stage = Stage::new(3);
    stage.group("g", &PolicyChange::default());
    let fenced = NewGroup {
        name: "fenced".to_owned(),
        preferred_owners: vec!["n1".to_owned()],
        ..NewGroup::default()
    };
    stage.command(|v| add_group(v, &fenced));
    assert_eq!(
        (stage.owner("g"), stage.owner("fenced")),
        ("n1".into(), "n1".into())
    );
    let starts = stage.starts.len();
    stage.far.insert(0);
    stage.freeze(0);
    stage.falls_silent(1, 0);
    assert_eq!(stage.owner("fenced"), "n2", "nothing in it can do harm");
    for peer in [1, 2] {
        stage.connection_closed(peer, 0, 1);
        stage.advance(100);
    }
    // One that comes only now has never seen the life that owns it.
    stage.crash(2);
    stage.boot(2);
    assert_eq!(stage.starts.len(), starts, "{:?}", stage.starts);
    stage.expire(0);
    assert_eq!(stage.place("g-app"), "n2");
}

#[test]
fn a_node_that_has_joined_again_has_nothing_left_to_wait_for() {
    let mut stage = Stage::new(2);
    stage.group("g", &PolicyChange::default());
    let fenced = NewGroup {
        name: "fenced".to_owned(),
        preferred_owners: vec!["n1".to_owned()],
        ..NewGroup::default()
    };
    stage.command(|v| add_group(v, &fenced));
    stage.far.insert(0);
    stage.freeze(0);
    stage.falls_silent(1, 0);
    assert_eq!(
        (stage.owner("fenced"), stage.owner("g")),
        ("n2".into(), String::new())
    );
    stage.boot(0);
    assert_ne!(
        stage.owner("g"),
        "",
        "although the lease of its former life runs on"
    );
}
