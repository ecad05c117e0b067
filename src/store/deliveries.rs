//! Deliveries: one event on its way to one endpoint, and the tries at it. How they are claimed, lane by lane, is in
//! `lanes.rs`.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use sqlx::query::Query;
use zeroize::Zeroizing;

use super::columns::Columns;
use super::conditions::placeholders;
use super::error::{Error, Result};
use super::{Db, Tx, Wake};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{DeliveryId, EndpointId, EventId};
use crate::kernel::traces::Parent;
use crate::kernel::words::DeliveryState;

const TABLE: &str = "deliveries";
const BODY: &str = "body";
const TRIES: &str = "delivery_tries";
const ANSWER: &str = "answer";

/// One event on its way.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id; the receiver sees it, and replays keep it.
    pub id: DeliveryId,
    /// What it tells.
    pub event_id: EventId,
    /// Whom it tells.
    pub endpoint_id: EndpointId,
    /// The session or account it is about.
    pub subject: String,
    /// The event's number among the subject's.
    pub seq: i64,
    /// Where it stands.
    pub state: DeliveryState,
    /// Whether it goes past the order: a replay, or a test.
    pub out_of_order: bool,
    /// How often it was tried.
    pub tries: i64,
    /// How many of these came before it was last sent on its way.
    pub tried_before: i64,
    /// When it may be tried next.
    pub due_at: Millis,
    /// Which node is trying it.
    pub leased_by: Option<String>,
    /// Raised by every change.
    pub version: i64,
    /// Where in a trace it was set on its way.
    pub trace: Option<Parent>,
    /// What is sent, from the first try on; sealed at rest.
    pub body: Option<Zeroizing<Vec<u8>>>,
    /// When it was made.
    pub created_at: Millis,
    /// When it was done or given up.
    pub ended_at: Option<Millis>,
}

/// One try at a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Try {
    /// From one.
    pub number: i64,
    /// When it began.
    pub at: Millis,
    /// How long it took, in milliseconds.
    pub took: i64,
    /// The answer's status.
    pub status: Option<i64>,
    /// What went wrong: a stable code.
    pub problem: Option<String>,
    /// The first 4 KiB of the answer; sealed at rest.
    pub answer: Option<Vec<u8>>,
}

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT id, event_id, endpoint_id, subject, seq, state, out_of_order, tries, tried_before, due_at, leased_by, ",
            "version, body, trace, created_at, ended_at FROM deliveries ",
            $tail
        )
    };
}

pub(super) use select;

impl Db {
    pub(super) fn lift_delivery(&self, row: &AnyRow) -> Result<Delivery> {
        let mut columns = Columns::of(TABLE, row);
        let id: DeliveryId = columns.word(|id| id.parse().ok())?;
        Ok(Delivery {
            event_id: columns.word(|id| id.parse().ok())?,
            endpoint_id: columns.word(|id| id.parse().ok())?,
            subject: columns.text()?,
            seq: columns.int()?,
            state: columns.word(DeliveryState::parse)?,
            out_of_order: columns.int()? != 0,
            tries: columns.int()?,
            tried_before: columns.int()?,
            due_at: columns.time()?,
            leased_by: columns.maybe_text()?,
            version: columns.int()?,
            body: match columns.maybe_bytes()? {
                Some(sealed) => Some(self.open(TABLE, BODY, id.as_str(), 1, &sealed)?),
                None => None,
            },
            trace: columns.maybe_word(Parent::parse)?,
            created_at: columns.time()?,
            ended_at: columns.maybe_time()?,
            id,
        })
    }

    /// The delivery with this id.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn delivery(&mut self, id: &DeliveryId) -> Result<Option<Delivery>> {
        let found =
            sqlx::query(select!("WHERE id = $1")).bind(id.as_str()).fetch_optional(self.conn()).await?;
        found.as_ref().map(|row| self.lift_delivery(row)).transpose()
    }

    /// The tries at a delivery, in order.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn tries(&mut self, id: &DeliveryId) -> Result<Vec<Try>> {
        Ok(self.tries_at([id.as_str()].into_iter()).await?.remove(id.as_str()).unwrap_or_default())
    }

    /// The tries at each of these deliveries, in order.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn tries_at(&mut self, ids: impl Iterator<Item = &str>) -> Result<HashMap<String, Vec<Try>>> {
        let ids: Vec<&str> = ids.collect();
        let head = "SELECT delivery_id, number, at, took, status, problem, answer FROM delivery_tries WHERE delivery_id IN";
        let sql = format!("{head} ({}) ORDER BY delivery_id, number", placeholders(ids.len()));
        let query = ids.into_iter().fold(sqlx::query(AssertSqlSafe(sql)), Query::bind);
        let rows = query.persistent(false).fetch_all(self.conn()).await?;
        let mut tries: HashMap<String, Vec<Try>> = HashMap::new();
        for row in &rows {
            let mut columns = Columns::of(TRIES, row);
            let (id, number) = (columns.text()?, columns.int()?);
            let one = Try {
                number,
                at: columns.time()?,
                took: columns.int()?,
                status: columns.maybe_int()?,
                problem: columns.maybe_text()?,
                answer: match columns.maybe_bytes()? {
                    Some(sealed) => Some(self.open(TRIES, ANSWER, &id, number, &sealed)?.to_vec()),
                    None => None,
                },
            };
            tries.entry(id).or_default().push(one);
        }
        Ok(tries)
    }
}

