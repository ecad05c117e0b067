//! Claims: a person's POST binds the session to that browser. A GET spends nothing; a later claim from another
//! browser takes over only when it says so explicitly, inherits nothing, and never while an answer is being checked.

use std::time::Duration;

use tracing::Instrument;

use super::choose::CHOOSING;
use super::{Connect, Error, Result, SessionView, encode};
use crate::contract::{StepKind, Target};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AttemptId, SessionId};
use crate::kernel::random::{Token, hash};
use crate::kernel::traces;
use crate::kernel::words::{AttemptState, EventKind, Purpose, SessionState};
use crate::store::{self, Attempt, Session, SessionUpdate, Wake};

/// How long a session can be handed over to another browser.
const HANDOVER: Duration = Duration::from_secs(300);

/// How a browser stands to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has claimed it.
    Unclaimed,
    /// This browser holds it.
    Mine,
    /// This browser claimed it, but the reply with its cookie was lost. Claiming again gives the same cookie.
    Begun,
    /// Another browser holds it; `busy` while an answer is being checked there.
    Elsewhere {
        /// Whether it cannot be taken over right now.
        busy: bool,
    },
    /// Another browser holds it and it has moved too often.
    MovedTooOften,
    /// It has ended; `mine` when this browser held it then.
    Ended {
        /// How.
        state: SessionState,
        /// Whether this browser may see what came of it.
        mine: bool,
    },
}

