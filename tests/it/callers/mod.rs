//! What callers may do how often: calls that come again, budgets, connections.

mod budgets;
mod connections;
mod repeats;
