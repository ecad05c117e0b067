//! The API document held against the server: its routes both ways, and every status that it promises.

mod away;
mod book;
mod hooks;
mod pages;
mod routes;
mod schemathesis;
mod statuses;
