//! The comparisons of PowerShell in expressions: `$_.State -eq 'online'` is `$_.State __eq 'online'` here.

use hamq_core::Result;
use rhai::{Dynamic, Engine, EvalAltResult};

use super::fault::Fault;
use crate::cmdlet::condition::{OPERATORS, holds, matches};
use crate::script::value::text;
use crate::syntax::WORD_OPERATORS;

/// Binds as rhai's own comparisons do: closer than `&&`, looser than `+`.
const PRECEDENCE: u8 = 100;

pub(super) fn register_operators(engine: &mut Engine) {
    for word in WORD_OPERATORS {
        let name = format!("__{word}");
        let known = engine.register_custom_operator(&name, PRECEDENCE).is_ok();
        debug_assert!(known, "{name} is a name, and its precedence not 0");
        if OPERATORS.contains(&word) {
            engine.register_fn(name, move |a: Dynamic, b: Dynamic| holds(word, &a, &b));
        }
    }
    let found = |a: &Dynamic, b: &Dynamic| raised(matches(a, &text(b)));
    engine.register_fn("__match", move |a: Dynamic, b: Dynamic| found(&a, &b));
    engine.register_fn("__notmatch", move |a: Dynamic, b: Dynamic| {
        found(&a, &b).map(|found| !found)
    });
}

fn raised(outcome: Result<bool>) -> std::result::Result<bool, Box<EvalAltResult>> {
    outcome.map_err(|error| Fault::new(error).raise())
}
