//! What the tests of real processes share: a laboratory with a cluster in it.

pub mod lab;
pub mod process;
