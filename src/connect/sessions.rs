//! Sessions from the backend's side: making, reading, listing, taking back.

use url::Url;

use super::{Absence, Broken, Connect, Error, Once, Request, Result, Target, decode, encode};
use crate::kernel::clock::Millis;
use crate::kernel::figures::figures;
use crate::kernel::ids::{AccountId, EndpointId, SessionId};
use crate::kernel::random::Token;
use crate::kernel::reference::Reference;
use crate::kernel::traces;
use crate::kernel::words::{Dialect, EndpointState, EventKind, Purpose, SessionState};
use crate::store::{Endpoint, Session, SessionFilter, Wanted};

/// What is wrong with a URL that cannot be called.
pub(super) const OUT_OF_REACH: &str =
    "points at an address this server may not call; allow its network with VESTIBULE_EGRESS_ALLOW";

/// What the session is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Connect an account at one of these providers (slugs). An explicit list is narrowed with a line in the log,
    /// a wildcard silently.
    Create {
        /// The slugs.
        providers: Vec<String>,
        /// Whether the backend named them one by one.
        explicit: bool,
    },
    /// Repair this account.
    Reconnect(AccountId),
}

/// A session to be made.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The API that asks.
    pub dialect: Dialect,
    /// What for.
    pub goal: Goal,
    /// When the link shall stop working; brought forward to the longest life allowed.
    pub expires_at: Millis,
    /// What `notify_url` is told of.
    pub told: Vec<EventKind>,
    /// The rest.
    pub request: Request,
}

/// A session just made, with its link's secret, which is shown this once.
pub struct CreatedSession {
    /// The session.
    pub session: Session,
    /// The link's secret.
    pub secret: Token,
}

/// A session as its backend reads it.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// The session.
    pub session: Session,
    /// Where it stands now.
    pub state: SessionState,
    /// What was asked for.
    pub request: Request,
}

impl Connect {
    /// Makes a session. With `once` its reply is kept in the same transaction, for the call to come again.
    ///
    /// # Errors
    /// `Invalid` (fields `expires_at`, `providers`, `account`, `notify_url`), `NoProvider`, `NotFound("account")`,
    /// `Conflict` when the call lost its turn meanwhile, `Unavailable`.
    pub async fn create_session(
        &self,
        mut new: NewSession,
        once: Option<Once<'_>>,
    ) -> Result<CreatedSession> {
        let now = self.now();
        let broken = self.broken(&new, now);
        if !broken.is_empty() {
            return Err(Error::Invalid(broken));
        }
        let (purpose, providers, account_id) = match &new.goal {
            Goal::Create { providers, explicit } => {
                (Purpose::Create, self.narrow(providers, *explicit)?, None)
            }
            Goal::Reconnect(id) => {
                let account =
                    self.store.read().await?.account(id).await?.ok_or(Error::NotFound("account"))?;
                if self.provider(&account.provider).is_err() {
                    return Err(Error::invalid(
                        "account",
                        "belongs to a provider that is not available here",
                    ));
                }
                let providers = vec![account.provider.clone()];
                let id = account.id.clone();
                // The backend knows the account by the name it was connected under.
                new.request.name = new.request.name.or(self.read_account(account)?.name);
                (Purpose::Reconnect, providers, Some(id))
            }
        };
        let id = SessionId::new(now, self.random());
        let endpoint = match &new.request.notify_url {
            Some(url) => Some(self.notify_endpoint(&id, &new, url, now)?),
            None => None,
        };
        let secret = Token::new(self.random());
        let session = Session {
            provider: asked_for(&new.goal, &providers),
            providers,
            name_mark: new.request.name.as_deref().map(|name| self.name_mark(name)),
            account_id,
            trace: traces::current(),
            ..Session::unopened(
                id,
                new.dialect,
                purpose,
                secret.hash(),
                encode(&new.request)?,
                now,
                new.expires_at.min(now.after(self.limits.session_life)),
            )
        };
        let created = CreatedSession { session, secret };
        let done = once.map(|once| (once.reply)(&created).map(|reply| (once.turn, reply))).transpose()?;
        let context = (created.session.clone(), endpoint, done);
        self.store
            .write(context, |(session, endpoint, done), tx| {
                Box::pin(async move {
                    tx.insert_session(session).await?;
                    if let Some(endpoint) = endpoint {
                        tx.insert_endpoint(endpoint).await?;
                    }
                    match done {
                        Some((turn, reply)) => turn.finish(session, Some(reply), tx).await,
                        None => Ok(()),
                    }
                })
            })
            .await?;
        figures().sessions_created.inc();
        Ok(created)
    }

    /// The rules that need more than the request's own text.
    fn broken(&self, new: &NewSession, now: Millis) -> Vec<Broken> {
        let mut broken = Vec::new();
        if new.expires_at <= now {
            let rule = format!("must be in the future (it is {now} here)");
            broken.push(Broken { field: "expires_at", rule });
        }
        let ways_home = [
            ("success_redirect_url", &new.request.success_redirect_url),
            ("failure_redirect_url", &new.request.failure_redirect_url),
        ];
        for (field, url) in ways_home {
            if url.as_ref().is_some_and(|url| self.is_callback(url)) {
                let rule = "is where providers send people back to this server; give the address of your product \
                            where people shall end up, and register this one at the provider";
                broken.push(Broken { field, rule: rule.to_owned() });
            }
        }
        let host = |url: &String| Some(Url::parse(url).ok()?.host_str()?.to_owned());
        if let Some(host) = new.request.notify_url.as_ref().and_then(host)
            && !self.cx.egress.may_reach(&host)
        {
            // Refused again on the address when it is called; saying so now spares the product a silent wait.
            broken.push(Broken { field: "notify_url", rule: OUT_OF_REACH.to_owned() });
        }
        broken
    }

