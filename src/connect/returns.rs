//! Coming back from a provider's own pages. Only the browser that left, by its cookie, has the provider asked: at once where
//! it shows the cookie at the public callback. What any other brings there is parked under the attempt that its `state`
//! names, since the session may be another host's, to be taken out where the cookie is.
//! An administrator who comes back tells no more than that the person may try again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::claims::holds;
use super::{Connect, Error, Result, SessionView, View, decode, encode};
use crate::contract::{Action, Answer, Returns, StepKind, approval_callback, callback};
use crate::kernel::ids::SessionId;
use crate::kernel::random::{Token, hash};
use crate::kernel::secret::Secret;
use crate::kernel::words::{AttemptState, SessionState};
use crate::store::{self, Attempt, Session};

/// How long what was brought back is kept for the browser that left.
const PARKED_FOR: Duration = Duration::from_secs(120);
/// The code of a step that says that the approval was not given.
const DECLINED: &str = "approval_declined";

/// What became of a return at the callback.
pub enum Landing {
    /// The browser that left has come to its session's host: the provider was asked.
    Answered {
        /// The session.
        session: SessionId,
        /// Whether it could be asked, whatever came of it.
        asked: Result<()>,
    },
    /// It is parked; the browser goes on to its session on this host with the handle.
    Parked {
        /// The host that the attempt runs on, from the configured list.
        host: String,
        /// The session.
        session: SessionId,
        /// What the browser shows together with its cookie.
        handle: Token,
    },
    /// It came before, or the session has moved on since: its page shows what stands.
    Late {
        /// The host that the attempt runs on.
        host: String,
        /// The session.
        session: SessionId,
        /// Which of the two: a stable code for the log.
        code: &'static str,
    },
    /// Its session ended otherwise than with an account, or its time ran out: there is nothing to go on with, and the
    /// product may want to know.
    Over {
        /// The session.
        session: Box<SessionView>,
        /// How it ended.
        state: SessionState,
    },
    /// Nobody waits for it.
    Stray {
        /// Why: a stable code for the log.
        code: &'static str,
    },
}

/// What the engine makes before a provider is asked, for the case that it sends the person away.
pub(super) struct Leaving {
    pub(super) returns: Returns,
    state: Token,
}

impl Leaving {
    /// By what the way back is found.
    pub(super) fn hash(&self) -> String {
        self.state.hash()
    }
}

impl Connect {
    /// Fresh ways back for one call to a provider.
    pub(super) fn leaving(&self, slug: &str, session: &SessionId) -> Leaving {
        let state = Token::new(self.random());
        let returns = Returns {
            callback: callback(&self.origin, slug),
            state: Some(Secret::new(state.reveal())),
            approval_callback: approval_callback(&self.origin, slug),
            approval_state: Some(Secret::new(self.approval_state(session))),
        };
        Leaving { returns, state }
    }

    /// What an administrator brings back for a session: its id, and what only we can make of it.
    fn approval_state(&self, session: &SessionId) -> String {
        format!("{session}.{}", self.marker.mark("approval", &[session.as_str()]))
    }

