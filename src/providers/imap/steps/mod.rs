//! The four steps as the person sees them. What is shown is decided here; where it leads is decided elsewhere.

mod address;
pub mod form;
mod notice;
mod password;
mod sending;
mod servers;

pub use address::{AddressStep, Elsewhere, NoMail};
pub use notice::{notice, sending_notice, two_step_notice};
pub use password::PasswordStep;
pub use sending::SendingStep;
pub use servers::{Problems, ServersStep, Typed};
