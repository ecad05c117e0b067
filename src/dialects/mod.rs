//! The public APIs as pure words: what may be asked, how answers, errors and calls to the backend are spelt.
//! Nothing here waits, looks anything up or decides.

pub mod audit;
pub mod calls;
pub mod credentials;
pub mod document;
pub mod envelope;
pub mod fields;
pub mod health;
pub mod import;
pub mod postpress;
pub mod riposte;
pub mod steps;
