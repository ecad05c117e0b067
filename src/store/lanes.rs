//! Lanes: what shares its few places at a time. Deliveries are claimed from them by lease, in order per endpoint and
//! subject: only the earliest that is still due may be claimed, and only while no other of its subject is being tried;
//! except for replays one by one, which keep their id and skip the order.

use futures_util::TryStreamExt;
use sqlx::any::AnyRow;

use super::columns::Columns;
use super::deliveries::select;
use super::error::{Error, Result};
use super::{Db, Delivery, Tx, Wake};
use crate::kernel::clock::Millis;
use crate::kernel::ids::DeliveryId;
use crate::kernel::words::DeliveryState;

const TABLE: &str = "deliveries";

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

/// What may be claimed among the due (`$1`): heads and replays. A delivery that only waits for its turn must not
/// count as due, or receivers that are down would hide everybody else. Something that was sent on its way again may come
/// before what is being tried at this moment, and waits for it.
macro_rules! claimable {
    ($head:expr, $tail:literal) => {
        concat!(
            $head,
            "d WHERE d.state = $1 AND d.leased_by IS NULL AND (d.out_of_order = 1 OR NOT EXISTS (SELECT 1 FROM ",
            "deliveries e WHERE e.endpoint_id = d.endpoint_id AND e.subject = d.subject AND e.state = $1 ",
            "AND e.out_of_order = 0 AND (e.seq < d.seq OR e.leased_by IS NOT NULL))) ",
            $tail
        )
    };
}

/// What waits for a time that only a clock that was ahead can have named.
macro_rules! stranded {
    () => {
        "WHERE state = $1 AND leased_by IS NULL AND (due_at > $2 OR (due_at > $3 AND tries = tried_before))"
    };
}

impl Db {
    /// Lanes of endpoints that stand by themselves with something due: no more than there are such endpoints.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn due_standing_lanes(&mut self, now: Millis) -> Result<Vec<String>> {
        let rows = sqlx::query(concat!(
            "SELECT p.lane FROM endpoints p WHERE p.session_id IS NULL AND EXISTS (",
            claimable!("SELECT 1 FROM deliveries ", "AND d.lane = p.lane AND d.due_at <= $2"),
            ") ORDER BY p.id"
        ))
        .bind(DeliveryState::Due.as_str())
        .bind(now.0)
        .fetch_all(self.conn())
        .await?;
        rows.iter().map(|row| Columns::of(TABLE, row).text()).collect()
    }

    /// All other lanes with something due, the longest waiting first: at most `limit` of those that are `wanted`. There
    /// may be any number of them, one for each host.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn due_lanes(
        &mut self,
        now: Millis,
        limit: usize,
        mut wanted: impl FnMut(&str) -> bool + Send,
    ) -> Result<Vec<String>> {
        let mut lanes = Vec::new();
        let mut rows = sqlx::query(claimable!(
            "SELECT d.lane FROM deliveries ",
            "AND d.due_at <= $2 AND d.lane NOT IN (SELECT p.lane FROM endpoints p WHERE p.session_id IS NULL) \
             GROUP BY d.lane ORDER BY MIN(d.due_at)"
        ))
        .bind(DeliveryState::Due.as_str())
        .bind(now.0)
        .fetch(self.conn());
        while lanes.len() < limit
            && let Some(row) = rows.try_next().await?
        {
            let lane = Columns::of(TABLE, &row).text()?;
            if wanted(&lane) {
                lanes.push(lane);
            }
        }
        Ok(lanes)
    }

    /// Whether something is due later than it can be by its own clock: a try that failed pauses no longer than until
    /// `tried`, and what was not tried yet is due at once, so by `fresh` on every clock that is about right.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn is_something_stranded(&mut self, tried: Millis, fresh: Millis) -> Result<bool> {
        let found = sqlx::query(concat!("SELECT id FROM deliveries ", stranded!(), " LIMIT 1"))
            .bind(DeliveryState::Due.as_str())
            .bind(tried.0)
            .bind(fresh.0)
            .fetch_optional(self.conn())
            .await?;
        Ok(found.is_some())
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
}

impl Tx {
    /// Claims what is due in one lane, heads only.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn claim_deliveries(&mut self, due: &Due) -> Result<Vec<Delivery>> {
        let heads = self.shared.kind.skip_locked(claimable!(
            select!(""),
            "AND d.lane = $2 AND d.due_at <= $3 ORDER BY d.due_at, d.id LIMIT $4"
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

    /// Makes due now what [`Db::is_something_stranded`] finds; gives how many.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn bring_back(&mut self, tried: Millis, fresh: Millis, now: Millis) -> Result<u64> {
        let done =
            sqlx::query(concat!("UPDATE deliveries SET due_at = $4, version = version + 1 ", stranded!()))
                .bind(DeliveryState::Due.as_str())
                .bind(tried.0)
                .bind(fresh.0)
                .bind(now.0)
                .execute(self.conn())
                .await?;
        self.wake(Wake::Deliveries);
        Ok(done.rows_affected())
    }
}
