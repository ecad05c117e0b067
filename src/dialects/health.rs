//! How an account is, besides its status and cause: what somebody has to do, and the times that go with it. Both dialects
//! tell it, each under its own names.

use serde_json::{Value, json};

use crate::kernel::clock::Millis;
use crate::kernel::words::{Owner, UserAction};

/// What goes with a status.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    /// What somebody has to do.
    pub user_action: Option<UserAction>,
    /// Since when the status is as it is.
    pub status_at: Millis,
    /// When its provider last answered definitely.
    pub checked_at: Option<Millis>,
    /// When it is looked at next.
    pub check_at: Millis,
    /// The next end that is known of.
    pub ends_at: Option<Millis>,
    /// Who may be online with its session, where only one may.
    pub owner: Option<Owner>,
}

impl Health {
    /// What to do, since when it is so, when it was looked at last and is next, and when it ends.
    pub(super) fn words(&self) -> [Value; 5] {
        [
            json!(self.user_action),
            json!(self.status_at.rfc3339()),
            json!(self.checked_at.map(Millis::rfc3339)),
            json!(self.check_at.rfc3339()),
            json!(self.ends_at.map(Millis::rfc3339)),
        ]
    }
}
