//! The outbox: facts about sessions and accounts, written in the transaction that made them true, which also puts them
//! on their way to the endpoints that want them. Each subject numbers its own events, so order needs no clock.

use std::collections::{BTreeMap, HashMap};

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use sqlx::query::Query;
use zeroize::Zeroizing;

use super::columns::Columns;
use super::conditions::placeholders;
use super::error::{Error, Result};
use super::{Db, Endpoint, Tx, Wake};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{AccountId, DeliveryId, EndpointId, EventId, SessionId};
use crate::kernel::words::{DeliveryState, EventKind};

const EVENTS: &str = "events";
const DETAILS: &str = "details";

/// A fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// The session's or account's id; the endpoint's where it was tried out.
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

/// Whom an event is about: its table keeps the count.
#[derive(Clone, Copy, Debug)]
enum Subject<'a> {
    Session(&'a SessionId),
    Account(&'a AccountId),
    Endpoint(&'a EndpointId),
}

fn lift_event(row: &AnyRow) -> Result<Event> {
    let mut columns = Columns::of(EVENTS, row);
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

    /// The events with these ids.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn events_named(&mut self, ids: impl Iterator<Item = &str>) -> Result<HashMap<String, Event>> {
        let ids: Vec<&str> = ids.collect();
        let head = "SELECT id, subject, seq, kind, facts, at FROM events WHERE id IN";
        let sql = format!("{head} ({})", placeholders(ids.len()));
        let query = ids.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), Query::bind);
        let rows = query.persistent(false).fetch_all(self.conn()).await?;
        rows.iter().map(|row| lift_event(row).map(|event| (event.id.to_string(), event))).collect()
    }

    /// What was known of the account when it was deleted, where that is what the event tells.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn last_details(&mut self, id: &EventId) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let found = sqlx::query("SELECT details FROM events WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(self.conn())
            .await?;
        let sealed = found.as_ref().map(|row| Columns::of(EVENTS, row).maybe_bytes()).transpose()?.flatten();
        sealed.map(|sealed| self.open(EVENTS, DETAILS, id.as_str(), 1, &sealed)).transpose()
    }

    /// Events behind this id, oldest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub(super) async fn events_after(&mut self, after: &str, limit: i64) -> Result<Vec<Event>> {
        let rows = sqlx::query(
            "SELECT id, subject, seq, kind, facts, at FROM events WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(self.conn())
        .await?;
        rows.iter().map(lift_event).collect()
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
}

impl Tx {
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

    /// Writes down that an endpoint was tried out. Nobody else is told.
    ///
    /// # Errors
    /// `NotFound` when there is no such endpoint, `Unavailable`.
    pub async fn append_test_event(&mut self, endpoint: &EndpointId) -> Result<Event> {
        self.append(Subject::Endpoint(endpoint), EventKind::WebhookTest, &[]).await
    }

    async fn append(
        &mut self,
        subject: Subject<'_>,
        kind: EventKind,
        facts: &[(&str, &str)],
    ) -> Result<Event> {
        // Each row keeps the count of its own events, and a session knows the account that it is about.
        let (count, id) = match subject {
            Subject::Session(id) => {
                ("UPDATE sessions SET seq = seq + 1 WHERE id = $1 RETURNING seq, account_id", id.as_str())
            }
            Subject::Account(id) => {
                ("UPDATE accounts SET seq = seq + 1 WHERE id = $1 RETURNING seq, id", id.as_str())
            }
            Subject::Endpoint(id) => {
                ("UPDATE endpoints SET seq = seq + 1 WHERE id = $1 RETURNING seq, id", id.as_str())
            }
        };
        let counted = sqlx::query(count).bind(id).fetch_optional(self.conn()).await?;
        let counted = counted.ok_or(Error::NotFound)?;
        let mut columns = Columns::of(EVENTS, &counted);
        let (seq, account) = (columns.int()?, columns.maybe_text()?);
        let now = self.shared.clock.now();
        let event = Event {
            id: EventId::new(now, &self.shared.random),
            subject: id.to_owned(),
            seq,
            kind,
            facts: facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            at: now,
        };
        let details = match subject {
            Subject::Account(id) if kind == EventKind::AccountDeleted => {
                let last = self.account(id).await?.ok_or(Error::NotFound)?;
                Some(self.seal(EVENTS, DETAILS, event.id.as_str(), 1, &last.details))
            }
            _ => None,
        };
        sqlx::query(
            "INSERT INTO events (id, subject, seq, kind, facts, at, details) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(event.id.as_str())
        .bind(&*event.subject)
        .bind(event.seq)
        .bind(kind.as_str())
        .bind(serde_json::json!(event.facts).to_string())
        .bind(now.0)
        .bind(details)
        .execute(self.conn())
        .await?;
        if !matches!(subject, Subject::Endpoint(_)) {
            let account = event.facts.get("account_id").cloned().or(account);
            self.tell_all(&event, account.as_deref()).await?;
        }
        Ok(event)
    }

    /// Puts an event on its way to an endpoint.
    ///
    /// # Errors
    /// `Conflict` when it is on its way there already, `Unavailable`.
    pub async fn enqueue(&mut self, event: &Event, endpoint: &Endpoint) -> Result<DeliveryId> {
        let set = self.set_on_its_way(event, &endpoint.id, &endpoint.lane, false).await?;
        set.ok_or(Error::Conflict)
    }

    /// The same, without waiting for what came before.
    ///
    /// # Errors
    /// `Conflict` when it is on its way there already, `Unavailable`.
    pub async fn enqueue_past_the_order(&mut self, event: &Event, endpoint: &Endpoint) -> Result<DeliveryId> {
        let set = self.set_on_its_way(event, &endpoint.id, &endpoint.lane, true).await?;
        set.ok_or(Error::Conflict)
    }

    /// Sets a delivery on its way; `None` when there is one already, since a fact is told to an endpoint under one id.
    pub(super) async fn set_on_its_way(
        &mut self,
        event: &Event,
        endpoint: &EndpointId,
        lane: &str,
        out_of_order: bool,
    ) -> Result<Option<DeliveryId>> {
        let now = self.shared.clock.now();
        let id = DeliveryId::new(now, &self.shared.random);
        // A session keeps the place in its backend's trace.
        let session = event.facts.get("session_id").unwrap_or(&event.subject);
        let made = sqlx::query(
            "INSERT INTO deliveries (id, event_id, endpoint_id, subject, seq, lane, state, out_of_order, tries, due_at, \
             leased_by, lease_until, version, body, trace, created_at, ended_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $11, 0, $8, NULL, NULL, 1, NULL, \
             COALESCE($9, (SELECT trace FROM sessions WHERE id = $10)), $8, NULL) \
             ON CONFLICT (event_id, endpoint_id) DO NOTHING",
        )
        .bind(id.as_str())
        .bind(event.id.as_str())
        .bind(endpoint.as_str())
        .bind(&*event.subject)
        .bind(event.seq)
        .bind(lane)
        .bind(DeliveryState::Due.as_str())
        .bind(now.0)
        .bind(self.trace.as_ref().map(|at| at.as_str().to_owned()))
        .bind(&**session)
        .bind(i64::from(out_of_order))
        .execute(self.conn())
        .await?;
        self.wake(Wake::Deliveries);
        Ok((made.rows_affected() == 1).then_some(id))
    }
}