impl Tx {
    /// Keeps the body that every try sends.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn keep_body(&mut self, id: &DeliveryId, body: &[u8]) -> Result<()> {
        let sealed = self.seal(TABLE, BODY, id.as_str(), 1, body);
        sqlx::query("UPDATE deliveries SET body = $1 WHERE id = $2 AND body IS NULL")
            .bind(sealed)
            .bind(id.as_str())
            .execute(self.conn())
            .await?;
        Ok(())
    }

    /// Writes down what became of a try and lets go: `Due` again at `due_at`, `Done` or `Dead`. One that was taken is
    /// due once more when something before it was sent on its way again meanwhile, or its call and another of its
    /// subject crossed: so the last thing that a receiver hears is the last that happened.
    ///
    /// # Errors
    /// `Conflict` when somebody else took it over, `Unavailable`.
    pub async fn finish_try(
        &mut self,
        delivery: &Delivery,
        state: DeliveryState,
        due_at: Millis,
        tried: &Try,
    ) -> Result<()> {
        // A replay that is under way is waited for, or waits: either it sees this end, or this sees what it brings back.
        if let Some(statement) = self.shared.kind.shared("SELECT id FROM endpoints WHERE id = $1") {
            sqlx::query(statement).bind(delivery.endpoint_id.as_str()).fetch_optional(self.conn()).await?;
        }
        let again = state == DeliveryState::Done && self.was_overtaken(delivery).await?;
        let state = if again { DeliveryState::Due } else { state };
        let ended_at = (state != DeliveryState::Due).then(|| self.shared.clock.now().0);
        let done = sqlx::query(
            "UPDATE deliveries SET state = $1, due_at = $2, ended_at = $3, tries = tries + 1, leased_by = NULL, \
             lease_until = NULL, version = version + 1, \
             tried_before = CASE WHEN $6 = 1 THEN tries + 1 ELSE tried_before END WHERE id = $4 AND version = $5",
        )
        .bind(state.as_str())
        .bind(due_at.0)
        .bind(ended_at)
        .bind(delivery.id.as_str())
        .bind(delivery.version)
        .bind(i64::from(again))
        .execute(self.conn())
        .await?;
        if done.rows_affected() != 1 {
            return Err(Error::Conflict);
        }
        let answer = tried
            .answer
            .as_ref()
            .map(|plain| self.seal(TRIES, ANSWER, delivery.id.as_str(), tried.number, plain));
        sqlx::query(
            "INSERT INTO delivery_tries (delivery_id, number, at, took, status, problem, answer) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(delivery.id.as_str())
        .bind(tried.number)
        .bind(tried.at.0)
        .bind(tried.took)
        .bind(tried.status)
        .bind(tried.problem.as_deref())
        .bind(answer)
        .execute(self.conn())
        .await?;
        if again || state != DeliveryState::Due {
            // The subject's next delivery is at the head now.
            self.wake(Wake::Deliveries);
        }
        Ok(())
    }

    /// Whether something before it is due, which can only have come back, or another of its subject is being tried.
    async fn was_overtaken(&mut self, delivery: &Delivery) -> Result<bool> {
        if delivery.out_of_order {
            return Ok(false);
        }
        let others: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM deliveries WHERE endpoint_id = $1 AND subject = $2 AND state = $3 \
             AND out_of_order = 0 AND id <> $4 AND (seq < $5 OR leased_by IS NOT NULL)",
        )
        .bind(delivery.endpoint_id.as_str())
        .bind(&*delivery.subject)
        .bind(DeliveryState::Due.as_str())
        .bind(delivery.id.as_str())
        .bind(delivery.seq)
        .fetch_one(self.conn())
        .await?;
        Ok(others > 0)
    }
}
