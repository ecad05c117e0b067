//! The integration tests: one binary that drives the built server beside real peers.
//!
//! One binary, because linking is what costs time; a folder per subject, because people look there.

// Helpers shared by tests are test code too, so clippy's leave for tests covers them.
#![cfg(test)]

mod api;
mod floors;
// A part offers what a whole peer offers; no test needs all of it at every time.
#[expect(clippy::allow_attributes, reason = "an expectation would fail on the day everything is used")]
#[allow(dead_code, reason = "parts are a library for the tests beside them")]
mod parts;

#[expect(clippy::allow_attributes, reason = "an expectation would fail on the day everything is used")]
#[allow(dead_code, reason = "the harness is a library for the tests beside it")]
mod app;
mod callers;
mod finish;
mod live;
mod oauth;
mod operators;
mod proofs;
mod providers;
mod steps;
mod store;
mod stories;
mod watch;
mod webhooks;
mod wizard;
