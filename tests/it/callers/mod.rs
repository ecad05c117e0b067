//! What callers may do, and how often: calls that come again, budgets, connections, credentials, ways home.

mod audit;
mod budgets;
mod connections;
mod credentials;
pub mod imports;
mod redirects;
mod repeats;
