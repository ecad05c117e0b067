//! The log of deliveries, and sending them once more: one by one, past the order, or an endpoint's events since a time,
//! in order again.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::columns::Columns;
use super::conditions::conditions;
use super::deliveries::select;
use super::error::{Error, Result};
use super::{Db, Delivery, Endpoint, Event, Tx, Wake};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{DeliveryId, EndpointId, EventId, SessionId};
use crate::kernel::random::Random;
use crate::kernel::words::{DeliveryState, EventKind};

/// Which deliveries to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only those standing so.
    pub state: Option<DeliveryState>,
    /// Only those about this session or account.
    pub subject: Option<String>,
    /// Only those to this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Only those older than this one (its id).
    pub before: Option<String>,
    /// Leave out this many of them.
    pub offset: i64,
    /// At most this many.
    pub limit: i64,
}

impl DeliveryFilter {
    /// The conditions, and what they compare with.
    pub(super) fn conditions(&self) -> (String, Vec<&str>) {
        conditions(&[
            ("state =", self.state.map(DeliveryState::as_str)),
            ("subject =", self.subject.as_deref()),
            ("endpoint_id =", self.endpoint.as_ref().map(EndpointId::as_str)),
            ("id <", self.before.as_deref()),
        ])
    }
}

/// How far a replay since a time has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Deliveries that are on their way now.
    pub deliveries: i64,
    /// The last event that was looked at, where there may be more.
    pub reached: Option<EventId>,
}

impl Db {
    /// Deliveries, newest first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn deliveries(&mut self, filter: &DeliveryFilter) -> Result<Vec<Delivery>> {
        let (conditions, values) = filter.conditions();
        let (limit, offset) = (values.len() + 1, values.len() + 2);
        let head = select!("");
        let sql = format!("{head}{conditions} ORDER BY id DESC LIMIT ${limit} OFFSET ${offset}");
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for value in values {
            query = query.bind(value);
        }
        let rows = query.bind(filter.limit).bind(filter.offset).fetch_all(self.conn()).await?;
        rows.iter().map(|row| self.lift_delivery(row)).collect()
    }

    /// How many deliveries there are, whatever the filter says of a page.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn count_deliveries(&mut self, filter: &DeliveryFilter) -> Result<i64> {
        let (conditions, values) = filter.conditions();
        let sql = format!("SELECT COUNT(*) FROM deliveries {conditions}");
        let mut query = sqlx::query_scalar(AssertSqlSafe(sql));
        for value in values {
            query = query.bind(value);
        }
        Ok(query.fetch_one(self.conn()).await?)
    }

    /// The account that an event is about, if any.
    async fn account_of(&mut self, event: &Event) -> Result<Option<String>> {
        if let Some(known) = event.facts.get("account_id") {
            return Ok(Some(known.clone()));
        }
        if event.subject.parse::<SessionId>().is_err() {
            return Ok(Some(event.subject.clone()));
        }
        let found = sqlx::query("SELECT account_id FROM sessions WHERE id = $1")
            .bind(&*event.subject)
            .fetch_optional(self.conn())
            .await?;
        Ok(found.as_ref().map(|row| Columns::of("sessions", row).maybe_text()).transpose()?.flatten())
    }
}

impl Tx {
    /// Sends a finished or given-up delivery once more, with its id, past the order. One that is still due is
    /// tried at once. `false` when there is none, or it is being tried.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn replay_delivery(&mut self, id: &DeliveryId, now: Millis) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE deliveries SET out_of_order = CASE WHEN state = $1 THEN out_of_order ELSE 1 END, \
             tried_before = CASE WHEN state = $1 THEN tried_before ELSE tries END, state = $1, \
             due_at = $2, ended_at = NULL, version = version + 1 WHERE id = $3 AND leased_by IS NULL",
        )
        .bind(DeliveryState::Due.as_str())
        .bind(now.0)
        .bind(id.as_str())
        .execute(self.conn())
        .await?;
        self.wake(Wake::Deliveries);
        Ok(done.rows_affected() == 1)
    }

    /// Puts the next events, at most `limit`, on their way to an endpoint, whether or not they were told before: a
    /// delivery that exists keeps its id and its place in the order, others are made. Those under way stay as they are.
    ///
    /// # Errors
    /// `NotFound` when the endpoint was deleted, `Unavailable`, `Corrupt`.
    pub async fn recover_events(
        &mut self,
        endpoint: &Endpoint,
        after: &str,
        limit: i64,
    ) -> Result<Recovered> {
        // One replay of an endpoint at a time: two that write the same deliveries would wait for each other.
        let locked = sqlx::query("UPDATE endpoints SET seq = seq WHERE id = $1")
            .bind(endpoint.id.as_str())
            .execute(self.conn())
            .await?;
        if locked.rows_affected() == 0 {
            return Err(Error::NotFound);
        }
        let events = self.events_after(after, limit).await?;
        let full = i64::try_from(events.len()).is_ok_and(|found| found == limit);
        let reached = events.last().filter(|_| full).map(|event| event.id.clone());
        let mut deliveries = 0;
        for event in events {
            if event.kind == EventKind::WebhookTest || !endpoint.wants(&event) {
                continue;
            }
            let account = self.account_of(&event).await?;
            if self.hears_of(endpoint, account.as_deref()).await? {
                deliveries += i64::from(self.tell_again(&event, endpoint).await?);
            }
        }
        Ok(Recovered { deliveries, reached })
    }

    /// Puts an event on its way to an endpoint once more, in order; `false` when it is on its way.
    async fn tell_again(&mut self, event: &Event, endpoint: &Endpoint) -> Result<bool> {
        let known: Vec<AnyRow> =
            sqlx::query("SELECT id FROM deliveries WHERE event_id = $1 AND endpoint_id = $2")
                .bind(event.id.as_str())
                .bind(endpoint.id.as_str())
                .fetch_all(self.conn())
                .await?;
        if known.is_empty() {
            // Nothing is made where another replay made it at the same moment.
            let made = self.set_on_its_way(event, &endpoint.id, &endpoint.lane, false).await?;
            return Ok(made.is_some());
        }
        let now = self.shared.clock.now();
        let done = sqlx::query(
            "UPDATE deliveries SET state = $1, out_of_order = 0, tried_before = tries, due_at = $2, ended_at = NULL, \
             version = version + 1 WHERE event_id = $3 AND endpoint_id = $4 \
             AND (state <> $1 OR (out_of_order = 1 AND leased_by IS NULL))",
        )
        .bind(DeliveryState::Due.as_str())
        .bind(now.0)
        .bind(event.id.as_str())
        .bind(endpoint.id.as_str())
        .execute(self.conn())
        .await?;
        self.wake(Wake::Deliveries);
        Ok(done.rows_affected() > 0)
    }
}

/// The id before every event of this time and later.
pub fn events_since(at: Millis) -> EventId {
    EventId::new(at, &Random::new(|bytes| bytes.fill(0)))
}
