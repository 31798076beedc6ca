//! `Describe` and `It`: what a runbook promises, tried.
//!
//! A failure inside `It` is told where it is and the next test goes on; what was found is kept for the
//! report (see [`crate::test_run`]).

use std::time::{Duration, Instant};

use rhai::{Dynamic, EvalAltResult};

use super::filter::{block, none, script_of};
use crate::pipeline::run::Call;
use crate::pipeline::{Bound, Failure, Stream};
use crate::script::fault::Fault;

/// So many tests are remembered.
const CASES_MAX: usize = 100_000;

/// How a test ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// With this error.
    Failed(Fault),
    /// It was not run.
    Skipped,
}

/// A test that was come by.
#[derive(Clone, Debug)]
pub struct Case {
    /// The names of what it is described by, the outermost first.
    pub groups: Vec<String>,
    /// Its name.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// The tests of a session in order.
#[derive(Debug, Default)]
pub struct TestLog {
    groups: Vec<String>,
    /// All that were come by.
    pub cases: Vec<Case>,
}

impl TestLog {
    /// How many ended so.
    #[must_use]
    pub fn count(&self, ended: fn(&Outcome) -> bool) -> usize {
        self.cases.iter().filter(|c| ended(&c.outcome)).count()
    }

    fn add(&mut self, name: String, took: Duration, outcome: Outcome) {
        if self.cases.len() < CASES_MAX {
            self.cases.push(Case {
                groups: self.groups.clone(),
                name,
                took,
                outcome,
            });
        }
    }
}

/// Runs the block of `Describe`: what fails in it outside of every `It` counts as a test that failed.
pub(super) fn describe<'a>(call: Call<'a>, bound: &Bound) -> Result<Stream<'a>, Failure> {
    let (name, script) = (
        bound.text("Name").unwrap_or_default(),
        script_of(call, bound, "Fixture")?,
    );
    let depth = call.state.tests.borrow().groups.len();
    call.state.line(&format!("{}{name}", "  ".repeat(depth)));
    call.state.tests.borrow_mut().groups.push(name);
    let begun = Instant::now();
    let result = block(call, &script, &Dynamic::UNIT);
    if let Err(failure) = result {
        let outside = "outside of every test".to_owned();
        fail(call, outside, begun.elapsed(), failure, depth + 1)?;
    }
    call.state.tests.borrow_mut().groups.truncate(depth);
    Ok(none())
}

/// Runs the block of `It`.
pub(super) fn it<'a>(call: Call<'a>, bound: &Bound) -> Result<Stream<'a>, Failure> {
    let name = bound.text("Name").unwrap_or_default();
    let depth = call.state.tests.borrow().groups.len();
    let say = |mark: &str, rest: &str| {
        let indent = "  ".repeat(depth);
        call.state.line(&format!("{indent}[{mark}] {name}{rest}"));
    };
    if bound.switch("Skip") == Some(true) {
        say("!", " (skipped)");
        let mut tests = call.state.tests.borrow_mut();
        tests.add(name.clone(), Duration::ZERO, Outcome::Skipped);
        return Ok(none());
    }
    let script = script_of(call, bound, "Test")?;
    let begun = Instant::now();
    match block(call, &script, &Dynamic::UNIT) {
        Ok(_) => {
            say("+", "");
            let mut tests = call.state.tests.borrow_mut();
            tests.add(name.clone(), begun.elapsed(), Outcome::Passed);
        }
        Err(failure) => fail(call, name.clone(), begun.elapsed(), failure, depth)?,
    }
    Ok(none())
}

/// Tells a failure and goes on; an interrupt and `exit` end the script all the same.
fn fail(
    call: Call<'_>,
    name: String,
    took: Duration,
    failure: Failure,
    depth: usize,
) -> Result<(), Failure> {
    if matches!(*failure, EvalAltResult::ErrorTerminated(..)) {
        return Err(failure);
    }
    let fault = call.state.fault(*failure);
    let indent = "  ".repeat(depth);
    call.state.line(&format!("{indent}[-] {name}"));
    call.state.report(&fault);
    call.state.remember(fault.clone());
    call.state.partial.set(true);
    let mut tests = call.state.tests.borrow_mut();
    tests.add(name, took, Outcome::Failed(fault));
    Ok(())
}
