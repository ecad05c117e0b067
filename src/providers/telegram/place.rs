//! Where a person stands on the way: the provider's state between two steps. It is sealed by the engine, as it may hold a
//! key that is as good as signed in.

use serde::{Deserialize, Serialize};

use crate::contract::{Begin, Method, State, Trouble};
use crate::kernel::clock::Millis;
use crate::kernel::secret::Secret;

use super::session::Kept;

/// Where a person stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// What the account is called that is being repaired, if one is.
    pub repairs: Option<String>,
    /// The phone number, as far as one is known.
    pub phone: String,
    /// The step shown, with what it needs.
    pub at: At,
}

/// The steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum At {
    /// Codes to scan, until then.
    Qr {
        /// When no further code is made.
        until: Millis,
    },
    /// No more codes until somebody asks for one.
    Ended,
    /// Which phone number.
    Phone,
    /// Which code was sent.
    Code(Sent),
    /// Which password.
    Password {
        /// The session that it opens.
        session: Kept,
        /// What the person once wrote to remember it by.
        hint: Option<String>,
        /// Whether it is asked for after a phone number, instead of after a code that was scanned.
        by_phone: bool,
    },
}

/// A code that Telegram sent to a person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sent {
    /// The session that it was asked for with.
    pub session: Kept,
    /// What it has to be brought back with.
    pub hash: Secret,
    /// How it was sent.
    pub way: Way,
    /// Where to: a pattern of an address, or of the calling number; may be empty.
    pub to: String,
    /// Whether Telegram will send it in another way.
    pub again: bool,
    /// When it may be asked to.
    pub again_at: Millis,
}

/// How a code reaches a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// As a message in the app.
    App,
    /// As a text message.
    Sms,
    /// A word or a phrase, as a text message.
    Words,
    /// Said by a caller.
    Call,
    /// The number of a caller who hangs up.
    Missed,
    /// By e-mail.
    Email,
    /// At fragment.com, where anonymous numbers are.
    Fragment,
}

impl Way {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 7] =
        [Self::App, Self::Sms, Self::Words, Self::Call, Self::Missed, Self::Email, Self::Fragment];

    /// Its name in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Sms => "sms",
            Self::Words => "words",
            Self::Call => "call",
            Self::Missed => "missed",
            Self::Email => "email",
            Self::Fragment => "fragment",
        }
    }
}

/// The stored form says its version, so that a later build knows what an earlier one meant.
#[derive(Serialize, Deserialize)]
#[serde(tag = "version")]
enum Stored {
    #[serde(rename = "1")]
    One(Place),
}

impl Place {
    /// Where an attempt begins; `until` is when the first codes end.
    pub fn begin(begin: &Begin, until: Millis) -> Self {
        let profile = begin.target.as_ref().map(|target| &target.profile);
        Self {
            repairs: profile.map(|profile| profile.label.clone()),
            phone: profile.map(|profile| profile.text("phone").to_owned()).unwrap_or_default(),
            at: if begin.method == Method::PhoneCode { At::Phone } else { At::Qr { until } },
        }
    }

    /// Whether the way here began with a phone number.
    pub fn by_phone(&self) -> bool {
        matches!(self.at, At::Phone | At::Code(_) | At::Password { by_phone: true, .. })
    }

    /// Into the engine's hands.
    ///
    /// # Errors
    /// None that could happen; a plain value always becomes JSON.
    pub fn store(self) -> Result<State, Trouble> {
        State::of(&Stored::One(self))
    }

    /// Back from the engine's hands.
    ///
    /// # Errors
    /// When it is nothing this build wrote.
    pub fn read(state: State) -> Result<Self, Trouble> {
        let Stored::One(place) = state.read()?;
        Ok(place)
    }
}
