//! Who is thought to be dead, and for how long that holds anything up.

use hamq_core::cluster::configuration::PolicyChange;

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
