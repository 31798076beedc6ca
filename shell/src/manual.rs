//! What other programs are told of this one: manual pages for `man`, completions for shells; all from the command list.

use std::fmt::Write as _;
use std::path::Path;

use hamq_core::api::spec::CommandSpec;

use crate::cmdlet::{COMMON, all, help};

/// The words after `hamq`, with what they mean.
const WORDS: &[(&str, &str)] = &[
    ("run", "a runbook"),
    ("man", "write manual pages into a folder"),
    ("completions", "a script that completes this command"),
    ("node", "the agent of a node"),
    ("queue-manager", "a queue manager"),
    ("store", "look at a message store"),
    ("supervise", "run a role under supervision"),
];

/// The options, with what they mean, and whether a value follows.
const OPTIONS: &[(&str, &str, bool)] = &[
    ("-c", "one command or script text", true),
    ("--cluster", "the cluster to work with", true),
    ("--context", "the context to work in", true),
    ("--read-only", "refuse what changes something", false),
    ("--no-profile", "do not run profile.rhai", false),
    ("--json", "rows as JSON lines", false),
    ("--version", "the version", false),
    ("--help", "what can be given", false),
];

/// Writes `hamq.1` and a page for each command into `folder`/man1; what was done, in words.
///
/// # Errors
/// In words, when a file cannot be written.
pub(crate) fn write_pages(folder: &Path) -> Result<String, String> {
    let folder = folder.join("man1");
    let failed = |e: std::io::Error| format!("cannot write {}: {e}", folder.display());
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let mut count = 1;
    std::fs::write(folder.join("hamq.1"), overview()).map_err(failed)?;
    for spec in all() {
        let name = format!("hamq-{}.1", spec.name.to_ascii_lowercase());
        std::fs::write(folder.join(name), page(spec)).map_err(failed)?;
        count += 1;
    }
    Ok(format!("{count} pages in {}\n", folder.display()))
}

fn heading(title: &str, summary: &str) -> String {
    let mut out = format!(
        ".TH {} 1 \"\" \"hamq {}\"\n",
        quoted(title),
        env!("CARGO_PKG_VERSION")
    );
    let _ = write!(
        out,
        ".SH NAME\n{} \\- {}\n",
        text(title),
        text(summary.trim_end_matches('.'))
    );
    out
}

fn overview() -> String {
    let mut out = heading(
        "hamq",
        "message queues in a failover cluster: the shell and its roles",
    );
    out.push_str(".SH SYNOPSIS\n.nf\nhamq [OPTION]...\nhamq [OPTION]... \\-c TEXT\nhamq [OPTION]... run FILE [ARGUMENT]...\n.fi\n");
    out.push_str(".SH OPTIONS\n");
    for (name, meaning, value) in OPTIONS {
        let value = if *value { " VALUE" } else { "" };
        let _ = write!(
            out,
            ".TP\n.B {}\n{}\n",
            text(&format!("{name}{value}")),
            text(meaning)
        );
    }
    out.push_str(".SH WORDS\n");
    for (name, meaning) in WORDS {
        let _ = write!(out, ".TP\n.B {}\n{}\n", text(name), text(meaning));
    }
    out.push_str(".SH COMMANDS\n");
    for spec in all() {
        let _ = write!(
            out,
            ".TP\n.B {}\n{}\n",
            text(spec.name),
            text(spec.summary.trim())
        );
    }
    out.push_str(".SH LANGUAGE\n.nf\n");
    out.push_str(&block(help::ABOUT));
    out.push_str(".fi\n");
    out
}

