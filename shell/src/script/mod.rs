//! rhai: values, errors, and the engine that runs translated units.

pub mod engine;
pub mod fault;
mod module;
mod unit;
pub mod value;

pub use engine::Session;
pub use fault::Fault;
pub use value::{Record, Rows};
