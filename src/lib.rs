//! Vestibule connects the accounts of a product's users: the product's backend asks for a single-use link, the
//! person follows it through a hosted wizard, the account ends up sealed in the database and the backend is told.
//!
//! The modules are floors; each uses only those below it, and ARCHITECTURE.md says what each may not know.

// Floor 0
pub mod kernel;
// Floor 1
pub mod config;
pub mod contract;
// Floor 2
pub mod dialects;
pub mod pages;
pub mod providers;
pub mod store;
// Floor 3
pub mod connect;
// Floor 4
pub mod web;
pub mod workers;
