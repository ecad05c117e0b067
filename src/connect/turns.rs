//! Who may ask a provider about an account, and what may be written of the answer: the rules alone, without rows or
//! providers. A secret that is used may be spent, and at a strict provider a second use of it ends the whole grant; so one
//! call asks at a time, over all nodes, whatever dies, stalls or disagrees about the time.
//!
//! The explorer in `turns/explorer.rs` walks through every order of events under these rules.

use std::time::Duration;

use crate::store::Hold;

/// How long an account stays held after its holder was last heard of.
pub const HOLD: Duration = Duration::from_secs(10);
/// How often a holder says that it lives.
pub const RENEW: Duration = Duration::from_secs(3);

/// What somebody may do who wants to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// Take hold.
    Take {
        /// Whether it is not known how the last call ended.
        interrupted: bool,
    },
    /// Somebody else is asking.
    Wait,
}

/// Whose turn it is. `unchanged` is for how long the hold was seen as it is, on one's own clock of passing time: what
/// clocks on walls say is no reason to think that a holder died.
pub fn turn(hold: Option<&Hold>, unchanged: Duration) -> Turn {
    match hold {
        None => Turn::Take { interrupted: false },
        Some(hold) if hold.until.0 == 0 => Turn::Take { interrupted: true },
        Some(_) if unchanged > HOLD + HOLD / 4 => Turn::Take { interrupted: true },
        Some(_) => Turn::Wait,
    }
}

/// Whether a holder may still ask that took hold, or renewed it, so long ago. One that was stopped for longer may have
/// been taken over.
pub fn may_ask(since: Duration) -> bool {
    since < HOLD - RENEW
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It works, and there may be a new secret.
    Good,
    /// A refusal in so many words.
    Refused,
    /// No definite answer.
    Silent {
        /// Whether the secret may have been used all the same.
        maybe_used: bool,
    },
}

/// What is written of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Writing {
    /// The new secret.
    Keep,
    /// That the account is refused.
    Break {
        /// Whether whoever was cut off before may have been given what replaced the secret that is refused now.
        interrupted: bool,
    },
    /// Nothing of the account.
    LetGo {
        /// Whether it stays noted that nobody knows how it ended.
        unknown: bool,
    },
}

/// On what a write is conditional.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The account has the version that was read.
    pub version: bool,
    /// The writer still holds it.
    pub holder: bool,
}

/// What is to be written of a reply.
pub fn writing(reply: Reply, interrupted: bool) -> Writing {
    match reply {
        Reply::Good => Writing::Keep,
        Reply::Refused => Writing::Break { interrupted },
        Reply::Silent { maybe_used } => Writing::LetGo { unknown: interrupted || maybe_used },
    }
}

/// What becomes of the hold with a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nobody holds the account.
    Free,
    /// Nobody does, and it is noted that it is not known how the last call ended.
    Noted,
    /// It stays as it stands: it is another's.
    AsItIs,
}

/// What becomes of the hold: `holding` is whether the writer still has it, `written` whether the account was as it had to
/// be.
pub fn after(writing: Writing, holding: bool, written: bool) -> After {
    match (writing, written) {
        _ if !holding => After::AsItIs,
        (Writing::Keep | Writing::Break { .. }, true) => After::Free,
        // Somebody who was taken over has written a new secret after all, while this one used the old one: that may have
        // ended what was written.
        (Writing::Keep | Writing::Break { .. }, false) => After::Noted,
        (Writing::LetGo { unknown }, _) => {
            if unknown {
                After::Noted
            } else {
                After::Free
            }
        }
    }
}

impl Writing {
    /// What must still be so when it is written.
    pub fn guard(self) -> Guard {
        match self {
            // Whatever happened to the hold: a new secret is worth having as long as nothing newer stands there.
            Self::Keep => Guard { version: true, holder: false },
            // A moved version is a race that was lost, and no dead account. A lost hold is one that is not over: whoever
            // took it may be the one whose use of the secret is why this one was refused.
            Self::Break { .. } => Guard { version: true, holder: true },
            Self::LetGo { .. } => Guard { version: false, holder: true },
        }
    }
}

#[cfg(test)]
mod explorer;
