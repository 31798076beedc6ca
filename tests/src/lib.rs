//! Tests.

pub mod python_source;
