//! Get-ClusterDiagnosticInfo: what somebody who was not there needs to understand a cluster, in one folder.
//!
//! ```text
//!  the cluster ──┐                               ┌─> cluster.json … networks.json
//!  each group ───┼─ commands of everybody's ─────┼─> why-VS1.json
//!  each manager ─┘                               ├─> msmq-VS1.json
//!  all nodes' logs, the checks, the picture ─────┴─> cluster.log, validation.html, dependencies.html
//! ```

use std::path::{Path, PathBuf};

use super::client::Client;
use super::group::GroupInfo;
use super::parameter::ParameterInfo;
use super::resource::ResourceInfo;
use super::spec::{command, record};
use super::value::{Millis, Value, from_value, to_value};
use crate::cluster::record::fold;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::folder;

record! {
    /// A file of a diagnosis.
    DiagnosticInfo as "ClusterDiagnostic", columns ["File", "Command", "Records", "Error"], {
        /// Where it is.
        file "File": String,
        /// What was asked.
        command "Command": String,
        /// How much was answered.
        records "Records": u64,
        /// What could not be asked, and why.
        error "Error": Option<String>,
    }
}

command! {
    /// Collects what is needed to understand a cluster from outside: configuration, states, causes, counters, logs of all nodes.
    ///
    /// It reads and changes nothing; no message, key or password is in it. What does not answer is told in its row, and
    /// the rest is collected all the same.
    GetClusterDiagnosticInfo = "Get-ClusterDiagnosticInfo" => Vec<DiagnosticInfo>, at Client, risk None, aliases [],
    {
        /// A folder that does not exist yet, or is empty.
        path "WriteToPath": String, position 0, completes File;
        /// Only the last so much of the logs.
        time_span "TimeSpan": Option<Millis>;
        /// Run the checks of Test-Cluster as well.
        validation "IncludeValidation": bool;
    }
    examples { "Get-ClusterDiagnosticInfo lab-diagnosis" => "Everything, in the folder lab-diagnosis." }
}

/// What is asked of the cluster as a whole, with the file that holds it.
const OF_THE_CLUSTER: [(&str, &str); 14] = [
    ("cluster", "Get-Cluster"),
    ("quorum", "Get-ClusterQuorum"),
    ("nodes", "Get-ClusterNode"),
    ("groups", "Get-ClusterGroup"),
    ("resources", "Get-ClusterResource"),
    ("resource-types", "Get-ClusterResourceType"),
    ("dependencies", "Get-ClusterResourceDependency"),
    ("checkpoints", "Get-ClusterCheckpoint"),
    ("networks", "Get-ClusterNetwork"),
    ("interfaces", "Get-ClusterNetworkInterface"),
    ("access", "Get-ClusterAccess"),
    ("features", "Get-MsmqFeature"),
    ("services", "Get-MsmqService"),
    ("memory-pools", "Get-MsmqMemoryPool"),
];
/// What is asked of each queue manager that is online. No messages: they are nobody's business.
const OF_A_MANAGER: [(&str, &str, &str); 6] = [
    ("manager", "Get-MsmqQueueManager", "ComputerName"),
    ("queues", "Get-MsmqQueue", "Name"),
    ("outgoing", "Get-MsmqOutgoingQueue", "ComputerName"),
    ("counters", "Get-MsmqCounter", "ComputerName"),
    ("prepared", "Get-MsmqPreparedTransaction", "ComputerName"),
    ("rights", "Get-MsmqQueueManagerACL", "ComputerName"),
];

/// A folder that is being filled.
struct Diagnosis<'a> {
    client: &'a Client,
    folder: PathBuf,
    files: Vec<DiagnosticInfo>,
}

