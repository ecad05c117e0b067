//! The client against the double of the service (`doubles/whatsapp`), which shares no code with it, beside Baileys, which
//! shares none with either.

// What tests share is test code too, so clippy's leave for tests covers it.
#![cfg(test)]

mod beside;
mod hostile;
mod later;
mod linking;
mod parts;
mod ways;
