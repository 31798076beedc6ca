//! Test-Cluster.

use super::spec::{command, record};

record! {
    /// What a check found about one object.
    ValidationInfo as "ClusterValidation", columns ["Result", "Name", "Object", "Detail", "Advice"], {
        /// `Cluster Configuration`, `Inventory`, `Network`, `Storage` or `System Configuration`; `Summary` in the last record.
        category "Category": String,
        /// The check.
        name "Name": String,
        /// The node, group, resource or folder.
        object "Object": String,
        /// `Passed`, `Warning`, `Failed`, `NotApplicable` or `Cancelled`.
        result "Result": String,
        /// What is so.
        detail "Detail": String,
        /// What to do about it.
        advice "Advice": String,
    }
}

command! {
    /// Checks the cluster: configuration, nodes, networks, storage and systems.
    ///
    /// Nothing is interrupted or changed: on storage a temporary file is written and removed. A disk is tried
    /// by its owner alone. The last record sums up; the shell's exit code is 3 when something failed.
    TestCluster = "Test-Cluster" => Vec<ValidationInfo>, at Client, risk None, aliases [],
    {
        /// Ask only these nodes what they are made of.
        nodes "Node": Vec<String>, position 0, completes Node;
        /// Only these categories and checks; patterns are allowed.
        include "Include": Vec<String>;
        /// Not these.
        exclude "Exclude": Vec<String>, alias ["Ignore"];
        /// Write a report into this file, which ends with .html or .json.
        report_path "ReportPath": Option<String>, completes File, alias ["ReportName"];
    }
    examples {
        "Test-Cluster" => "Every check.",
        "Test-Cluster -Include Storage,'Validate Clock*' -ReportPath lab.html" => "Some of them, with a page to keep.",
    }
}
