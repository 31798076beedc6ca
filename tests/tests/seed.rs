//! Rules of the deployment guide that need processes; the others are beside the configuration they are about
//! (`core/src/cluster/configuration/seed_rules.rs` has the table of all).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use hamq_core::ErrorKind;
use hamq_core::api::queue::NewMsmqQueue;
use hamq_tests::lab::Lab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

#[test]
fn private_queues_are_managed_in_the_context_of_their_own_virtual_server() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    lab.new_queue("orders", false).unwrap();
    let on_the_node = NewMsmqQueue {
        name: r"n1\private$\orders".into(),
        ..NewMsmqQueue::default()
    };
    let error = lab.client.run(on_the_node).unwrap_err();
    let no_such_computer = [ErrorKind::ResolveAddress, ErrorKind::ServiceNotAvailable];
    assert!(
        no_such_computer.contains(&error.kind),
        "the node that hosts VS1 is another computer: {error}"
    );
}
