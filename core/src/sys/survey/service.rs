//! Units of systemd that are started at boot.

use std::path::Path;

/// The enabled units below `folder` (`/etc/systemd/system`) whose program plays `role`.
#[must_use]
pub fn automatic(folder: &Path, role: &str) -> Vec<String> {
    let mut found = Vec::new();
    for wants in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !wants.file_name().to_string_lossy().ends_with(".wants") {
            continue;
        }
        for unit in std::fs::read_dir(wants.path())
            .into_iter()
            .flatten()
            .flatten()
        {
            let text = std::fs::read_to_string(unit.path()).unwrap_or_default();
            if starts(&text, role) {
                found.push(unit.file_name().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

fn starts(unit: &str, role: &str) -> bool {
    let mut lines = unit
        .lines()
        .filter_map(|line| line.trim().strip_prefix("ExecStart="));
    lines.any(|line| line.contains("hamq") && line.split_whitespace().any(|word| word == role))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enabled_unit_that_runs_the_role_is_found_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let wants = folder.path().join("multi-user.target.wants");
        std::fs::create_dir(&wants).unwrap();
        let write = |name: &str, line: &str| std::fs::write(wants.join(name), line).unwrap();
        write(
            "queues.service",
            "[Service]\nExecStart=/usr/bin/hamq queue-manager --name n1\n",
        );
        write(
            "agent.service",
            "[Service]\nExecStart=/usr/bin/hamq node --cluster lab\n",
        );
        assert_eq!(
            automatic(folder.path(), "queue-manager"),
            ["queues.service"]
        );
        assert!(automatic(&folder.path().join("none"), "queue-manager").is_empty());
    }
}
