//! Get-ClusterResourceType.

use super::{Run, fits};
use crate::api::resource::{GetClusterResourceType, ResourceTypeInfo};
use crate::cluster::agent::Agent;
use crate::cluster::resource_type::{Class, TYPES, TypeRule, ocf_agent};
use crate::error::{Error, ErrorKind, Result};

impl Run for GetClusterResourceType {
    async fn run(self, agent: &Agent) -> Result<Vec<ResourceTypeInfo>> {
        if let Some(name) = self.name.as_deref().filter(|n| ocf_agent(n).is_some()) {
            return Ok(vec![described(agent, name).await?]);
        }
        let pattern = self.name.as_deref();
        let known = |rule: &&TypeRule| {
            rule.aliases
                .iter()
                .chain([&rule.name])
                .any(|name| fits(pattern, name))
        };
        let found: Vec<_> = TYPES.iter().filter(known).map(built_in).collect();
        match (found.is_empty(), pattern) {
            (true, Some(name)) if !crate::name::is_pattern(name) => Err(unknown(name)),
            _ => Ok(found),
        }
    }
}

fn unknown(name: &str) -> Error {
    let text = format!("there is no resource type {name:?}");
    Error::new(ErrorKind::ResourceTypeNotFound, text)
        .hint("Get-ClusterResourceType lists them; ocf:PROVIDER:AGENT shows an OCF agent")
}

fn built_in(rule: &TypeRule) -> ResourceTypeInfo {
    let properties = rule.parameters.iter().map(|p| {
        let kind = if p.is_number() { "UInt32" } else { "String" };
        let needed = if p.required { ", required" } else { "" };
        format!("{} ({kind}{needed}): {}", p.name, p.about)
    });
    ResourceTypeInfo {
        name: rule.name.to_owned(),
        display_name: rule.about.to_owned(),
        class: match rule.class {
            Class::Storage => "Storage",
            Class::Network => "Network",
            Class::Other => "Other",
        }
        .to_owned(),
        required_dependencies: rule.requires.iter().map(|r| r.name().to_owned()).collect(),
        feature: rule.feature.map(str::to_owned),
        properties: properties.collect(),
    }
}

/// An agent tells about itself, on the node that is asked.
async fn described(agent: &Agent, name: &str) -> Result<ResourceTypeInfo> {
    let about = agent.describe_type(name).await?;
    Ok(ResourceTypeInfo {
        name: name.to_owned(),
        display_name: about.summary,
        class: "Other".to_owned(),
        required_dependencies: Vec::new(),
        feature: None,
        properties: about.properties,
    })
}
