//! Contexts: the clusters that a person works with, by names of their own, in `contexts.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hamq_core::name::nearest;
use hamq_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

const FILE: &str = "contexts.json";

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contexts {
    /// The one that a shell begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// All, by name.
    #[serde(default)]
    pub contexts: BTreeMap<String, Context>,
}

/// One of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Context {
    /// What Connect-Cluster takes: a name, or `HOST[:PORT],…`.
    pub cluster: String,
    /// Nothing is changed there.
    #[serde(default)]
    pub read_only: bool,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

impl Contexts {
    /// Those in the folder `config`; none when there is no file.
    ///
    /// # Errors
    /// When the file cannot be read or understood.
    pub fn read(config: &Path) -> Result<Self> {
        let path = config.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text.map_err(|e| Error::system(format!("read {}", path.display()), &e))?,
        };
        serde_json::from_str(&text).map_err(|e| {
            let what = format!("{} cannot be understood: {e}", path.display());
            Error::new(ErrorKind::InvalidRequest, what).hint("mend it, or move it away")
        })
    }

    /// Replaces the file as a whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, config: &Path) -> Result<()> {
        let path = config.join(FILE);
        let failed = |e| Error::system(format!("write {}", path.display()), &e);
        std::fs::create_dir_all(config).map_err(failed)?;
        let text = serde_json::to_string_pretty(self).map_err(|e| {
            Error::new(
                ErrorKind::Internal,
                format!("contexts cannot be written: {e}"),
            )
        })?;
        let aside: PathBuf = config.join(format!("{FILE}.{}", std::process::id()));
        std::fs::write(&aside, text + "\n").map_err(failed)?;
        std::fs::rename(&aside, &path).map_err(failed)
    }

    /// The context of this name.
    ///
    /// # Errors
    /// `NotFound`, with what was probably meant.
    pub fn get(&self, name: &str) -> Result<&Context> {
        self.contexts.get(name).ok_or_else(|| {
            let error = Error::new(ErrorKind::NotFound, format!("there is no context '{name}'"));
            match nearest(name, self.contexts.keys().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error.hint("Get-HamqContext lists them; New-HamqContext makes one"),
            }
        })
    }
}
