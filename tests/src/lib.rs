//! What the tests of real processes share: a laboratory with a cluster in it; and the generator of the
//! Python package's typed methods.

pub mod bench;
pub mod chaos;
pub mod etcd;
pub mod lab;
pub mod machine;
pub mod namespace;
pub mod process;
pub mod python_source;
pub mod quorum;
pub mod site;
