//! rhai: values, errors, and the engine that runs translated units.

pub mod engine;
pub(crate) mod evaluate;
pub mod fault;
mod module;
mod operators;
pub(crate) mod parameters;
pub(crate) mod unit;
pub mod value;

pub use engine::Session;
pub use fault::Fault;
pub use value::{Record, Rows};