    /// Whether an address is one of ours that only providers send people to.
    fn is_callback(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        let ours = url.origin().ascii_serialization().eq_ignore_ascii_case(&self.origin);
        ours && url.path().trim_start_matches('/').starts_with("providers/")
    }

    fn notify_endpoint(
        &self,
        session: &SessionId,
        new: &NewSession,
        url: &str,
        now: Millis,
    ) -> Result<Endpoint> {
        let parsed = Url::parse(url).map_err(|_| Error::invalid("notify_url", "must be an absolute URL"))?;
        let host = parsed.host_str().unwrap_or_default();
        let port = parsed.port_or_known_default().unwrap_or_default().to_string();
        Ok(Endpoint {
            id: EndpointId::new(now, self.random()),
            dialect: new.dialect,
            session_id: Some(session.clone()),
            lane: self.marker.mark("lane", &[host, &port]),
            wanted: new.told.iter().copied().map(Wanted::from).collect(),
            target: encode(&Target {
                url: url.to_owned(),
                name: new.request.name.clone(),
                ..Target::default()
            })?,
            version: 1,
            state: EndpointState::Enabled,
            some_accounts: false,
            created_at: now,
        })
    }

    /// Leaves the providers that can be used.
    fn narrow(&self, asked: &[String], explicit: bool) -> Result<Vec<String>> {
        let is_here = |slug: &String| self.catalogue.iter().any(|provider| provider.about().slug == *slug);
        let (here, missing): (Vec<_>, Vec<_>) = asked.iter().cloned().partition(is_here);
        let why = |slug: String| {
            let absence = self.absent.get(&slug).copied().unwrap_or(Absence::NotBuilt);
            (slug, absence)
        };
        if here.is_empty() {
            return Err(Error::NoProvider(missing.into_iter().map(why).collect()));
        }
        if explicit && !missing.is_empty() {
            tracing::info!(
                ?missing,
                "a link was asked for with providers that are not available; they are left out"
            );
        }
        Ok(here)
    }

    /// A session as its backend reads it.
    ///
    /// # Errors
    /// `NotFound("session")`, `Unavailable`.
    pub async fn session(&self, id: &SessionId) -> Result<SessionView> {
        let found = self.store.read().await?.session(id).await?;
        self.read_session(found.ok_or(Error::NotFound("session"))?)
    }

    /// The session that a person's reference stands for; the newest, should two ever share one.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn session_by_reference(&self, reference: &Reference) -> Result<SessionView> {
        let found = self.store.read().await?.sessions_by_end(reference.as_str()).await?;
        self.read_session(found.into_iter().next().ok_or(Error::NotFound("session"))?)
    }

    /// What happened in a session, in order.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn timeline(&self, id: &SessionId) -> Result<Vec<crate::store::Event>> {
        Ok(self.store.read().await?.events_of(id.as_str()).await?)
    }

    /// Sessions, newest first; with one more than `limit` when there are more.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn sessions(
        &self,
        dialect: Option<Dialect>,
        name: Option<&str>,
        before: Option<String>,
        limit: i64,
    ) -> Result<Vec<SessionView>> {
        let filter = SessionFilter {
            dialect,
            name_mark: name.map(|name| self.name_mark(name)),
            before,
            offset: 0,
            limit: limit + 1,
        };
        let found = self.store.read().await?.sessions(&filter).await?;
        found.into_iter().map(|session| self.read_session(session)).collect()
    }

    /// One numbered page of sessions, newest first, and how many there are in all.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn session_page(
        &self,
        dialect: Dialect,
        name: Option<&str>,
        page: Page,
    ) -> Result<(Vec<SessionView>, i64)> {
        let filter = SessionFilter {
            dialect: Some(dialect),
            name_mark: name.map(|name| self.name_mark(name)),
            before: None,
            offset: page.offset(),
            limit: page.limit,
        };
        let mut db = self.store.read().await?;
        let (found, total) = (db.sessions(&filter).await?, db.count_sessions(&filter).await?);
        drop(db);
        let views: Result<Vec<_>> = found.into_iter().map(|session| self.read_session(session)).collect();
        Ok((views?, total))
    }

    pub(super) fn read_session(&self, session: Session) -> Result<SessionView> {
        Ok(SessionView { state: session.state_at(self.now()), request: decode(&session.request)?, session })
    }
}

/// A numbered page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its number, counted from one.
    pub number: i64,
    /// How many things are on a page.
    pub limit: i64,
}

impl Page {
    pub(super) fn offset(self) -> i64 {
        (self.number - 1).saturating_mul(self.limit)
    }
}

/// The one provider that the backend asked for by name, or that the account to repair belongs to.
fn asked_for(goal: &Goal, providers: &[String]) -> Option<String> {
    match (goal, providers) {
        (Goal::Create { explicit: false, .. }, _) => None,
        (_, [only]) => Some(only.clone()),
        _ => None,
    }
}

impl std::fmt::Debug for CreatedSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedSession").field("session", &self.session.id).finish_non_exhaustive()
    }
}
