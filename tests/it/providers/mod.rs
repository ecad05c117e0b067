//! Providers beside the real servers they talk to.

mod imap;
