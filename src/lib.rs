//! Vestibule connects the accounts of a product's users. This file lists the floors; see ARCHITECTURE.md.

pub mod config;
pub mod connect;
pub mod contract;
pub mod dialects;
pub mod kernel;
pub mod providers;
pub mod store;
pub mod workers;
