//! The ground floor: the words of the field as plain types, ids, time, randomness, sealing, and the one
//! way out to the network. Nothing here knows a provider, a table or an HTTP framework.

pub mod breaker;
pub mod clock;
pub mod colour;
pub mod egress;
pub mod figures;
pub mod ids;
pub mod limits;
pub mod random;
pub mod reference;
pub mod seal;
pub mod secret;
pub mod traces;
pub mod unchanged;
pub mod words;
