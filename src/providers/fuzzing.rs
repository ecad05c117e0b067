//! What the fuzzer may reach of the providers; compiled for it alone.

pub use super::imap::fuzzing::{address, settings};
