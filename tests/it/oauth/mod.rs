//! Signing in on a provider's own pages, in both dialects, beside stand-ins for Google and Microsoft that run a
//! certified identity provider. The server under test is set up as an operator sets it up: a client and a base address.

pub mod attacks;
pub mod choice;
mod credentials;
mod detours;
mod flow;
pub mod kills;
mod late;
pub mod nodes;
mod refusals;
mod releases;
mod renewals;
mod secrets;
mod settings;
mod tenants;
pub mod walk;

pub use crate::app::signing::{
    ADA, Asking, BEN, HOUSES, IN_AN_APP, Place, address, leaves_for, parameter, point, set_up, slug, tag,
};