/// How a session is found before anybody holds it.
#[derive(Clone, Copy, Debug)]
pub enum Door<'a> {
    /// By its link's secret: whoever has the link.
    Link(&'a str),
    /// By its link's secret, if it is this session's: links that carry both.
    Pair(&'a SessionId, &'a str),
    /// By its id: the backend that made it, with its key.
    Id(&'a SessionId),
    /// By what its holder was given to go on in another browser.
    Handover(&'a str),
}

impl Door<'_> {
    /// Whether whoever comes this way was sent by the session's holder, so that taking it over needs no second word.
    pub fn is_handover(&self) -> bool {
        matches!(self, Self::Handover(_))
    }
}

/// What a link leads to, for a browser that has done nothing yet.
#[derive(Clone, Debug)]
pub struct Look {
    /// The session.
    pub view: SessionView,
    /// How this browser stands to it.
    pub standing: Standing,
    /// What the account to be repaired is called.
    pub account: Option<String>,
}

/// What became of a claim.
pub enum Claim {
    /// The browser holds the session now.
    Held {
        /// The session.
        id: SessionId,
        /// The fresh cookie's value; `None` when the browser held the session before.
        cookie: Option<Token>,
        /// When the session ends.
        expires_at: Millis,
    },
    /// It could not be had.
    Refused(Box<Look>),
}

/// One claim, decided inside its transaction.
struct Claiming {
    id: SessionId,
    cookie_hash: String,
    takeover: bool,
    limit: i64,
    now: Millis,
    attempt: Attempt,
    /// The hash of the way back from where its step sends the person.
    way_back: Option<String>,
}

impl Connect {
    /// Reads what a door leads to. `cookie_of` gives the browser's cookie for a session, `before` what it was
    /// given to keep before it held any.
    ///
    /// # Errors
    /// `NotFound("link")`, `Unavailable`.
    pub async fn look(
        &self,
        door: Door<'_>,
        cookie_of: impl Fn(&SessionId) -> Option<String>,
        before: Option<&str>,
    ) -> Result<Look> {
        let mut db = self.store.read().await?;
        let session = match door {
            Door::Link(secret) => db.session_by_link(&hash(secret)).await?,
            Door::Pair(id, secret) => {
                db.session_by_link(&hash(secret)).await?.filter(|session| session.id == *id)
            }
            Door::Id(id) => db.session(id).await?,
            Door::Handover(text) => match self.handed_over(text) {
                // It is good for leaving the claim that it was made under, so once.
                Some((id, claim_no)) => db
                    .session(&id)
                    .await?
                    .filter(|session| session.claim_no == claim_no || session.claim_no == claim_no + 1),
                None => None,
            },
        };
        let session = session.ok_or(Error::NotFound("link"))?;
        let attempt = match &session.attempt_id {
            Some(id) => db.attempt(id).await?,
            None => None,
        };
        let account = match (&session.purpose, &session.account_id) {
            (Purpose::Reconnect, Some(id)) => db.account(id).await?,
            _ => None,
        };
        drop(db);
        let cookie = cookie_of(&session.id);
        let now = self.now();
        let mut standing =
            standing(&session, attempt.as_ref(), cookie.as_deref(), self.limits.takeovers, now);
        if matches!(standing, Standing::Elsewhere { .. } | Standing::MovedTooOften) {
            let given = before.map(|before| self.claim_cookie(&session.id, session.claim_no, before));
            if holds(&session, given.as_ref().map(Token::reveal)) {
                standing = Standing::Begun;
            }
        }
        // A handover that was used leads nobody else anywhere.
        if let Door::Handover(text) = door
            && !matches!(standing, Standing::Mine | Standing::Begun)
            && self.handed_over(text).is_some_and(|(_, claim_no)| claim_no != session.claim_no)
        {
            return Err(Error::NotFound("link"));
        }
        let account = match account {
            Some(account) => Some(self.read_account(account)?.profile.label),
            None => None,
        };
        Ok(Look { view: self.read_session(session)?, standing, account })
    }

    /// Claims the session that a door leads to, for a browser on `host` (one of the configured ones).
    ///
    /// # Errors
    /// `NotFound("link")`, `ProviderUnavailable`, `Unavailable`.
    pub async fn claim(
        &self,
        door: Door<'_>,
        cookie_of: impl Fn(&SessionId) -> Option<String>,
        before: Option<&str>,
        takeover: bool,
        host: &str,
    ) -> Result<Claim> {
        // A second look decides when somebody else claims between the first look and the transaction.
        for _ in 0..3 {
            let look = self.look(door, &cookie_of, before).await?;
            let session = &look.view.session;
            let allowed = match look.standing {
                Standing::Unclaimed => true,
                Standing::Elsewhere { busy: false } => match door {
                    Door::Handover(text) => {
                        self.handed_over(text).is_some_and(|(_, claim_no)| claim_no == session.claim_no)
                    }
                    _ => takeover,
                },
                Standing::Mine => {
                    let (id, expires_at) = (session.id.clone(), session.expires_at);
                    return Ok(Claim::Held { id, cookie: None, expires_at });
                }
                Standing::Begun => {
                    let cookie =
                        before.map(|before| self.claim_cookie(&session.id, session.claim_no, before));
                    let (id, expires_at) = (session.id.clone(), session.expires_at);
                    return Ok(Claim::Held { id, cookie, expires_at });
                }
                Standing::Elsewhere { busy: true } | Standing::MovedTooOften | Standing::Ended { .. } => {
                    false
                }
            };
            if !allowed {
                return Ok(Claim::Refused(Box::new(look)));
            }
            let cookie = match before {
                Some(before) => self.claim_cookie(&session.id, session.claim_no + 1, before),
                None => Token::new(self.random()),
            };
            let span = tracing::info_span!(
                target: traces::TARGET,
                "wizard.open",
                session.id = %session.id,
                takeover,
            );
            let span = traces::below(span, session.trace.as_ref());
            let (attempt, way_back) = self.first_attempt(&look, door, host).instrument(span).await?;
            let claiming = Claiming {
                id: session.id.clone(),
                cookie_hash: cookie.hash(),
                takeover: takeover || door.is_handover(),
                limit: self.limits.takeovers,
                now: self.now(),
                attempt,
                way_back,
            };
            match self.store.write(claiming, |claiming, tx| Box::pin(claim(claiming, tx))).await {
                Ok(()) => {
                    tracing::info!(session.id = %session.id, takeover, "a link was opened");
                    let (id, expires_at) = (session.id.clone(), session.expires_at);
                    return Ok(Claim::Held { id, cookie: Some(cookie), expires_at });
                }
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }

    /// The cookie of one claim: a value of its own for every claim, and the same one when the same browser's
    /// claim comes twice, because it was pressed twice or its reply was lost. Nobody can make it without our key.
    fn claim_cookie(&self, id: &SessionId, claim_no: i64, before: &str) -> Token {
        Token::made(self.marker.mark("claim", &[id.as_str(), &claim_no.to_string(), before]))
    }

    /// What lets another browser go on with this session, once and within five minutes; `None` for a browser that does
    /// not hold it.
    ///
    /// # Errors
    /// `NotFound("session")`, `Unavailable`.
    pub async fn hand_over(&self, id: &SessionId, cookie: Option<&str>) -> Result<Option<String>> {
        let session = self.store.read().await?.session(id).await?.ok_or(Error::NotFound("session"))?;
        let now = self.now();
        if !holds(&session, cookie) || session.state_at(now) != SessionState::Open {
            return Ok(None);
        }
        let until = now.after(HANDOVER).0.to_string();
        Ok(Some(self.handover(id, session.claim_no, &until)))
    }

    fn handover(&self, id: &SessionId, claim_no: i64, until: &str) -> String {
        let mark = self.marker.mark("handover", &[id.as_str(), &claim_no.to_string(), until]);
        format!("{id}.{claim_no}.{until}.{mark}")
    }

    /// The session and the claim that a handover was made under, if we made it and it is in time.
    fn handed_over(&self, text: &str) -> Option<(SessionId, i64)> {
        let [id, claim_no, until, _] = text.split('.').collect::<Vec<_>>().try_into().ok()?;
        let (id, claim_no): (SessionId, i64) = (id.parse().ok()?, claim_no.parse().ok()?);
        let in_time = until.parse().is_ok_and(|until| Millis(until) >= self.now());
        // Compared as hashes, so that how long it takes tells nothing.
        let ours = hash(&self.handover(&id, claim_no, until)) == hash(text);
        (in_time && ours).then_some((id, claim_no))
    }

    /// The attempt that a claim starts with, and the hash of the way back from where its step sends the person. It is
    /// stored with the claim, so a claimed session always has one.
    async fn first_attempt(
        &self,
        look: &Look,
        door: Door<'_>,
        host: &str,
    ) -> Result<(Attempt, Option<String>)> {
        let session = &look.view.session;
        // Whoever was sent here by the session's holder has chosen already; nothing else comes along.
        let chosen = session.provider.clone().filter(|_| door.is_handover());
        let chosen = chosen.or_else(|| self.likely(session, look.view.request.email.as_deref()));
        let begun = match chosen {
            Some(slug) => {
                let email = look.view.request.email.clone();
                self.begin(session, &slug, email, &self.cx.allowance).await?
            }
            None => self.begin_choosing(session, look.view.request.email.as_deref()),
        };
        let now = self.now();
        let way_back = (begun.step.kind == StepKind::Redirect).then(|| begun.leaving.hash());
        let attempt = Attempt {
            id: AttemptId::new(now, self.random()),
            session_id: session.id.clone(),
            claim_no: session.claim_no + 1,
            provider: begun.chosen.provider,
            method: begun.chosen.method,
            host: host.to_owned(),
            state: AttemptState::Live,
            shown: encode(&super::attempts::Shown { step: *begun.step, state: begun.state })?,
            shown_version: 1,
            version: 1,
            busy_by: None,
            busy_until: None,
            talks_on: None,
            code: None,
            code_version: 0,
            created_at: now,
            updated_at: now,
        };
        Ok((attempt, way_back))
    }

    /// The account that a reconnect is for.
    pub(super) async fn target(&self, session: &Session) -> Result<Option<Target>> {
        let id = match (&session.purpose, &session.account_id) {
            (Purpose::Reconnect, Some(id)) => id,
            _ => return Ok(None),
        };
        let account = self.store.read().await?.account(id).await?.ok_or(Error::NotFound("account"))?;
        let view = self.read_account(account)?;
        Ok(Some(Target { identity: view.identity, profile: view.profile }))
    }
}

fn standing(
    session: &Session,
    attempt: Option<&Attempt>,
    cookie: Option<&str>,
    takeovers: i64,
    now: Millis,
) -> Standing {
    let mine = holds(session, cookie);
    match session.state_at(now) {
        SessionState::Open => {}
        state => return Standing::Ended { state, mine },
    }
    if mine {
        return Standing::Mine;
    }
    if session.claim_no == 0 {
        return Standing::Unclaimed;
    }
    if session.claim_no > takeovers {
        return Standing::MovedTooOften;
    }
    Standing::Elsewhere { busy: attempt.is_some_and(|attempt| attempt.is_busy(now)) }
}

/// Whether the browser with this cookie holds the session.
pub(super) fn holds(session: &Session, cookie: Option<&str>) -> bool {
    match (&session.cookie_hash, cookie) {
        (Some(stored), Some(cookie)) => *stored == hash(cookie),
        _ => false,
    }
}

async fn claim(claiming: &Claiming, tx: &mut store::Tx) -> store::Result<()> {
    let session = tx.session(&claiming.id).await?.ok_or(store::Error::NotFound)?;
    let attempt = match &session.attempt_id {
        Some(id) => tx.attempt(id).await?,
        None => None,
    };
    let took_over = match standing(&session, attempt.as_ref(), None, claiming.limit, claiming.now) {
        Standing::Unclaimed => false,
        Standing::Elsewhere { busy: false } if claiming.takeover => true,
        _ => return Err(store::Error::Conflict),
    };
    if claiming.attempt.claim_no != session.claim_no + 1 {
        return Err(store::Error::Conflict);
    }
    let mut update = SessionUpdate::from(&session);
    update.cookie_hash = Some(claiming.cookie_hash.clone());
    update.claim_no = session.claim_no + 1;
    update.claimed_at = Some(claiming.now);
    update.attempt_id = Some(claiming.attempt.id.clone());
    let chosen = Some(&*claiming.attempt.provider).filter(|slug| *slug != CHOOSING);
    update.provider = chosen.map(str::to_owned);
    tx.update_session(&claiming.id, session.version, &update).await?;
    if let Some(left) = &session.attempt_id {
        tx.end_attempt(left, claiming.now).await?;
        tx.wake(Wake::Attempt(left.as_str().to_owned()));
    }
    tx.insert_attempt(&claiming.attempt).await?;
    if let Some(way_back) = &claiming.way_back {
        tx.insert_return(way_back, &claiming.attempt.id, claiming.attempt.version).await?;
    }
    let kind = if took_over { EventKind::SessionTakenOver } else { EventKind::SessionOpened };
    let facts: Vec<_> = chosen.into_iter().map(|slug| ("provider", slug)).collect();
    tx.append_session_event(&claiming.id, kind, &facts).await?;
    Ok(())
}