fn page(spec: &CommandSpec) -> String {
    let mut out = heading(
        &format!("hamq-{}", spec.name.to_ascii_lowercase()),
        spec.summary.trim(),
    );
    out.push_str(".SH DESCRIPTION\n");
    for line in spec.help {
        match line.trim() {
            "" => out.push_str(".PP\n"),
            line => {
                let _ = writeln!(out, "{}", text(line));
            }
        }
    }
    let own = crate::cmdlet::parameters(spec);
    out.push_str(".SH PARAMETERS\n");
    for parameter in own {
        let common = COMMON.iter().any(|c| std::ptr::eq(c, parameter));
        let kind = crate::cmdlet::kind_name(parameter.kind);
        let notes = match (parameter.required, common) {
            (true, _) => " (required)",
            (_, true) => " (every command has it)",
            _ => "",
        };
        let head = format!("-{} {kind}{notes}", parameter.name);
        let _ = write!(out, ".TP\n.B {}\n", text(head.trim_end()));
        for line in parameter.help {
            let _ = writeln!(out, "{}", text(line.trim()));
        }
    }
    if !spec.output.fields.is_empty() {
        out.push_str(".SH OUTPUT\n");
        for field in spec.output.fields {
            let _ = write!(out, ".TP\n.B {}\n", text(field.name));
            for line in field.help {
                let _ = writeln!(out, "{}", text(line.trim()));
            }
        }
    }
    out.push_str(".SH EXAMPLES\n");
    for example in spec.examples {
        let _ = write!(
            out,
            ".TP\n.B {}\n{}\n",
            text(example.code),
            text(example.text)
        );
    }
    out.push_str(".SH SEE ALSO\n.BR hamq (1)\n");
    out
}

/// Text that troff takes as it is: a dash stays one, no line is a request, and letters that are none of ASCII go by number.
fn text(plain: &str) -> String {
    let mut escaped = String::with_capacity(plain.len());
    for letter in plain.chars() {
        match letter {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\n' => escaped.push(' '),
            letter if letter.is_ascii() => escaped.push(letter),
            letter => escaped.push_str(&format!("\\[u{:04X}]", u32::from(letter))),
        }
    }
    match escaped.starts_with(['.', '\'']) {
        true => format!("\\&{escaped}"),
        false => escaped,
    }
}

fn quoted(plain: &str) -> String {
    format!("\"{}\"", text(plain).replace('"', "\"\""))
}

fn block(plain: &str) -> String {
    plain.lines().map(|line| text(line) + "\n").collect()
}

/// The script that makes `shell` complete `hamq`.
///
/// # Errors
/// In words, for a shell that is none of the three.
pub(crate) fn completions(shell: &str) -> Result<String, String> {
    match shell {
        "bash" => Ok(bash()),
        "zsh" => Ok(zsh()),
        "fish" => Ok(fish()),
        other => Err(format!(
            "there are completions for bash, zsh and fish, not for {other}"
        )),
    }
}

fn names<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

fn bash() -> String {
    let words = names(WORDS.iter().map(|w| w.0).chain(OPTIONS.iter().map(|o| o.0)));
    let commands = names(all().map(|spec| spec.name));
    format!(
        r#"# bash completion for hamq: source it, or put it into bash-completion's folder
_hamq() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
    local quote="${{word:0:1}}" bare="${{word#[\"\']}}"
    case "$before" in
        -c)
            COMPREPLY=($(compgen -W "{commands}" -- "$bare"))
            [[ $quote == [\"\'] ]] && COMPREPLY=("${{COMPREPLY[@]/#/$quote}}")
            return ;;
        run|store) COMPREPLY=($(compgen -f -- "$word")); return ;;
        man) COMPREPLY=($(compgen -d -- "$word")); return ;;
        completions) COMPREPLY=($(compgen -W "bash zsh fish" -- "$word")); return ;;
        --cluster|--context) return ;;
    esac
    COMPREPLY=($(compgen -W "{words}" -- "$word"))
}}
complete -o filenames -F _hamq hamq
"#
    )
}

/// A text in single quotes, as zsh and fish take it.
fn single(plain: &str) -> String {
    plain.replace('\'', "").replace([':', '[', ']'], " ")
}

fn zsh() -> String {
    let mut out = "#compdef hamq\n# zsh completion for hamq: put it as _hamq into a folder of $fpath\n_hamq() {\n    local -a words commands\n    words=(\n".to_owned();
    for (name, meaning) in WORDS {
        let _ = writeln!(out, "        '{name}:{}'", single(meaning));
    }
    out.push_str("    )\n    commands=(\n");
    for spec in all() {
        let _ = writeln!(
            out,
            "        '{}:{}'",
            spec.name,
            single(spec.summary.trim())
        );
    }
    out.push_str("    )\n    _arguments \\\n");
    for (name, meaning, value) in OPTIONS {
        let action = match (*name, *value) {
            ("-c", _) => ":command:{_describe command commands}",
            (_, true) => ":value:",
            _ => "",
        };
        let _ = writeln!(out, "        '{name}[{}]{action}' \\", single(meaning));
    }
    out.push_str(
        "        '1:word:{_describe word words}' \\\n        '*:file:_files'\n}\n_hamq \"$@\"\n",
    );
    out
}

