//! Counters for Prometheus: `GET /metrics` on a loopback address, in the text format 0.0.4.
//!
//! ```text
//!  scraper -> responder (a thread: bounded request, one at a time) -> Control::call(Counters) -> exposition
//! ```
//!
//! It shares nothing with the data plane but the control: a scrape is one round trip through the queue manager's loop.

mod exposition;
mod responder;

pub use exposition::exposition;
pub use responder::{CONTENT_TYPE, Source, serve_metrics};
