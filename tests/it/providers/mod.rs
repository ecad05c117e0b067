//! Providers beside the real servers they talk to.

mod discovery;
mod imap;
mod international;
mod oauth;
mod others;
mod telegram;
mod telegram_codes;
mod telegram_phone;
mod whatsapp;
