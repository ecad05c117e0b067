//! Where in its row of steps an attempt is: what is sealed between two answers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::contract::{Next, State, Step, Target, Trouble};

/// An attempt's whole memory.
#[derive(Clone, Serialize, Deserialize)]
pub struct Place {
    /// The account to link again.
    #[serde(default)]
    pub target: Option<Known>,
    /// The number to send a pairing code to, for who goes that way.
    #[serde(default)]
    pub phone: Option<String>,
    /// The step.
    pub stand: Stand,
}

/// What is known of an account that is linked again.
#[derive(Clone, Serialize, Deserialize)]
pub struct Known {
    /// What people call it: its number.
    pub label: String,
}

/// The step that an attempt stands at.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum Stand {
    /// A QR code is on show.
    Qr,
    /// The number is asked for.
    Phone,
    /// A pairing code is on show.
    Code,
    /// It was typed.
    Typed,
    /// A passkey is asked for.
    Passkey {
        /// What it is asked.
        request: Value,
    },
    /// Its answer is on its way.
    Checking {
        /// What was asked.
        request: Value,
        /// The answer.
        assertion: String,
    },
    /// Both sides show the same characters.
    Compare {
        /// What was asked.
        request: Value,
    },
    /// The person said that they are the same.
    Confirmed {
        /// What was asked.
        request: Value,
    },
    /// The phone said yes; the device has still to log in for the first time.
    Paired {
        /// The device, as it is stored.
        session: Value,
    },
    /// That did not work out yet.
    Unfinished {
        /// The device, as it is stored.
        session: Value,
    },
    /// Nothing is under way any more.
    Ended,
}

impl Place {
    /// Where an attempt begins.
    pub fn new(target: Option<&Target>, stand: Stand) -> Self {
        let target = target.map(|target| Known { label: target.profile.label.clone() });
        Self { target, phone: None, stand }
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    /// When it is not one of ours.
    pub fn read(state: State) -> Result<Self, Trouble> {
        state.read()
    }

    /// The same attempt at another step.
    pub fn at(&self, stand: Stand) -> Self {
        Self { target: self.target.clone(), phone: self.phone.clone(), stand }
    }

    /// The step that shows a fresh code, on the way that was chosen.
    pub fn afresh(&self) -> Self {
        self.at(if self.phone.is_some() { Stand::Code } else { Stand::Qr })
    }

    /// Shows a step, and remembers this place with it.
    ///
    /// # Errors
    /// None that could happen; plain values always become JSON.
    pub fn show(&self, step: Step) -> Result<Next, Trouble> {
        let (step, state) = (Box::new(step), State::of(self)?);
        Ok(match &self.stand {
            Stand::Paired { session } | Stand::Unfinished { session } => {
                Next::Holding { step, state, secret: State(session.clone()) }
            }
            _ => Next::Step { step, state },
        })
    }
}
