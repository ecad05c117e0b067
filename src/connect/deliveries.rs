//! The log of deliveries, for operators and backends: reading, and sending once more.

use super::{Connect, Error, Page, Result};
use crate::kernel::ids::{DeliveryId, EndpointId};
use crate::kernel::secret::Secret;
use crate::kernel::words::DeliveryState;
use crate::store::{Db, Delivery, DeliveryFilter, Event, Try};

/// A delivery with what it tells and its tries.
#[derive(Clone, Debug)]
pub struct DeliveryView {
    /// The delivery.
    pub delivery: Delivery,
    /// The event it tells.
    pub event: Option<Event>,
    /// Its tries, in order.
    pub tries: Vec<Try>,
}

/// Which deliveries are asked for.
#[derive(Clone, Debug, Default)]
pub struct DeliveryQuery {
    /// Only those standing so.
    pub state: Option<DeliveryState>,
    /// Only those about this session or account.
    pub subject: Option<String>,
    /// Only those to this endpoint.
    pub endpoint: Option<EndpointId>,
}

impl DeliveryQuery {
    fn filter(self, limit: i64) -> DeliveryFilter {
        let Self { state, subject, endpoint } = self;
        DeliveryFilter { state, subject, endpoint, before: None, offset: 0, limit }
    }
}

impl Connect {
    /// Deliveries, newest first; with one more than `limit` when there are more.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn deliveries(
        &self,
        query: DeliveryQuery,
        before: Option<String>,
        limit: i64,
    ) -> Result<Vec<DeliveryView>> {
        let filter = DeliveryFilter { before, ..query.filter(limit + 1) };
        let mut db = self.store.read().await?;
        views(&mut db, &filter).await
    }

    /// One numbered page of deliveries, newest first, and how many there are in all.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn delivery_page(&self, query: DeliveryQuery, page: Page) -> Result<(Vec<DeliveryView>, i64)> {
        let filter = DeliveryFilter { offset: page.offset(), ..query.filter(page.limit) };
        let mut db = self.store.read().await?;
        Ok((views(&mut db, &filter).await?, db.count_deliveries(&filter).await?))
    }

    /// Sends a delivery once more, with the same id and the same bytes. One still waiting is tried at once, and one that is
    /// being tried at this moment is being sent already.
    ///
    /// # Errors
    /// `NotFound("delivery")`, `Unavailable`.
    pub async fn replay(&self, id: &DeliveryId) -> Result<()> {
        if self.store.read().await?.delivery(id).await?.is_none() {
            return Err(Error::NotFound("delivery"));
        }
        let now = self.now();
        self.store.write((id.clone(), now), |(id, now), tx| Box::pin(tx.replay_delivery(id, *now))).await?;
        Ok(())
    }

    /// The secret that calls to `notify_url` are signed with.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn signing_secret(&self) -> Result<Secret> {
        Ok(self.store.signing_secret().await?)
    }
}

async fn views(db: &mut Db, filter: &DeliveryFilter) -> Result<Vec<DeliveryView>> {
    let mut views = Vec::new();
    for delivery in db.deliveries(filter).await? {
        let event = db.event(&delivery.event_id).await?;
        let tries = db.tries(&delivery.id).await?;
        views.push(DeliveryView { delivery, event, tries });
    }
    Ok(views)
}