pub(super) fn collect(client: &Client, command: &GetClusterDiagnosticInfo) -> Result<Vec<Value>> {
    // Whose cluster is not known has nothing to collect, and gets no folder.
    client.invoke("Get-Cluster", given(&[]))?;
    let folder = new_folder(command.path.as_ref())?;
    let mut diagnosis = Diagnosis {
        client,
        folder,
        files: Vec::new(),
    };
    diagnosis.ask_the_cluster()?;
    diagnosis.ask_the_groups()?;
    diagnosis.ask_the_managers()?;
    diagnosis.write_what_is_no_json(command);
    diagnosis.files.iter().map(to_value).collect()
}

fn new_folder(path: &Path) -> Result<PathBuf> {
    let path = folder::absolute(path)?;
    if !folder::names(&path)?.is_empty() {
        let text = format!(
            "{} is not empty, and nothing is overwritten",
            path.display()
        );
        return Err(Error::new(ErrorKind::InvalidParameter, text).hint("name a new folder"));
    }
    folder::create_all(&path)?;
    Ok(path)
}

fn given(parameters: &[(&str, &str)]) -> Value {
    let pairs = parameters.iter();
    Value::Map(
        pairs
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
    )
}

impl Diagnosis<'_> {
    /// Runs a command, and writes what it answers; nothing came of it where that is an error, which is told.
    fn ask(&mut self, file: &str, command: &str, with: &[(&str, &str)]) -> Result<Vec<Value>> {
        let answer = self.client.invoke(command, given(with));
        // Groups and resources may be called what no file can.
        let plain = |c: char| {
            if c.is_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '_'
            }
        };
        let file: String = file.chars().map(plain).chain(".json".chars()).collect();
        let (records, error) = match answer {
            Ok(records) => (records, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        if error.is_none() {
            let text = serde_json::to_vec_pretty(&records)
                .map_err(|e| Error::new(ErrorKind::Internal, format!("write {file}: {e}")))?;
            folder::write_durably(&self.folder.join(&file), &text)?;
        }
        self.note(file, command, with, records.len(), error);
        Ok(records)
    }

    fn note(
        &mut self,
        file: String,
        command: &str,
        with: &[(&str, &str)],
        records: usize,
        error: Option<Error>,
    ) {
        let told = with.iter().map(|(_, value)| format!(" {value}"));
        self.files.push(DiagnosticInfo {
            file,
            command: format!("{command}{}", told.collect::<String>()),
            records: records as u64,
            error: error.map(|e| e.message),
        });
    }

    fn ask_the_cluster(&mut self) -> Result<()> {
        for (file, command) in OF_THE_CLUSTER {
            self.ask(file, command, &[])?;
        }
        Ok(())
    }

    fn records<T: serde::de::DeserializeOwned>(&self, command: &str) -> Vec<T> {
        let answer = self.client.invoke(command, given(&[]));
        answer
            .and_then(|records| from_value(&Value::Array(records)))
            .unwrap_or_default() // told where it is asked for its file
    }

    fn ask_the_groups(&mut self) -> Result<()> {
        for group in self.records::<GroupInfo>("Get-ClusterGroup") {
            let with = [("Name", group.name.as_str())];
            self.ask(&format!("why-{}", group.name), "Get-ClusterWhy", &with)?;
        }
        for resource in self.records::<ResourceInfo>("Get-ClusterResource") {
            let with = [("Resource", resource.name.as_str())];
            let file = format!("parameters-{}", resource.name);
            self.ask(&file, "Get-ClusterParameter", &with)?;
        }
        Ok(())
    }

    /// Only of those that are online: others would be waited for, as by anybody who sends to them.
    fn ask_the_managers(&mut self) -> Result<()> {
        let resources = self.records::<ResourceInfo>("Get-ClusterResource");
        let of_type = |group: &str, kind: &str| {
            let mut found = resources.iter();
            found.find(|r| fold(&r.group) == fold(group) && r.resource_type == kind)
        };
        for manager in resources.iter().filter(|r| r.resource_type == "MSMQ") {
            let Some(name) = of_type(&manager.group, "Network Name") else {
                continue;
            };
            if manager.state != "Online" {
                let error = Error::new(
                    ErrorKind::InvalidState,
                    format!("{} is {}", manager.name, manager.state),
                );
                let file = format!("msmq-{}-*.json", manager.group);
                self.note(file, "Get-Msmq…", &[], 0, Some(error));
                continue;
            }
            let computer = self.computer_of(name);
            for (file, command, parameter) in OF_A_MANAGER {
                let file = format!("msmq-{computer}-{file}");
                self.ask(&file, command, &[(parameter, &computer)])?;
                let failed = self.files.last().is_some_and(|f| f.error.is_some());
                if failed && command == OF_A_MANAGER[0].1 {
                    break; // the others would be waited for as long
                }
            }
        }
        Ok(())
    }

    /// The name of a virtual server: that of its Network Name, which is the group's if it was not given another.
    fn computer_of(&self, name: &ResourceInfo) -> String {
        let asked = given(&[("Resource", &name.name), ("Name", "Name")]);
        let answer = self.client.invoke("Get-ClusterParameter", asked);
        let found: Result<Vec<ParameterInfo>> =
            answer.and_then(|records| from_value(&Value::Array(records)));
        let found = found.unwrap_or_default().into_iter().next();
        let value = found.map(|p| p.value).filter(|value| !value.is_empty());
        value.unwrap_or_else(|| name.group.clone())
    }

    fn write_what_is_no_json(&mut self, command: &GetClusterDiagnosticInfo) {
        let mut log = vec![("Destination", self.path_of("cluster.log"))];
        if let Some(span) = command.time_span {
            log.push(("TimeSpan", format!("{}ms", span.0)));
        }
        self.have_written("cluster.log", "Get-ClusterLog", &log);
        let page = self.path_of("dependencies.html");
        let report = "Get-ClusterResourceDependencyReport";
        self.have_written("dependencies.html", report, &[("Path", page)]);
        if command.validation {
            let page = self.path_of("validation.html");
            self.have_written("validation.html", "Test-Cluster", &[("ReportPath", page)]);
        }
    }

    fn path_of(&self, file: &str) -> String {
        self.folder.join(file).display().to_string()
    }

    /// A command that writes its file itself.
    fn have_written(&mut self, file: &str, command: &str, with: &[(&str, String)]) {
        let pairs: Vec<_> = with.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let (records, error) = match self.client.invoke(command, given(&pairs)) {
            Ok(records) => (records.len(), None),
            Err(error) => (0, Some(error)),
        };
        self.note(file.to_owned(), command, &[], records, error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::COMMANDS;

    /// What only shows and needs nothing to be told, and is left out on purpose.
    const LEFT_OUT: [&str; 5] = [
        "Get-ClusterLog",            // a file of its own
        "Get-ClusterOwnerNode",      // it is in groups and resources
        "Get-Transaction",           // of this client
        "Get-DrillWorkload",         // of this client
        "Get-ClusterDiagnosticInfo", // needs a folder
    ];

    #[test]
    fn what_can_be_asked_of_a_cluster_is_asked() {
        let told: Vec<&str> = OF_THE_CLUSTER.iter().map(|(_, command)| *command).collect();
        for spec in COMMANDS {
            let shows = spec.name.starts_with("Get-") && spec.risk == crate::api::spec::Risk::None;
            let alone = spec.parameters.iter().all(|p| !p.required);
            if shows && alone && !LEFT_OUT.contains(&spec.name) {
                assert!(told.contains(&spec.name), "{} is not collected", spec.name);
            }
        }
    }

    #[test]
    fn what_is_asked_exists() {
        let managers = OF_A_MANAGER.iter().map(|(_, command, _)| *command);
        let clusters = OF_THE_CLUSTER.iter().map(|(_, command)| *command);
        for name in managers.chain(clusters) {
            assert!(crate::api::find(name).is_some(), "{name}");
        }
    }
}
