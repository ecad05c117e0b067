//! Signing in on a provider's own pages, in both dialects, beside stand-ins for Google and Microsoft that run a
//! certified identity provider. The server under test is set up as an operator sets it up: a client and a base address.

mod choice;
mod credentials;
mod flow;
mod kills;
mod refusals;
mod settings;

pub use crate::app::signing::{
    ADA, BEN, HOUSES, Place, address, leaves_for, parameter, set_up, slug, trusted_key,
};
