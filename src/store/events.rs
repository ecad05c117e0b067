//! The outbox: facts about sessions and accounts, written in the transaction that made them true, and the
//! endpoints that want them. Each subject numbers its own events, so order needs no clock.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use super::columns::Columns;
use super::error::{Error, Result};
use super::{Db, Tx, Wake};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AccountId, DeliveryId, EndpointId, EventId, SessionId};
use crate::kernel::words::{DeliveryState, Dialect, EventKind};

const ENDPOINTS: &str = "endpoints";
const TARGET: &str = "target";

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// The session's or account's id.
    pub subject: String,
    /// Its number among the subject's events, from one.
    pub seq: i64,
    /// What happened.
    pub kind: EventKind,
    /// Plain facts about it: ids, codes, never a secret or a person's data.
    pub facts: BTreeMap<String, String>,
    /// When.
    pub at: Millis,
}

/// A URL that wants events.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Whose words it is told in.
    pub dialect: Dialect,
    /// The session it lives and ends with.
    pub session_id: Option<SessionId>,
    /// The mark of its host: deliveries to one host share a lane.
    pub lane: String,
    /// The events it wants.
    pub kinds: Vec<EventKind>,
    /// Where to call and what to echo; the caller's bytes, sealed at rest.
    pub target: Zeroizing<Vec<u8>>,
    /// When it was made.
    pub created_at: Millis,
}

/// Whom an event is about: its table keeps the count.
#[derive(Clone, Copy, Debug)]
enum Subject<'a> {
    Session(&'a SessionId),
    Account(&'a AccountId),
}

fn lift_event(row: &AnyRow) -> Result<Event> {
    let mut columns = Columns::of("events", row);
    Ok(Event {
        id: columns.word(|id| id.parse().ok())?,
        subject: columns.text()?,
        seq: columns.int()?,
        kind: columns.word(EventKind::parse)?,
        facts: columns.json()?,
        at: columns.time()?,
    })
}

impl Db {
    /// The event with this id.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn event(&mut self, id: &EventId) -> Result<Option<Event>> {
        let found = sqlx::query("SELECT id, subject, seq, kind, facts, at FROM events WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(self.conn())
            .await?;
        found.as_ref().map(lift_event).transpose()
    }

    /// A subject's events in order.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn events_of(&mut self, subject: &str) -> Result<Vec<Event>> {
        let rows = sqlx::query(
            "SELECT id, subject, seq, kind, facts, at FROM events WHERE subject = $1 ORDER BY seq",
        )
        .bind(subject)
        .fetch_all(self.conn())
        .await?;
        rows.iter().map(lift_event).collect()
    }

    fn lift_endpoint(&self, row: &AnyRow) -> Result<Endpoint> {
        let mut columns = Columns::of(ENDPOINTS, row);
        let id: EndpointId = columns.word(|id| id.parse().ok())?;
        Ok(Endpoint {
            dialect: columns.word(Dialect::parse)?,
            session_id: columns.maybe_word(|id| id.parse().ok())?,
            lane: columns.text()?,
            kinds: columns.json()?,
            target: self.open(ENDPOINTS, TARGET, id.as_str(), 1, &columns.bytes()?)?,
            created_at: columns.time()?,
            id,
        })
    }

    /// The endpoint with this id.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn endpoint(&mut self, id: &EndpointId) -> Result<Option<Endpoint>> {
        let found = sqlx::query(
            "SELECT id, dialect, session_id, lane, kinds, target, created_at FROM endpoints WHERE id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(self.conn())
        .await?;
        found.as_ref().map(|row| self.lift_endpoint(row)).transpose()
    }

    /// The endpoint that lives with this session, if it has one.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn endpoint_of(&mut self, session: &SessionId) -> Result<Option<Endpoint>> {
        let found = sqlx::query(
            "SELECT id, dialect, session_id, lane, kinds, target, created_at FROM endpoints WHERE session_id = $1",
        )
        .bind(session.as_str())
        .fetch_optional(self.conn())
        .await?;
        found.as_ref().map(|row| self.lift_endpoint(row)).transpose()
    }
}

