//! Sizes as operators write them.

use crate::error::{Error, ErrorKind, Result};

/// Bytes of `5000000`, `512KB`, `5MB`, `2GB` or `1TB` (powers of 1024, as PowerShell has them); `None` means no limit.
///
/// # Errors
/// `InvalidParameter` with the parameter's name.
pub(super) fn parse(parameter: &str, text: &str) -> Result<u64> {
    let word = text.trim().to_ascii_lowercase();
    if matches!(word.as_str(), "none" | "unlimited") {
        return Ok(u64::MAX);
    }
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: Option<u64> = match word[digits.len()..].trim() {
        "" | "b" => Some(1),
        "kb" => Some(1 << 10),
        "mb" => Some(1 << 20),
        "gb" => Some(1 << 30),
        "tb" => Some(1 << 40),
        _ => None,
    };
    let number = digits.trim().parse::<u64>().ok();
    let bytes = number.zip(factor).and_then(|(n, f)| n.checked_mul(f));
    bytes.ok_or_else(|| {
        let text = format!("-{parameter} {text:?} is no size");
        Error::new(ErrorKind::InvalidParameter, text)
            .hint("write bytes, or as in 512KB, 5MB, 2GB; None means no limit")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("5MB", Some(5 * 1024 * 1024)),
            ("2 gb", Some(2 << 30)),
            ("17", Some(17)),
            ("none", Some(u64::MAX)),
            ("5 parsecs", None),
            ("-1", None),
            ("MB", None),
            ("99999999999TB", None),
            ("", None),
        ] {
            assert_eq!(parse("QueueQuota", text).ok(), bytes, "{text}");
        }
    }
}
