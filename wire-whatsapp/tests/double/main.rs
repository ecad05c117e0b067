//! The client against the double of the service (`doubles/whatsapp`), which shares no code with it, beside Baileys, which
//! shares none with either.

mod beside;
mod hostile;
mod later;
mod linking;
mod parts;
mod ways;
