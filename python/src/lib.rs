//! Marks the native module.
