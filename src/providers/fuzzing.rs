//! What the fuzzer may reach of the providers; compiled for it alone.

pub use super::google::fuzzing::client_json;
pub use super::imap::fuzzing::{address, settings};
pub use super::oauth::fuzzing::{callback, id_token};
