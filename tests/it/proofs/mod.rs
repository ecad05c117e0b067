//! The hard proofs: what must never break, under kills, races, scanners and hostile addresses.

mod browsers;
mod budgets;
mod delivery;
mod egress;
mod kills;
pub mod nodes;
mod races;
mod scanners;
mod secrets;
mod startup;
pub mod walk;