impl Tx {
    /// Adds an endpoint.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn insert_endpoint(&mut self, endpoint: &Endpoint) -> Result<()> {
        let target = self.seal(ENDPOINTS, TARGET, endpoint.id.as_str(), 1, &endpoint.target);
        sqlx::query("INSERT INTO endpoints (id, dialect, session_id, lane, kinds, target, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(endpoint.id.as_str())
            .bind(endpoint.dialect.as_str())
            .bind(endpoint.session_id.as_ref().map(SessionId::as_str))
            .bind(&*endpoint.lane)
            .bind(serde_json::json!(endpoint.kinds).to_string())
            .bind(target)
            .bind(endpoint.created_at.0)
            .execute(self.conn())
            .await?;
        Ok(())
    }

    /// Writes down a fact about a session.
    ///
    /// # Errors
    /// `NotFound` when there is no such session, `Unavailable`.
    pub async fn append_session_event(
        &mut self,
        session: &SessionId,
        kind: EventKind,
        facts: &[(&str, &str)],
    ) -> Result<Event> {
        self.append(Subject::Session(session), kind, facts).await
    }

    /// Writes down a fact about an account.
    ///
    /// # Errors
    /// `NotFound` when there is no such account, `Unavailable`.
    pub async fn append_account_event(
        &mut self,
        account: &AccountId,
        kind: EventKind,
        facts: &[(&str, &str)],
    ) -> Result<Event> {
        self.append(Subject::Account(account), kind, facts).await
    }

    async fn append(
        &mut self,
        subject: Subject<'_>,
        kind: EventKind,
        facts: &[(&str, &str)],
    ) -> Result<Event> {
        let (count, id) = match subject {
            Subject::Session(id) => {
                ("UPDATE sessions SET seq = seq + 1 WHERE id = $1 RETURNING seq", id.as_str())
            }
            Subject::Account(id) => {
                ("UPDATE accounts SET seq = seq + 1 WHERE id = $1 RETURNING seq", id.as_str())
            }
        };
        let seq: Option<i64> = sqlx::query_scalar(count).bind(id).fetch_optional(self.conn()).await?;
        let now = self.shared.clock.now();
        let event = Event {
            id: EventId::new(now, &self.shared.random),
            subject: id.to_owned(),
            seq: seq.ok_or(Error::NotFound)?,
            kind,
            facts: facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            at: now,
        };
        sqlx::query("INSERT INTO events (id, subject, seq, kind, facts, at) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(event.id.as_str())
            .bind(&*event.subject)
            .bind(event.seq)
            .bind(kind.as_str())
            .bind(serde_json::json!(event.facts).to_string())
            .bind(now.0)
            .execute(self.conn())
            .await?;
        Ok(event)
    }

    /// Puts an event on its way to an endpoint.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn enqueue(&mut self, event: &Event, endpoint: &Endpoint) -> Result<DeliveryId> {
        let id = DeliveryId::new(event.at, &self.shared.random);
        sqlx::query(
            "INSERT INTO deliveries (id, event_id, endpoint_id, subject, seq, lane, state, out_of_order, tries, due_at, \
             leased_by, lease_until, version, body, trace, created_at, ended_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, NULL, NULL, 1, NULL, \
             COALESCE($9, (SELECT trace FROM sessions WHERE id = $10)), $8, NULL)",
        )
        .bind(id.as_str())
        .bind(event.id.as_str())
        .bind(endpoint.id.as_str())
        .bind(&*event.subject)
        .bind(event.seq)
        .bind(&*endpoint.lane)
        .bind(DeliveryState::Due.as_str())
        .bind(event.at.0)
        .bind(self.trace.as_ref().map(|at| at.as_str().to_owned()))
        .bind(endpoint.session_id.as_ref().map(SessionId::as_str))
        .execute(self.conn())
        .await?;
        self.wake(Wake::Deliveries);
        Ok(id)
    }
}
