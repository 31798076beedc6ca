//! Tests of the shell as a whole.
