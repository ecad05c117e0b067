//! A password as a person typed it, and as its mail system knows it.

use crate::contract::Text;
use crate::kernel::secret::Secret;

use super::refusal::Refusal;
use super::steps::form::say;
use super::table::{Rule, System};

/// Longer than any password anywhere, in bytes, and short enough to be sent.
const LIMIT: usize = 1000;

/// A password, in the light of what is known of the system it is for.
pub struct Given {
    /// As the system knows it.
    pub password: Secret,
    /// Whether it looks like what is wanted there, where that can be told.
    looks_right: Option<bool>,
    rule: Rule,
}

impl Given {
    /// What was typed, for this system.
    pub fn at(system: Option<&System>, typed: Secret) -> Self {
        let rule = system.map_or(Rule::Normal, |system| system.rule);
        let Some(shape) = system.and_then(|system| system.shape) else {
            return Self { password: typed, looks_right: None, rule };
        };
        match shape.normalise(typed.reveal()) {
            Some(bare) => Self { password: Secret::new(bare), looks_right: Some(true), rule },
            None => Self { password: typed, looks_right: Some(false), rule },
        }
    }

    /// What its being refused means at that system.
    pub fn refused(&self, refusal: Refusal) -> Refusal {
        refusal.at(self.rule, self.looks_right)
    }
}

/// A password that can be sent: `None` when nothing was typed.
///
/// # Errors
/// What to say beside the field.
pub fn usable(typed: Option<&Secret>) -> Result<Option<Secret>, Text> {
    let Some(typed) = typed.filter(|typed| !typed.reveal().is_empty()) else { return Ok(None) };
    let odd = typed.reveal().contains(['\0', '\r', '\n']) || typed.reveal().len() > LIMIT;
    if odd { Err(say("error.password_unusable")) } else { Ok(Some(typed.clone())) }
}