fn fish() -> String {
    let mut out =
        "# fish completion for hamq: put it as hamq.fish into ~/.config/fish/completions\n"
            .to_owned();
    for (name, meaning) in WORDS {
        let _ = writeln!(
            out,
            "complete -c hamq -n __fish_use_subcommand -f -a {name} -d '{}'",
            single(meaning)
        );
    }
    for (name, meaning, value) in OPTIONS {
        let (flag, bare) = match name.strip_prefix("--") {
            Some(bare) => ("-l", bare),
            None => ("-s", name.trim_start_matches('-')),
        };
        let value = match (*name, *value) {
            ("-c", _) => format!(" -x -a '{}'", names(all().map(|spec| spec.name))),
            (_, true) => " -x".to_owned(),
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "complete -c hamq {flag} {bare} -d '{}'{value}",
            single(meaning)
        );
    }
    out.push_str(
        "complete -c hamq -n '__fish_seen_subcommand_from completions' -f -a 'bash zsh fish'\n",
    );
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    #![allow(clippy::print_stderr, reason = "a test that is passed over says so")]

    use std::process::Command;

    use super::*;

    /// Whether a program is installed.
    fn is_there(program: &str) -> bool {
        let found = Command::new(program).arg("--version").output().is_ok();
        if !found {
            eprintln!("passed over: {program} is not installed");
        }
        found
    }

    #[test]
    fn man_has_nothing_to_warn_of() {
        let folder = tempfile::tempdir().unwrap();
        write_pages(folder.path()).unwrap();
        let pages: Vec<_> = std::fs::read_dir(folder.path().join("man1"))
            .unwrap()
            .collect();
        assert_eq!(pages.len(), all().count() + 1);
        if !is_there("groff") {
            return;
        }
        for page in pages {
            let path = page.unwrap().path();
            let ran = Command::new("groff")
                .args(["-man", "-ww", "-Tutf8", "-z"])
                .arg(&path)
                .output();
            let ran = ran.unwrap();
            let told = String::from_utf8_lossy(&ran.stderr).into_owned();
            assert!(
                ran.status.success() && told.is_empty(),
                "{}: {told}",
                path.display()
            );
        }
    }

    #[test]
    fn what_could_be_a_request_to_troff_is_text() {
        assert_eq!(text(".\\private$\\q -x"), "\\&.\\eprivate$\\eq \\-x");
        assert_eq!(text("'a'"), "\\&'a'");
    }

    /// What bash offers for the words of a line, of which the last is being typed.
    fn bash_offers(words: &[&str]) -> Vec<String> {
        let list = words
            .iter()
            .map(|w| format!("'{}'", w.replace('\'', r"'\''")))
            .collect::<Vec<_>>();
        let script = format!(
            "{}\nCOMP_WORDS=({}); COMP_CWORD={}; _hamq; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            bash(),
            list.join(" "),
            words.len() - 1
        );
        let ran = Command::new("bash")
            .args(["--norc", "-c", &script])
            .output()
            .unwrap();
        assert!(
            ran.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        let out = String::from_utf8(ran.stdout).unwrap();
        out.lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_completes_words_options_and_commands() {
        if !is_there("bash") {
            return;
        }
        assert_eq!(bash_offers(&["hamq", "--read"]), ["--read-only"]);
        assert_eq!(bash_offers(&["hamq", "comp"]), ["completions"]);
        assert_eq!(bash_offers(&["hamq", "completions", "z"]), ["zsh"]);
        assert_eq!(
            bash_offers(&["hamq", "-c", "Move-ClusterG"]),
            ["Move-ClusterGroup"]
        );
        assert_eq!(
            bash_offers(&["hamq", "-c", "'Move-ClusterG"]),
            ["'Move-ClusterGroup"]
        );
    }

    #[test]
    fn zsh_and_fish_read_their_scripts() {
        for (shell, script) in [("zsh", zsh()), ("fish", fish())] {
            if is_there(shell) {
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("completion");
                std::fs::write(&file, script).unwrap();
                let ran = Command::new(shell).arg("-n").arg(&file).output().unwrap();
                let told = String::from_utf8_lossy(&ran.stderr);
                assert!(ran.status.success() && told.is_empty(), "{shell}: {told}");
            }
        }
    }
}
