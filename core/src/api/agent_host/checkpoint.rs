//! Commands on checkpoints, and on this node's settings.

use serde::Deserialize;

use super::wait::commit;
use super::{Run, exact, fits, write};
use crate::api::checkpoint::{
    AddClusterCheckpoint, CheckpointInfo, GetClusterCheckpoint, NodeSettingInfo,
    RemoveClusterCheckpoint,
};
use crate::api::value::{Time, Value};
use crate::cluster::agent::Agent;
use crate::cluster::checkpoint::{Checkpoint, Kind};
use crate::cluster::configuration::{self, check_settings_edit, find_resource};
use crate::cluster::view::View;
use crate::error::{Error, ErrorKind, Result};
use crate::name::check_object_name;
use crate::sys::{file, folder};

/// Largest value of a setting.
const VALUE_BYTES_MAX: usize = 64 * 1024;

fn info(row: &Checkpoint) -> CheckpointInfo {
    let captured = row.version > 0;
    CheckpointInfo {
        resource: row.resource.clone(),
        kind: row.kind.name().to_owned(),
        key: row.path.clone(),
        version: row.version,
        bytes: row.bytes,
        owner_node: row.holder.as_ref().map(|h| h.node.clone()),
        captured_by: captured.then(|| row.captured_by.clone()),
        captured: captured.then_some(Time(row.captured_ms)),
        kept: row.kept.clone(),
        status: match (&row.trouble, captured) {
            (Some(why), _) => why.clone(),
            (None, true) => "Captured".to_owned(),
            (None, false) => "Waiting".to_owned(),
        },
    }
}

/// What a command names: one of the two, or neither.
fn subject(settings: Option<String>, path: Option<String>) -> Result<Option<(Kind, String)>> {
    match (settings, path) {
        (None, None) => Ok(None),
        (Some(key), None) => Ok(Some((Kind::Settings, key))),
        (None, Some(path)) => Ok(Some((Kind::File, path))),
        (Some(_), Some(_)) => Err(Error::new(
            ErrorKind::Usage,
            "give either -SettingsKey or -FilePath",
        )
        .hint("one command for each checkpoint")),
    }
}

impl Run for AddClusterCheckpoint {
    async fn run(self, agent: &Agent) -> Result<CheckpointInfo> {
        if let Some(name) = &self.crypto {
            let text = format!(
                "a crypto checkpoint ({name}) cannot be made: there are no key containers here"
            );
            return Err(Error::new(ErrorKind::UnsupportedOperation, text)
                .hint("give the file that holds the key: -FilePath /etc/app/key.pem"));
        }
        let (kind, path) = subject(self.settings_key, self.file_path)?.ok_or_else(|| {
            Error::new(ErrorKind::Usage, "nothing is named to be carried")
                .hint("-FilePath /etc/app.conf, or -SettingsKey app/limits")
        })?;
        let decide = |view: &View| configuration::add_checkpoint(view, &self.resource, kind, &path);
        commit(agent, decide).await?;
        let view = agent.read().await?;
        let mut all = view.checkpoints_of(&self.resource);
        let plain = |text: &str| text.replace('\\', "/").trim_matches('/').to_owned();
        let added = all.find(|row| row.kind == kind && plain(&row.path) == plain(&path));
        added.map(|row| info(row)).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("{path} was removed meanwhile"))
                .hint("Get-ClusterCheckpoint")
        })
    }
}

impl Run for GetClusterCheckpoint {
    async fn run(self, agent: &Agent) -> Result<Vec<CheckpointInfo>> {
        let view = agent.read().await?;
        let pattern = self.resource.as_deref();
        if let Some(name) = exact(pattern) {
            find_resource(&view, name)?;
        }
        let wanted = subject(self.settings_key, self.file_path)?;
        let wanted = |row: &Checkpoint| match &wanted {
            None => true,
            Some((kind, path)) => row.kind == *kind && row.path == *path,
        };
        let rows = view.checkpoints.values();
        let rows = rows.filter(|row| fits(pattern, &row.resource) && wanted(row));
        Ok(rows.map(|row| info(row)).collect())
    }
}

impl Run for RemoveClusterCheckpoint {
    async fn run(self, agent: &Agent) -> Result<Vec<CheckpointInfo>> {
        let path = subject(self.settings_key, self.file_path)?.map(|(_, path)| path);
        let before = agent.read().await?;
        let decide =
            |view: &View| configuration::remove_checkpoint(view, &self.resource, path.as_deref());
        commit(agent, decide).await?;
        let after = agent.read().await?;
        let gone = before.checkpoints.iter().filter(|(key, row)| {
            fits(Some(&self.resource), &row.resource) && !after.checkpoints.contains_key(*key)
        });
        Ok(gone.map(|(_, row)| info(row)).collect())
    }
}

/// `Read-NodeSetting` and `Write-NodeSetting`: what lies on this node.
#[derive(Debug, Deserialize)]
pub(super) struct Setting {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Value", default)]
    value: Option<String>,
}

pub(super) async fn read_settings(agent: &Agent, question: &Setting) -> Result<Value> {
    // The key is checked as for an edit, but whoever owns it: reading is allowed everywhere.
    let key = check_settings_edit(&View::default(), &agent.options().node, &question.key)?;
    let place = agent.settings().join(&key);
    let mut names = folder::names(&place)?;
    names.sort();
    let mut records = Vec::new();
    for name in names {
        let Ok(Some(bytes)) = file::read_up_to(&place.join(&name), VALUE_BYTES_MAX) else {
            continue; // a key below this one
        };
        let value = String::from_utf8_lossy(&bytes).into_owned();
        records.push(record(agent, &key, &name, value));
    }
    write(&records)
}

pub(super) async fn write_setting(agent: &Agent, question: &Setting) -> Result<Value> {
    let view = agent.read().await?;
    let key = check_settings_edit(&view, &agent.options().node, &question.key)?;
    check_object_name("setting", &question.name)?;
    if question.name.starts_with('.') {
        let text = format!("{:?} is no name for a setting", question.name);
        return Err(
            Error::new(ErrorKind::InvalidParameter, text).hint("names do not begin with a dot")
        );
    }
    let place = agent.settings().join(&key);
    let path = place.join(&question.name);
    match &question.value {
        None => folder::remove_durably(&path)?,
        Some(value) if value.len() > VALUE_BYTES_MAX => {
            let text = format!("the value of {} is too long", question.name);
            return Err(Error::new(ErrorKind::InvalidParameter, text)
                .hint(format!("at most {VALUE_BYTES_MAX} bytes")));
        }
        Some(value) => {
            folder::create_all(&place)?;
            folder::write_durably(&path, value.as_bytes())?;
        }
    }
    let value = question.value.clone().unwrap_or_default();
    agent.note(
        "INFO",
        "CKPT",
        &format!("setting {key}/{} was edited", question.name),
    );
    write(&record(agent, &key, &question.name, value))
}

fn record(agent: &Agent, key: &str, name: &str, value: String) -> NodeSettingInfo {
    NodeSettingInfo {
        node: agent.options().node.clone(),
        key: key.to_owned(),
        name: name.to_owned(),
        value,
    }
}
