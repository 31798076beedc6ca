//! A clustered role: a group with all that a program needs to move with its address and its disk, made at once.

use super::change::Change;
use super::checkpoint::add_checkpoint;
use super::draft::Draft;
use super::group::{NewGroup, add_group, start_group};
use super::lookup::find_resource;
use super::relocation::move_resource;
use super::resource::{NewResource, add_resource, find_type};
use crate::cluster::checkpoint::Kind;
use crate::cluster::resource_type::Requires;
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};

/// What a role is to be.
#[derive(Clone, Debug, Default)]
pub struct NewRole {
    /// Of the group, and of the network name if there is an address.
    pub name: String,
    /// The type of the resource that it is about.
    pub resource_type: &'static str,
    /// What its resource is called, behind the name of the role: `Application`.
    pub suffix: &'static str,
    /// Its private properties.
    pub parameters: Vec<(String, String)>,
    /// Where clients find it; without one it has no name on the network.
    pub address: Option<String>,
    /// Disks: a Physical Disk resource that is offline, or the path of a new one.
    pub storage: Vec<String>,
    /// Settings that are carried from node to node.
    pub checkpoint_keys: Vec<String>,
}

/// Makes a role and means it to be online: all of it, or nothing.
///
/// # Errors
/// Those of the group, of each resource and of each dependency.
pub fn add_role(view: &View, role: &NewRole) -> Result<Change> {
    let mut draft = Draft::new(view);
    let group = NewGroup {
        name: role.name.clone(),
        ..NewGroup::default()
    };
    draft.step(|v| add_group(v, &group))?;
    let mut providers = Vec::new();
    let resource = |name: &str, kind: &str, parameters: &[(&str, &str)], on: &[String]| {
        let pair = |(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned());
        NewResource {
            name: name.to_owned(),
            group: role.name.clone(),
            resource_type: kind.to_owned(),
            parameters: parameters.iter().map(pair).collect(),
            depends_on: on.to_vec(),
            ..NewResource::default()
        }
    };
    if let Some(address) = &role.address {
        let ip = format!("{}-IP", role.name);
        let new = resource(&ip, "IP Address", &[("Address", address)], &[]);
        draft.step(|v| add_resource(v, &new))?;
        let name = format!("{}-Name", role.name);
        let new = resource(&name, "Network Name", &[("Name", &role.name)], &[ip]);
        draft.step(|v| add_resource(v, &new))?;
        providers.push(name);
    }
    for (number, storage) in role.storage.iter().enumerate() {
        let disk = match storage.starts_with('/') {
            true => {
                let number = if number == 0 {
                    String::new()
                } else {
                    (number + 1).to_string()
                };
                let disk = format!("{}-Disk{number}", role.name);
                let new = resource(&disk, "Physical Disk", &[("DiskPath", storage)], &[]);
                draft.step(|v| add_resource(v, &new))?;
                disk
            }
            false => {
                let disk = disk_named(draft.view(), storage)?;
                draft.step(|v| Ok(move_resource(v, &disk, &role.name)?.0))?;
                disk
            }
        };
        providers.push(disk);
    }
    let own = format!("{}-{}", role.name, role.suffix);
    let new = NewResource {
        parameters: role.parameters.clone(),
        ..resource(&own, role.resource_type, &[], &providers)
    };
    draft.step(|v| add_resource(v, &new))?;
    for key in &role.checkpoint_keys {
        draft.step(|v| add_checkpoint(v, &own, Kind::Settings, key))?;
    }
    draft.step(|v| start_group(v, &role.name))?;
    Ok(draft.done())
}

fn disk_named(view: &View, name: &str) -> Result<String> {
    let found = find_resource(view, name)?;
    if find_type(&found.resource_type)?.satisfies(Requires::Storage) {
        return Ok(found.name.clone());
    }
    let text = format!("{} is a {}, no disk", found.name, found.resource_type);
    Err(Error::new(ErrorKind::InvalidParameter, text)
        .hint("-Storage takes the name of a Physical Disk, or the path of a new one: /srv/app"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Lab, refused};
    use super::*;
    use crate::cluster::dependency::wanted;

    fn role() -> NewRole {
        NewRole {
            name: "Web".to_owned(),
            resource_type: "Generic Application",
            suffix: "Application",
            parameters: vec![("CommandLine".to_owned(), "/bin/sleep 9".to_owned())],
            address: Some("127.0.9.77".to_owned()),
            storage: vec!["/srv/web".to_owned()],
            ..NewRole::default()
        }
    }

    #[test]
    fn a_role_is_a_group_with_its_address_name_disk_and_program_meant_to_be_online() {
        let mut lab = Lab::new();
        lab.apply(|v| add_role(v, &role()));
        let members: Vec<&str> = lab
            .0
            .resources_of("Web")
            .map(|(_, r)| r.name.as_str())
            .collect();
        assert_eq!(
            members,
            ["Web-Application", "Web-Disk", "Web-IP", "Web-Name"]
        );
        let own = &lab.0.resources["web-application"];
        assert_eq!(own.depends_on.to_string(), "([Web-Name]) and ([Web-Disk])");
        assert!(wanted(&lab.0, "web-application"));
        refused(
            add_role(&lab.0, &role()),
            ErrorKind::ObjectAlreadyExists,
            "another name",
        );
    }

    #[test]
    fn a_disk_that_is_there_moves_into_the_role_and_a_slip_leaves_nothing() {
        let mut lab = Lab::new();
        let mut wrong = role();
        wrong.storage = vec!["VS1-IP".to_owned()];
        refused(
            add_role(&lab.0, &wrong),
            ErrorKind::InvalidParameter,
            "Physical Disk",
        );
        wrong.storage = vec!["VS1-Disk".to_owned()];
        wrong.address = None;
        lab.apply(|v| add_role(v, &wrong));
        assert_eq!(lab.0.resources["vs1-disk"].group, "Web");
        assert_eq!(lab.0.resources_of("Web").count(), 2);
        assert_eq!(lab.0.resources_of("VS1").count(), 3);
    }
}
