//! What callers may do, and how often: calls that come again, budgets, connections, credentials, ways home.

mod budgets;
mod connections;
mod credentials;
mod redirects;
mod repeats;
