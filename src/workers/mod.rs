//! The loops behind the server, over leased rows. They decide nothing: what happened was decided, and written
//! down, by the use cases.

pub mod deliver;
pub mod ring;
mod schedule;
mod sign;
pub mod sweep;
