//! The role `hamq supervise`: a foreign command with the guarantees of our own children.
