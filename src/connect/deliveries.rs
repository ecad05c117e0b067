//! Deliveries from the operator's side: reading and sending once more.

use super::{Connect, Error, Result};
use crate::kernel::ids::DeliveryId;
use crate::kernel::secret::Secret;
use crate::kernel::words::DeliveryState;
use crate::store::{Delivery, DeliveryFilter, Event, Try};

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

impl Connect {
    /// Deliveries, newest first.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn deliveries(
        &self,
        state: Option<DeliveryState>,
        subject: Option<String>,
        limit: i64,
    ) -> Result<Vec<DeliveryView>> {
        let mut db = self.store.read().await?;
        let mut views = Vec::new();
        for delivery in db.deliveries(&DeliveryFilter { state, subject, limit }).await? {
            let event = db.event(&delivery.event_id).await?;
            let tries = db.tries(&delivery.id).await?;
            views.push(DeliveryView { delivery, event, tries });
        }
        Ok(views)
    }

    /// Sends a delivery once more, with the same id and the same bytes. One still waiting is tried at once.
    ///
    /// # Errors
    /// `NotFound("delivery")`; `Conflict` while it is being tried; `Unavailable`.
    pub async fn replay(&self, id: &DeliveryId) -> Result<()> {
        if self.store.read().await?.delivery(id).await?.is_none() {
            return Err(Error::NotFound("delivery"));
        }
        let now = self.now();
        let replayed = self
            .store
            .write((id.clone(), now), |(id, now), tx| Box::pin(tx.replay_delivery(id, *now)))
            .await?;
        if replayed { Ok(()) } else { Err(Error::Conflict) }
    }

    /// The secret that calls to `notify_url` are signed with.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn signing_secret(&self) -> Result<Secret> {
        Ok(self.store.signing_secret().await?)
    }
}
