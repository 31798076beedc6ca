//! `hamq test FILE…`: runs files of `Describe` and `It`, and says what was found, also as JUnit.
//!
//! Exit code: 0 all passed, 1 a test failed or a file did not get to its end, 2 a file cannot be read,
//! else what ended the files early (4, 124, 130, 143).

use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hamq_core::markup::escaped;
use rhai::Map;

use crate::cmdlet::test::{Case, Outcome};
use crate::script::Session;
use crate::session::State;

/// What `hamq test` was told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TestOptions {
    pub(crate) files: Vec<String>,
    pub(crate) junit: Option<String>,
}

impl TestOptions {
    /// The words behind `hamq test`.
    ///
    /// # Errors
    /// With the word that does not fit.
    pub(crate) fn of(words: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let plain = word.trim_start_matches('-');
            let dashed = word.starts_with('-');
            let (name, value) = plain.split_once(['=', ':']).unwrap_or((plain, ""));
            if dashed && name.eq_ignore_ascii_case("junit") {
                let value = match value {
                    "" => words.next().cloned(),
                    value => Some(value.to_owned()),
                };
                options.junit = Some(value.ok_or("-JUnit needs a file")?);
            } else if dashed {
                return Err(format!(
                    "hamq test has no parameter '{word}'; it has -JUnit"
                ));
            } else {
                options.files.push(word.clone());
            }
        }
        match options.files.is_empty() {
            true => Err("hamq test needs at least one file".to_owned()),
            false => Ok(options),
        }
    }
}

/// What became of a file.
struct Suite {
    file: String,
    code: u8,
    took: Duration,
    cases: Vec<Case>,
}

impl Suite {
    /// It ended before its end, and no test of it says so.
    fn broke(&self) -> bool {
        !matches!(self.code, 0 | 3)
    }

    fn count(&self, ended: fn(&Outcome) -> bool) -> usize {
        self.cases.iter().filter(|c| ended(&c.outcome)).count()
    }
}

fn failed(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed(_))
}

fn skipped(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Skipped)
}

/// Runs the files one after the other, each in a session of its own; `fresh` makes the state of one.
pub(crate) fn run(options: &TestOptions, fresh: impl Fn() -> State) -> u8 {
    let mut suites = Vec::new();
    for file in &options.files {
        let state = Rc::new(fresh());
        let suite = one(file, &state);
        let interrupted = state.check_interrupt().is_err();
        suites.push(suite);
        if interrupted {
            break;
        }
    }
    let sum = |ended: fn(&Outcome) -> bool| suites.iter().map(|s| s.count(ended)).sum::<usize>();
    let broken = suites.iter().filter(|s| s.broke()).count();
    let passed = sum(|o| matches!(o, Outcome::Passed));
    let state = fresh();
    state.line(&format!(
        "tests: {passed} passed, {} failed, {} skipped; files: {}, {broken} of them broken off",
        sum(failed),
        sum(skipped),
        suites.len()
    ));
    if let Some(path) = &options.junit
        && let Err(e) = std::fs::write(path, junit(&suites))
    {
        state.tell(&format!("error: cannot write {path}: {e}"));
        return 1;
    }
    let early = suites.iter().map(|s| s.code).find(|c| !matches!(c, 0 | 3));
    early.unwrap_or(u8::from(sum(failed) > 0))
}

fn one(file: &str, state: &Rc<State>) -> Suite {
    let begun = Instant::now();
    let code = match std::fs::read_to_string(file) {
        Ok(text) => {
            let mut session = Session::new(Rc::clone(state), Map::new().into());
            session.run(file, &text).err().unwrap_or(0)
        }
        Err(e) => {
            state.tell(&format!("error: cannot read {file}: {e}"));
            2
        }
    };
    Suite {
        file: file.to_owned(),
        code,
        took: begun.elapsed(),
        cases: std::mem::take(&mut state.tests.borrow_mut().cases),
    }
}

/// The report as JUnit's XML: a suite for each file; one that was broken off has an error.
fn junit(suites: &[Suite]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for suite in suites {
        let name = escaped(&suite.file);
        let broken = usize::from(suite.broke());
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"{broken}\" skipped=\"{}\" time=\"{:.3}\">",
            suite.cases.len() + broken,
            suite.count(failed),
            suite.count(skipped),
            suite.took.as_secs_f64()
        );
        suite
            .cases
            .iter()
            .for_each(|case| testcase(&mut xml, &suite.file, case));
        if suite.broke() {
            let _ = writeln!(
                xml,
                "    <testcase classname=\"{name}\" name=\"the whole file\" time=\"0\"><error message=\"it ended early with exit code {}\"/></testcase>",
                suite.code
            );
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn testcase(xml: &mut String, file: &str, case: &Case) {
    let class = match case.groups.is_empty() {
        true => file.to_owned(),
        false => case.groups.join(" > "),
    };
    let _ = write!(
        xml,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
        escaped(&class),
        escaped(&case.name),
        case.took.as_secs_f64()
    );
    match &case.outcome {
        Outcome::Passed => xml.push_str("/>\n"),
        Outcome::Skipped => xml.push_str("><skipped/></testcase>\n"),
        Outcome::Failed(fault) => {
            let (line, column) = fault.line_column;
            let hint = fault.error.hint.as_deref().unwrap_or_default();
            let _ = writeln!(
                xml,
                "><failure type=\"{}\" message=\"{}\">{file}:{line}:{column} {}</failure></testcase>",
                fault.error.kind.name(),
                escaped(&fault.error.message),
                escaped(hint),
                file = escaped(file),
            );
        }
    }
}
