//! Reads the messages of a drill from a file: JSON lines, CSV or plain lines.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Messages that one file may hold.
const MESSAGES_MAX: usize = 1_000_000;

/// The bodies in `path`, in order. The ending decides: `.jsonl`, `.json` and `.ndjson` hold one JSON
/// value a line, `.csv` a header and rows, which become JSON objects, anything else plain lines.
///
/// # Errors
/// `NotFound`, and `Usage` with the line that is off.
pub(super) fn read(path: &Path) -> Result<Vec<String>> {
    let text = crate::sys::file::read_text(path)?;
    let ending = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or("")
        .to_ascii_lowercase();
    let bodies = match ending.as_str() {
        "jsonl" | "json" | "ndjson" => json_lines(path, &text)?,
        "csv" => csv_rows(path, &text)?,
        _ => text
            .lines()
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect(),
    };
    if bodies.is_empty() || bodies.len() > MESSAGES_MAX {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("{} has {} messages", path.display(), bodies.len()),
        )
        .hint(format!("a drill needs 1 to {MESSAGES_MAX}")));
    }
    Ok(bodies)
}

fn json_lines(path: &Path, text: &str) -> Result<Vec<String>> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(
            |(index, line)| match serde_json::from_str::<serde::de::IgnoredAny>(line) {
                Ok(_) => Ok(line.to_owned()),
                Err(error) => Err(off(path, index + 1, &error)),
            },
        )
        .collect()
}

fn csv_rows(path: &Path, text: &str) -> Result<Vec<String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| off(path, 1, &e))?.clone();
    let mut bodies = Vec::new();
    for (index, row) in reader.records().enumerate() {
        let row = row.map_err(|e| off(path, index + 2, &e))?;
        let fields = header.iter().zip(row.iter());
        let object: serde_json::Map<_, _> = fields
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        bodies.push(serde_json::Value::Object(object).to_string());
    }
    Ok(bodies)
}

fn off(path: &Path, line: usize, error: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Usage,
        format!("{} line {line}: {error}", path.display()),
    )
    .hint("the ending tells the format: .jsonl, .csv, or plain lines in any other")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn the_ending_tells_the_format() {
        let (_folder, path) = file("a.jsonl", "{\"id\":1}\n\n{\"id\":2}\n");
        assert_eq!(read(&path).unwrap(), ["{\"id\":1}", "{\"id\":2}"]);
        let (_folder, path) = file("a.csv", "id,item\n1,\"ink, blue\"\n");
        assert_eq!(
            read(&path).unwrap(),
            ["{\"id\":\"1\",\"item\":\"ink, blue\"}"]
        );
        let (_folder, path) = file("a.txt", "one\ntwo\n");
        assert_eq!(read(&path).unwrap(), ["one", "two"]);
    }

    #[test]
    fn a_line_that_is_off_is_named() {
        let (_folder, path) = file("a.jsonl", "{}\n{\"id\":\n");
        let error = read(&path).unwrap_err();
        assert!(error.message.contains("line 2"), "{error}");
        let (_folder, path) = file("a.txt", "");
        assert!(read(&path).unwrap_err().message.contains("has 0 messages"));
    }
}
