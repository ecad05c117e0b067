//! Deliveries: one event on its way to one endpoint. Claimed by lease, in order per endpoint and subject: only
//! the earliest that is still due may be claimed, except for replays, which keep their id and skip the order.

use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use super::columns::Columns;
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

/// What a claim asks for.
#[derive(Clone, Debug)]
pub struct Due {
    /// The claiming node.
    pub by: String,
    /// Now.
    pub now: Millis,
    /// Until when the claim holds.
    pub until: Millis,
    /// The lane to claim from.
    pub lane: String,
    /// At most this many.
    pub limit: i64,
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

/// What may be claimed among the due (`$1`): heads and replays. A delivery that only waits for its turn must not
/// count as due, or receivers that are down would hide everybody else.
macro_rules! claimable {
    ($head:expr, $tail:literal) => {
        concat!(
            $head,
            "d WHERE state = $1 AND leased_by IS NULL AND (out_of_order = 1 OR NOT EXISTS (SELECT 1 FROM deliveries e ",
            "WHERE e.endpoint_id = d.endpoint_id AND e.subject = d.subject AND e.seq < d.seq AND e.state = $1 ",
            "AND e.out_of_order = 0)) ",
            $tail
        )
    };
}

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

    /// Lanes with something due, the longest waiting first.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn due_lanes(&mut self, now: Millis, limit: i64) -> Result<Vec<String>> {
        let rows = sqlx::query(claimable!(
            "SELECT lane FROM deliveries ",
            "AND due_at <= $2 GROUP BY lane ORDER BY MIN(due_at) LIMIT $3"
        ))
        .bind(DeliveryState::Due.as_str())
        .bind(now.0)
        .bind(limit)
        .fetch_all(self.conn())
        .await?;
        rows.iter().map(|row| Columns::of(TABLE, row).text()).collect()
    }

    /// What is being tried somewhere: id, holder and version, for watching whether the holders still live.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn leased_deliveries(&mut self) -> Result<Vec<(DeliveryId, String, i64)>> {
        let rows = sqlx::query(
            "SELECT id, leased_by, version FROM deliveries \
             WHERE state = $1 AND leased_by IS NOT NULL ORDER BY id LIMIT 1000",
        )
        .bind(DeliveryState::Due.as_str())
        .fetch_all(self.conn())
        .await?;
        let lift = |row: &AnyRow| {
            let mut columns = Columns::of(TABLE, row);
            Ok((columns.word(|id| id.parse().ok())?, columns.text()?, columns.int()?))
        };
        rows.iter().map(lift).collect()
    }

    /// The tries at a delivery, in order.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn tries(&mut self, id: &DeliveryId) -> Result<Vec<Try>> {
        let rows = sqlx::query(
            "SELECT number, at, took, status, problem, answer FROM delivery_tries WHERE delivery_id = $1 ORDER BY number",
        )
        .bind(id.as_str())
        .fetch_all(self.conn())
        .await?;
        let lift = |row: &AnyRow| {
            let mut columns = Columns::of(TRIES, row);
            let number = columns.int()?;
            Ok(Try {
                number,
                at: columns.time()?,
                took: columns.int()?,
                status: columns.maybe_int()?,
                problem: columns.maybe_text()?,
                answer: match columns.maybe_bytes()? {
                    Some(sealed) => Some(self.open(TRIES, ANSWER, id.as_str(), number, &sealed)?.to_vec()),
                    None => None,
                },
            })
        };
        rows.iter().map(lift).collect()
    }
}

impl Tx {
    /// Claims what is due in one lane, heads only.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn claim_deliveries(&mut self, due: &Due) -> Result<Vec<Delivery>> {
        let heads = self.shared.kind.skip_locked(claimable!(
            select!(""),
            "AND lane = $2 AND due_at <= $3 ORDER BY due_at, id LIMIT $4"
        ));
        let rows = sqlx::query(heads)
            .bind(DeliveryState::Due.as_str())
            .bind(&*due.lane)
            .bind(due.now.0)
            .bind(due.limit)
            .fetch_all(self.conn())
            .await?;
        let mut claimed = rows.iter().map(|row| self.lift_delivery(row)).collect::<Result<Vec<_>>>()?;
        for delivery in &mut claimed {
            self.lease_delivery(&delivery.id, delivery.version, &due.by, due.until).await?;
            delivery.version += 1;
            delivery.leased_by = Some(due.by.clone());
        }
        Ok(claimed)
    }

    async fn lease_delivery(&mut self, id: &DeliveryId, version: i64, by: &str, until: Millis) -> Result<()> {
        let done = sqlx::query(
            "UPDATE deliveries SET leased_by = $1, lease_until = $2, version = version + 1 \
             WHERE id = $3 AND version = $4 AND state = $5 AND leased_by IS NULL",
        )
        .bind(by)
        .bind(until.0)
        .bind(id.as_str())
        .bind(version)
        .bind(DeliveryState::Due.as_str())
        .execute(self.conn())
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(Error::Conflict) }
    }

    /// Frees a delivery that a holder who is gone left leased, if it still stands as it was seen.
    ///
    /// # Errors
    /// `Conflict` when it changed, `Unavailable`.
    pub async fn free_delivery(&mut self, id: &DeliveryId, version: i64, holder: &str) -> Result<()> {
        let done = sqlx::query(
            "UPDATE deliveries SET leased_by = NULL, lease_until = NULL, version = version + 1 \
             WHERE id = $1 AND version = $2 AND state = $3 AND leased_by = $4",
        )
        .bind(id.as_str())
        .bind(version)
        .bind(DeliveryState::Due.as_str())
        .bind(holder)
        .execute(self.conn())
        .await?;
        if done.rows_affected() != 1 {
            return Err(Error::Conflict);
        }
        self.wake(Wake::Deliveries);
        Ok(())
    }

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

    /// Writes down what became of a try and lets go: `Due` again at `due_at`, `Done` or `Dead`.
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
        let ended_at = (state != DeliveryState::Due).then(|| self.shared.clock.now().0);
        let done = sqlx::query(
            "UPDATE deliveries SET state = $1, due_at = $2, ended_at = $3, tries = tries + 1, leased_by = NULL, \
             lease_until = NULL, version = version + 1 WHERE id = $4 AND version = $5",
        )
        .bind(state.as_str())
        .bind(due_at.0)
        .bind(ended_at)
        .bind(delivery.id.as_str())
        .bind(delivery.version)
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
        if state != DeliveryState::Due {
            // The subject's next delivery is at the head now.
            self.wake(Wake::Deliveries);
        }
        Ok(())
    }
}
