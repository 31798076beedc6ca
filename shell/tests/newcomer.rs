//! What somebody types who knows PowerShell and has read no manual: every line of it was tried at the prompt.
#![allow(clippy::unwrap_used, reason = "tests")]

mod machine;

use machine::Machine;

/// A group that is online, and one that is not, because its disk's folder cannot be made.
const LAB: &str = "
    New-Cluster -Name lab -Node n1,n2,n3 -Local -Detach | Out-Null
    Install-MsmqFeature | Out-Null
    let lab = (Get-Cluster lab)
    Add-ClusterGroup VS1 -PreferredOwners n1,n2 | Out-Null
    Add-ClusterResource VS1-Disk VS1 'Physical Disk' -Parameters \"DiskPath=$(lab.Path)/disks/vs1\" | Out-Null
    Add-ClusterResource VS1-IP VS1 'IP Address' -Parameters \"Address=$(lab.Subnet).101\" | Out-Null
    Add-ClusterResource VS1-Name VS1 'Network Name' -Parameters Name=VS1 -DependsOn VS1-IP | Out-Null
    Add-ClusterResource VS1-MSMQ VS1 MSMQ -DependsOn VS1-Disk,VS1-Name | Out-Null
    Start-ClusterGroup VS1 -Wait 60s | Out-Null
    Add-ClusterGroup VS2 -PreferredOwners n2 | Out-Null
    Add-ClusterResource VS2-Disk VS2 'Physical Disk' -Parameters \"DiskPath=$(lab.Path)/later/vs2\" | Out-Null
    Set-ClusterResource VS2-Disk -RestartDelay 0 -RestartThreshold 0 | Out-Null
    Invoke-Try { Start-ClusterGroup VS2 -Wait 60s } | Out-Null";

fn says(machine: &Machine, typed: &str, expected: &[&str]) {
    let said = machine.hamq(typed);
    for text in expected {
        assert!(said.contains(text), "{typed}\n{said}\nhas no {text:?}");
    }
    assert!(!said.contains("(exit code"), "{typed}\n{said}");
}

#[test]
fn a_group_that_is_down_is_found_explained_mended_and_moved() {
    let machine = Machine::new();
    let made = machine.hamq(LAB);
    assert_eq!(made, "", "{made}");
    let down = r#"Get-ClusterGroup | Where-Object { $_.State -ne "Online" }"#;
    says(&machine, down, &["VS2", "Failed"]);
    says(
        &machine,
        "Get-ClusterResource -Group VS2",
        &["VS2-Disk", "Failed"],
    );
    says(
        &machine,
        "Get-ClusterWhy VS2 -Last 1",
        &["not started", "No such file or"],
    );
    // What a program of the machine is to do is said, with how it is run.
    let slip = machine.hamq("mkdir later");
    assert!(slip.contains("Invoke-Native mkdir"), "{slip}");
    let make = "Invoke-Native mkdir \"$((Get-Cluster lab).Path)/later\"";
    says(&machine, make, &[]);
    says(&machine, "Start-ClusterGroup VS2", &["VS2", "Online"]);
    let moved = "Move-ClusterGroup VS2 -Node n2 | Out-Null; Move-ClusterGroup VS2 -Node n3";
    says(&machine, moved, &["n3"]);
    says(
        &machine,
        "Get-ClusterWhy VS2 -IfNodeDies n3",
        &["claims", "not chosen"],
    );
    says(
        &machine,
        "Stop-ClusterNode n3 -WhatIf",
        &[
            "Take offline VS2-Disk on n3",
            "Move VS2 to n2",
            "Stop agent n3",
        ],
    );
    says(&machine, "gcg VS2 | % OwnerNode", &["n3"]);
}

#[test]
fn messages_are_sent_peeked_put_back_and_resent_from_the_dead() {
    let machine = Machine::new();
    let made = machine.hamq(LAB);
    assert_eq!(made, "", "{made}");
    says(
        &machine,
        r"New-MsmqQueue -Name VS1\private$\orders -Transactional",
        &[r"VS1\private$\orders  true"],
    );
    let send = r#"$q = Get-MsmqQueue VS1\private$\orders; $q | Send-MsmqQueue -Body "order 1" -Label first"#;
    says(&machine, send, &[r"VS1\private$\orders"]);
    let peek = r"Receive-MsmqQueue -Name VS1\private$\orders -Peek | select Label,Body";
    says(&machine, peek, &["first  order 1"]);
    let abort = r#"
        Start-Transaction | Out-Null
        $m = Receive-MsmqQueue VS1\private$\orders -UseTransaction
        echo "taken: $($m.Body)"
        Undo-Transaction | select Status"#;
    says(&machine, abort, &["taken: order 1", "Aborted"]);
    let back = r"Get-MsmqMessage VS1\private$\orders | select Body,AbortCount";
    says(&machine, back, &["order 1           1"]);
    let late = r#"
        Clear-MsmqQueue VS1\private$\orders -Force | Out-Null
        Send-MsmqQueue VS1\private$\orders "order 2" -TimeToBeReceived 1s | Out-Null
        Wait-Condition { (Get-MsmqQueue VS1 -QueueType SystemTransactionalDeadLetter).MessageCount -eq 1 } -Timeout 30s | Out-Null
        Get-MsmqQueue VS1 -QueueType SystemTransactionalDeadLetter | Receive-MsmqQueue | Send-MsmqQueue VS1\private$\orders | Out-Null
        Receive-MsmqQueue VS1\private$\orders | % Body"#;
    says(&machine, late, &["order 2"]);
}
