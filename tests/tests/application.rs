//! Applications in the virtual server's group: they see its name, and end with it.

use hamq_core::api::group::MoveClusterGroup;
use hamq_core::api::resource::StartClusterResource;
use hamq_tests::lab::Lab;
use hamq_tests::process::wait_until;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hamq-under-test");

#[test]
fn an_application_that_uses_the_network_name_sees_the_virtual_server_as_its_host_on_every_node() {
    let lab = Lab::new(PROGRAM).unwrap();
    lab.add_virtual_server().unwrap();
    let seen = lab.folder.path().join("seen");
    let line = format!(
        "CommandLine=sh -c 'echo \"$(uname -n) $COMPUTERNAME $HAMQ_QUEUE_MANAGER\" >> {}; exec sleep 600'",
        seen.display()
    );
    let parameters = [line.as_str(), "CurrentDirectory=/", "UseNetworkName=1"];
    lab.add_resource(
        "App",
        "VS1",
        "Generic Application",
        &parameters,
        &["VS1-Name", "VS1-MSMQ"],
    )
    .unwrap();
    lab.client
        .run(StartClusterResource {
            name: "App".into(),
            wait: None,
        })
        .unwrap();
    let move_it = MoveClusterGroup {
        name: "VS1".into(),
        node: Some("n2".into()),
        wait: None,
    };
    lab.client.run(move_it).unwrap();
    let address = lab.address(101).unwrap();
    let expected = format!("VS1 VS1 {address}:7801");
    wait_until("it ran on both nodes", || {
        let text = std::fs::read_to_string(&seen).unwrap_or_default();
        text.lines().filter(|line| *line == expected).count() == 2
    });
}
