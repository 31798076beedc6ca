//! Get-ClusterResourceDependencyReport: asks the cluster, writes the page.

use std::collections::BTreeSet;

use crate::api::agents::{Agents, Repeat};
use crate::api::dependency::{
    DependencyInfo, DependencyReportInfo, GetClusterResourceDependencyReport,
};
use crate::api::resource::ResourceInfo;
use crate::api::value::{Time, Value, from_value};
use crate::cluster::dependency::{Drawn, Expression, page};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::clock::{Clock, SystemClock};
use crate::sys::folder;

pub(super) async fn write(
    command: &GetClusterResourceDependencyReport,
    agents: &Agents,
) -> Result<DependencyReportInfo> {
    let (group, resource) = (&command.group, &command.resource);
    if group.is_some() && resource.is_some() {
        let text = "-Group and -Resource exclude each other";
        return Err(Error::new(ErrorKind::Usage, text).hint("give one of them, or none"));
    }
    let one = |key: &str, name: &str| Value::Map(vec![(key.into(), name.into())]);
    let ask = async |name: &str, with: Value| agents.run(name, &with, Repeat::Allowed).await;
    let group = match resource {
        Some(name) => {
            let found = ask("Get-ClusterResource", one("Name", name)).await?;
            let found: Vec<ResourceInfo> = from_value(&found)?;
            found.into_iter().next().map(|r| r.group)
        }
        None => group.clone(),
    };
    let asked = group.map_or(Value::Map(Vec::new()), |group| one("Group", &group));
    let resources: Vec<ResourceInfo> = from_value(&ask("Get-ClusterResource", asked).await?)?;
    let all = ask("Get-ClusterResourceDependency", Value::Map(Vec::new())).await?;
    let all: Vec<DependencyInfo> = from_value(&all)?;
    let drawn: Result<Vec<Drawn>> = resources.into_iter().map(|r| draw(r, &all)).collect();
    let drawn = drawn?;
    let time = Time(SystemClock.wall_ms()).to_string();
    let path = folder::absolute(command.path.as_ref())?;
    folder::write_durably(&path, page(&agents.cluster, &time, &drawn).as_bytes())?;
    let groups: BTreeSet<&str> = drawn.iter().map(|d| d.group.as_str()).collect();
    Ok(DependencyReportInfo {
        path: path.display().to_string(),
        groups: groups.len() as u64,
        resources: drawn.len() as u64,
    })
}

fn draw(resource: ResourceInfo, all: &[DependencyInfo]) -> Result<Drawn> {
    let own = all.iter().find(|d| d.resource == resource.name);
    let text = own.map_or("", |d| d.expression.as_str());
    Ok(Drawn {
        depends_on: Expression::parse(text)?,
        name: resource.name,
        group: resource.group,
        resource_type: resource.resource_type,
        state: resource.state,
    })
}
