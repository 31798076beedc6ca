//! Commands that make a program highly available.

use super::wait::{commit, group_online, until, waiting_on};
use super::{Run, property, record};
use crate::api::clustered_role::{
    AddClusterGenericApplicationRole, AddClusterGenericScriptRole, AddClusterGenericServiceRole,
};
use crate::api::group::GroupInfo;
use crate::api::value::Millis;
use crate::cluster::agent::Agent;
use crate::cluster::configuration::{self, NewRole, parse_pair};
use crate::error::Result;

async fn make(agent: &Agent, role: NewRole, wait: Option<Millis>) -> Result<GroupInfo> {
    configuration::add_role(&agent.read().await?, &role)?;
    property::check_new(agent, role.resource_type, &role.parameters).await?;
    let name = &role.name;
    let revision = commit(agent, |view| configuration::add_role(view, &role)).await?;
    until(
        agent,
        revision,
        wait,
        |v| group_online(v, name, revision),
        |v| waiting_on(v, name),
    )
    .await?;
    record::group(&agent.read().await?, name)
}

/// What a role is called after its program: `app` of `/srv/app.sh --fast`.
fn called(given: Option<String>, program: &str) -> String {
    let first = program.split_whitespace().next().unwrap_or_default();
    let file = first.rsplit('/').next().unwrap_or_default();
    let stem = file.split(['.', '@']).find(|part| !part.is_empty());
    given.unwrap_or_else(|| stem.unwrap_or(file).to_owned())
}

fn pair(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}

impl Run for AddClusterGenericApplicationRole {
    async fn run(self, agent: &Agent) -> Result<GroupInfo> {
        let more: Result<Vec<_>> = self.parameters.iter().map(|p| parse_pair(p)).collect();
        let mut parameters = more?;
        let name = called(self.name, &self.command_line);
        parameters.push(pair("CommandLine", self.command_line));
        let role = NewRole {
            name,
            resource_type: "Generic Application",
            suffix: "Application",
            parameters,
            address: self.address,
            storage: self.storage,
            checkpoint_keys: self.checkpoint_keys,
        };
        make(agent, role, self.wait).await
    }
}

impl Run for AddClusterGenericServiceRole {
    async fn run(self, agent: &Agent) -> Result<GroupInfo> {
        let role = NewRole {
            name: called(self.name, &self.service_name),
            resource_type: "Generic Service",
            suffix: "Service",
            parameters: vec![pair("ServiceName", self.service_name)],
            address: self.address,
            storage: self.storage,
            checkpoint_keys: self.checkpoint_keys,
        };
        make(agent, role, self.wait).await
    }
}

impl Run for AddClusterGenericScriptRole {
    async fn run(self, agent: &Agent) -> Result<GroupInfo> {
        let role = NewRole {
            name: called(self.name, &self.script_file_path),
            resource_type: "Generic Script",
            suffix: "Script",
            parameters: vec![pair("ScriptFilePath", self.script_file_path)],
            address: self.address,
            storage: self.storage,
            checkpoint_keys: Vec::new(),
        };
        make(agent, role, self.wait).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_called_after_its_program() {
        for (program, expected) in [
            ("/srv/app.sh --fast", "app"),
            ("sleep 9", "sleep"),
            ("getty@.service", "getty"),
            ("/opt/.hidden", "hidden"),
        ] {
            assert_eq!(called(None, program), expected);
        }
        assert_eq!(called(Some("Web".to_owned()), "x"), "Web");
    }
}
