//! One proof per part: that it does what the tests which stand on it believe.

mod browser;
mod databases;
mod identity;
mod mail;
mod network;
mod processes;
mod telegram;