    /// Goes on with what a browser brought back from the provider with this slug to the host `at`; parks it where nothing
    /// shows that this is the browser that left.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn land(
        &self,
        slug: &str,
        state: &str,
        brought: BTreeMap<String, Secret>,
        at: &str,
        cookie_of: impl Fn(&SessionId) -> Option<String>,
    ) -> Result<Landing> {
        let id = hash(state);
        let stray = |code| Ok(Landing::Stray { code });
        let Some((way, attempt, session)) = self.left(&id).await? else { return stray("state_unknown") };
        if attempt.provider != slug {
            return stray("callback_other_provider");
        }
        let state = session.state_at(self.now());
        let signed_in = matches!(state, SessionState::Connected | SessionState::Finishing);
        if !signed_in && state != SessionState::Open {
            let session = Box::new(self.read_session(session)?);
            return Ok(Landing::Over { session, state });
        }
        let cookie = cookie_of(&session.id);
        let left_here = attempt.host == at && holds(&session, cookie.as_deref());
        let host = attempt.host.clone();
        let late = |code| Ok(Landing::Late { host: host.clone(), session: session.id.clone(), code });
        // The reply that led to the end was lost, or the person went back: the session's page shows it.
        if signed_in {
            return late("state_repeated");
        }
        if attempt.state != AttemptState::Live || attempt.version != way.attempt_version {
            return late(if way.parked_at.is_some() { "state_repeated" } else { "state_stale" });
        }
        if left_here {
            let answer = Answer { action: Action::Returned, fields: brought };
            let (id, version) = (session.id.clone(), attempt.version);
            let read = (session, attempt);
            let asked = self.answer_with(read, cookie.as_deref(), version, answer, None).await;
            return Ok(Landing::Answered { session: id, asked });
        }
        let handle = self.handle(&id, &brought);
        let now = self.now();
        let context = (id, encode(&brought)?, handle.hash(), (now, now.before(PARKED_FOR)));
        let parked = self
            .store
            .write(context, |(id, brought, handle, (now, stale)), tx| {
                Box::pin(tx.park(id, brought, handle, *now, *stale))
            })
            .await;
        match parked {
            Ok(()) => Ok(Landing::Parked { host, session: session.id, handle }),
            // Loaded twice, by whatever looks ahead or after a broken connection: the same things lie there still.
            Err(store::Error::Conflict)
                if self.store.read().await?.parked(&attempt.id, &handle.hash()).await?.is_some() =>
            {
                Ok(Landing::Parked { host, session: session.id, handle })
            }
            Err(store::Error::Conflict) => late("state_repeated"),
            Err(error) => Err(error.into()),
        }
    }

    /// What a browser shows for what it brought on this way; the same for the same things, and nobody else can make it.
    fn handle(&self, way: &str, brought: &BTreeMap<String, Secret>) -> Token {
        let mut parts = vec![way];
        parts.extend(brought.iter().flat_map(|(name, value)| [name.as_str(), value.reveal()]));
        Token::made(self.marker.mark("handle", &parts))
    }

    /// Forgets what nobody took out in time.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn forget_parked(&self) -> Result<()> {
        let stale = self.now().before(PARKED_FOR);
        self.store.write(stale, |stale, tx| Box::pin(tx.forget_parked(*stale))).await?;
        Ok(())
    }

    async fn left(&self, id: &str) -> Result<Option<(store::Return, Attempt, Session)>> {
        let mut db = self.store.read().await?;
        let Some(way) = db.way_back(id).await? else { return Ok(None) };
        let Some(attempt) = db.attempt(&way.attempt_id).await? else { return Ok(None) };
        let session = db.session(&attempt.session_id).await?;
        Ok(session.map(|session| (way, attempt, session)))
    }

    /// A session with its attempt; `None` while nobody has claimed it.
    pub(super) async fn read(&self, id: &SessionId) -> Result<Option<(Session, Attempt)>> {
        let mut db = self.store.read().await?;
        let session = db.session(id).await?.ok_or(Error::NotFound("session"))?;
        let Some(attempt) = &session.attempt_id else { return Ok(None) };
        let attempt = db.attempt(attempt).await?.ok_or(Error::NotFound("attempt"))?;
        Ok(Some((session, attempt)))
    }

    /// Goes on with what was parked, for the browser with this cookie. Without the right handle nothing happens, and
    /// what stands is shown.
    ///
    /// # Errors
    /// `NotFound("session")`, `Unavailable`.
    pub async fn resume(
        &self,
        id: &SessionId,
        cookie: Option<&str>,
        handle: &str,
    ) -> Result<(SessionView, View)> {
        let Some(read) = self.read(id).await? else { return self.view(id, cookie).await };
        let parked = self.store.read().await?.parked(&read.1.id, &hash(handle)).await?;
        let in_time = |at| self.now().since(at) <= PARKED_FOR;
        if let Some(parked) = parked.filter(|parked| parked.way.parked_at.is_some_and(in_time)) {
            if !holds(&read.0, cookie) {
                // It stays there for the browser that left; this one is told so.
                tracing::info!(session.id = %id, cause = "callback_other_browser", "a return was refused");
                return self.view(id, cookie).await;
            }
            let answer = Answer { action: Action::Returned, fields: decode(&parked.brought)? };
            let version = parked.way.attempt_version;
            self.answer_with(read, cookie, version, answer, Some(parked.way.id)).await?;
        }
        self.view(id, cookie).await
    }

    /// Whether a person may try again, says an administrator who comes back with this `state`. Gives the session; it
    /// changes only where it waits for exactly that.
    ///
    /// # Errors
    /// `NotFound("link")` for a `state` that is none of ours or another provider's, `Unavailable`.
    pub async fn decide(&self, slug: &str, state: &str, granted: bool) -> Result<SessionView> {
        let unknown = || Error::NotFound("link");
        let id: SessionId = state.split_once('.').and_then(|(id, _)| id.parse().ok()).ok_or_else(unknown)?;
        if hash(&self.approval_state(&id)) != hash(state) {
            return Err(unknown());
        }
        let view = self.session(&id).await?;
        let attempt = match &view.session.attempt_id {
            Some(attempt) => self.store.read().await?.attempt(attempt).await?,
            None => None,
        };
        let attempt = attempt.filter(|attempt| attempt.provider == slug).ok_or_else(unknown)?;
        if attempt.state == AttemptState::Live && !attempt.is_busy(self.now()) {
            let shown: super::attempts::Shown = decode(&attempt.shown)?;
            // Said twice, a refusal would only take the form away under the person's hands.
            let said = !granted && shown.step.refusal() == Some(DECLINED);
            if shown.step.kind == StepKind::Wait && !said {
                let answer = Answer { action: Action::Decided { granted }, fields: BTreeMap::new() };
                self.answer_for(&id, attempt.version, answer).await?;
            }
        }
        Ok(view)
    }
}
