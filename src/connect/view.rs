//! What the browser that holds a session sees now. Reading it changes nothing.

use std::time::Duration;

use super::attempts::{Shown, spent};
use super::choose::CHOOSING;
use super::claims::holds;
use super::{Connect, Error, Result, SessionView, decode, finish};
use crate::contract::{Profile, Step};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AttemptId, SessionId};
use crate::kernel::secret::Secret;
use crate::kernel::words::{AttemptState, Purpose, SessionState};
use crate::store::{Calls, Store};

/// The code of a sign-in that was cut off by the end of the process that was busy with it.
const INTERRUPTED: &str = "interrupted";

/// What to show.
#[derive(Clone, Debug)]
pub enum View {
    /// A step to answer.
    Step {
        /// The attempt.
        attempt: AttemptId,
        /// The version an answer must name.
        version: i64,
        /// Raised with every code that the step shows, while the version stays.
        code_version: i64,
        /// The provider.
        provider: String,
        /// The step.
        step: Box<Step>,
    },
    /// An answer is being checked.
    Busy {
        /// The attempt, to wait for.
        attempt: AttemptId,
        /// The provider.
        provider: String,
    },
    /// It worked.
    Connected {
        /// The account.
        account: crate::kernel::ids::AccountId,
        /// The provider.
        provider: String,
        /// The account's public part.
        profile: Profile,
        /// Whether an account was repaired rather than made.
        repaired: bool,
    },
    /// The person has signed in, and goes home with a code that their backend has to redeem.
    Finishing {
        /// The provider.
        provider: String,
        /// The code.
        code: Secret,
        /// When it stops working.
        until: Millis,
    },
    /// It ended otherwise.
    Ended {
        /// How.
        state: SessionState,
        /// Why.
        cause: Option<String>,
    },
    /// This browser does not hold the session. `state` says whether it is over.
    NotYours {
        /// How the session stands.
        state: SessionState,
    },
}

impl View {
    /// The attempt whose moving on changes what is seen; `None` when nothing more will come.
    pub fn attempt(&self) -> Option<&AttemptId> {
        match self {
            Self::Step { attempt, .. } | Self::Busy { attempt, .. } => Some(attempt),
            Self::Connected { .. } | Self::Finishing { .. } | Self::Ended { .. } | Self::NotYours { .. } => {
                None
            }
        }
    }
}

/// Somebody who waits for attempts to move on.
pub struct Watching {
    store: Store,
    calls: Option<Calls>,
}

impl Watching {
    /// Returns when this attempt is said to have moved on, and after `patience` at the latest: a call that was lost on its
    /// way costs that much. Returns at once when another attempt was waited for before, so that whoever waits looks again
    /// and nothing falls in between.
    pub async fn moved(&mut self, attempt: &AttemptId, patience: Duration) {
        match self.calls.as_mut().filter(|calls| calls.attempt() == attempt.as_str()) {
            Some(calls) => {
                let _ = tokio::time::timeout(patience, calls.moved()).await;
            }
            None => self.calls = Some(self.store.calls(attempt)),
        }
    }
}

impl Connect {
    /// Begins to listen for attempts that move on.
    pub fn watching(&self) -> Watching {
        Watching { store: self.store.clone(), calls: None }
    }

    /// What the browser with this cookie sees of a session.
    ///
    /// # Errors
    /// `NotFound("session")`, `ProviderUnavailable` where the provider was switched off meanwhile, `Unavailable`.
    pub async fn view(&self, id: &SessionId, cookie: Option<&str>) -> Result<(SessionView, View)> {
        // Session and attempt are two reads; when an attempt ended in between, its session did too.
        for _ in 0..3 {
            if let Some(seen) = self.view_once(id, cookie).await? {
                return Ok(seen);
            }
        }
        Err(Error::Conflict)
    }

    async fn view_once(&self, id: &SessionId, cookie: Option<&str>) -> Result<Option<(SessionView, View)>> {
        let mut db = self.store.read().await?;
        let session = db.session(id).await?.ok_or(Error::NotFound("session"))?;
        let now = self.now();
        let state = session.state_at(now);
        let seen = if !holds(&session, cookie) {
            View::NotYours { state }
        } else {
            match (state, &session.attempt_id, &session.account_id) {
                (SessionState::Open, Some(attempt), _) => {
                    let attempt = db.attempt(attempt).await?.ok_or(Error::NotFound("attempt"))?;
                    if attempt.state != AttemptState::Live {
                        return Ok(None);
                    }
                    if attempt.provider != CHOOSING {
                        // Switched off since: its words are gone with it, and nobody could go on.
                        self.provider(&attempt.provider)?;
                    }
                    if attempt.is_busy(now) {
                        View::Busy { attempt: attempt.id, provider: attempt.provider }
                    } else {
                        let mut shown: Shown = decode(&attempt.shown)?;
                        if attempt.was_cut_off(now) {
                            spent(&mut shown.step, INTERRUPTED);
                        }
                        if shown.step.live {
                            shown.step.code = self.code_of(&attempt, &mut db).await?;
                        }
                        View::Step {
                            attempt: attempt.id,
                            version: attempt.version,
                            code_version: attempt.code_version,
                            provider: attempt.provider,
                            step: Box::new(shown.step),
                        }
                    }
                }
                (SessionState::Connected, _, Some(account)) => match db.account(account).await? {
                    Some(account) => {
                        let account = self.read_account(account)?;
                        View::Connected {
                            account: account.id,
                            provider: account.provider,
                            profile: account.profile,
                            repaired: session.purpose == Purpose::Reconnect,
                        }
                    }
                    // Connected here, deleted by the product since.
                    None => View::Ended { state, cause: Some("account_deleted".to_owned()) },
                },
                (SessionState::Finishing, ..) => match db.finish(id).await? {
                    Some(waits) if waits.due_at > now => View::Finishing {
                        provider: waits.provider,
                        code: Secret::new(self.finish_code(&session).reveal()),
                        until: waits.due_at,
                    },
                    Some(_) => {
                        View::Ended { state: SessionState::Failed, cause: Some(finish::LATE.to_owned()) }
                    }
                    // Redeemed in between.
                    None => return Ok(None),
                },
                _ => View::Ended { state, cause: session.cause.clone() },
            }
        };
        drop(db);
        Ok(Some((self.read_session(session)?, seen)))
    }
}
