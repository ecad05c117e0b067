//! An account that is brought here from elsewhere: what its backend says of it, and what its provider says to that.

use super::provider::{Connected, State};

/// What a backend brought, by the names its provider documents. Shown to nobody.
pub type Brought = State;

/// What came of it, where the provider answered definitely.
#[derive(Clone, Debug)]
pub enum Imported {
    /// It works, and this is whose it is.
    Connected(Box<Connected>),
    /// Something about it will not do; nothing of it is kept.
    Unfit(Vec<Unfit>),
}

/// A value that will not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Which one, as its backend spells it: `credentials.refresh_token`.
    pub field: &'static str,
    /// Why, as the end of a sentence that begins with the field's name; never the value.
    pub rule: String,
}
