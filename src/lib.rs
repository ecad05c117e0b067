//! Vestibule connects the accounts of a product's users. This file lists the floors; see ARCHITECTURE.md.

pub mod contract;
pub mod kernel;
pub mod pages;
