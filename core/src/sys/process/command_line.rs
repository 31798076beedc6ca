//! Splits a command line into words as a POSIX shell does, without expanding anything.

use crate::error::{Error, ErrorKind, Result};

/// The words of `text`: blanks separate, `'…'` is literal, `"…"` knows `\"` and `\\`, and `\` outside
/// of quotes takes the next character as it is.
///
/// # Errors
/// `InvalidParameter` for an open quote, a trailing backslash, or no word at all.
pub fn split_command_line(text: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' => quoted_literally(&mut characters, word.get_or_insert_default(), text)?,
            '"' => quoted(&mut characters, word.get_or_insert_default(), text)?,
            '\\' => match characters.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err(off(text, "it ends in a backslash")),
            },
            blank if blank.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    if words.first().is_none_or(String::is_empty) {
        return Err(off(text, "it names no program"));
    }
    Ok(words)
}

fn quoted_literally(
    characters: &mut std::str::Chars<'_>,
    word: &mut String,
    text: &str,
) -> Result<()> {
    for character in characters {
        if character == '\'' {
            return Ok(());
        }
        word.push(character);
    }
    Err(off(text, "a ' is not closed"))
}

fn quoted(characters: &mut std::str::Chars<'_>, word: &mut String, text: &str) -> Result<()> {
    while let Some(character) = characters.next() {
        match character {
            '"' => return Ok(()),
            '\\' => match characters.next() {
                Some(escaped @ ('"' | '\\')) => word.push(escaped),
                Some(other) => word.extend(['\\', other]),
                None => break,
            },
            other => word.push(other),
        }
    }
    Err(off(text, "a \" is not closed"))
}

fn off(text: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::InvalidParameter,
        format!("the command line {text:?} cannot be split into words: {why}"),
    )
    .hint("write it as for a shell; use sh -c '…' for pipes and variables")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        for (text, words) in [
            ("a b  c", vec!["a", "b", "c"]),
            (
                " sh -c 'echo \"x y\" $A'",
                vec!["sh", "-c", "echo \"x y\" $A"],
            ),
            ("a \"b \\\" \\\\ \\n c\"", vec!["a", "b \" \\ \\n c"]),
            ("a\\ b c''d ''", vec!["a b", "cd", ""]),
        ] {
            assert_eq!(split_command_line(text).unwrap(), words, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_split_is_refused_with_the_reason() {
        for (text, why) in [
            ("a 'b", "' is not closed"),
            ("a \"b\\", "\" is not closed"),
            ("a \\", "backslash"),
            ("  ", "no program"),
            ("'' a", "no program"),
        ] {
            let error = split_command_line(text).unwrap_err();
            assert!(error.message.contains(why), "{error}");
        }
    }
}
