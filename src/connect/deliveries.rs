//! The log of deliveries, for operators and backends: reading, sending once more, one by one or since a time, and
//! trying an endpoint out.

use super::{Connect, Error, Page, Result};
use crate::kernel::clock::Millis;
use crate::kernel::ids::{DeliveryId, EndpointId};
use crate::kernel::secret::Secret;
use crate::kernel::words::{DeliveryState, Dialect, EndpointState};
use crate::store::{self, Db, Delivery, DeliveryFilter, Event, Try, events_since};

/// How many events one transaction of a replay looks at, and one replay in all.
const STEP: i64 = 200;
const MOST_EVENTS: i64 = 20_000;

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

    /// Sends an endpoint an event that says nothing, even while it is switched off; what came of it stands in the log.
    ///
    /// # Errors
    /// `NotFound("webhook")`, `Unavailable`.
    pub async fn test_endpoint(&self, dialect: Dialect, id: &EndpointId) -> Result<DeliveryId> {
        let view = self.endpoint(dialect, id).await?;
        let sent = self.store.write(view.endpoint, |endpoint, tx| {
            Box::pin(async move {
                let event = tx.append_test_event(&endpoint.id).await?;
                tx.enqueue_past_the_order(&event, endpoint).await
            })
        });
        match sent.await {
            Err(store::Error::NotFound) => Err(Error::NotFound("webhook")),
            sent => Ok(sent?),
        }
    }

    /// Sends an endpoint once more, in order, what it wants to know of what happened since a time and is still kept: also
    /// what it was never told, since it was switched off or did not exist. Gives how many calls that makes, and the time
    /// to go on from when there was too much for once.
    ///
    /// # Errors
    /// `NotFound("webhook")`, `Invalid` (field `endpoint`) while it is switched off, `Unavailable`.
    pub async fn recover(
        &self,
        dialect: Dialect,
        id: &EndpointId,
        since: Millis,
    ) -> Result<(i64, Option<Millis>)> {
        let view = self.endpoint(dialect, id).await?;
        if view.endpoint.state != EndpointState::Enabled {
            return Err(Error::invalid(
                "endpoint",
                "is switched off and would not be called; switch it on first, with PATCH",
            ));
        }
        let mut after = events_since(since).as_str().to_owned();
        let mut deliveries = 0;
        for _ in 0..MOST_EVENTS / STEP {
            let context = (view.endpoint.clone(), after.clone());
            let step = self
                .store
                .write(context, |(endpoint, after), tx| Box::pin(tx.recover_events(endpoint, after, STEP)));
            let step = match step.await {
                Err(store::Error::NotFound) => return Err(Error::NotFound("webhook")),
                step => step?,
            };
            deliveries += step.deliveries;
            match step.reached {
                Some(reached) => after = reached.as_str().to_owned(),
                None => return Ok((deliveries, None)),
            }
        }
        let last = match after.parse() {
            Ok(id) => self.store.read().await?.event(&id).await?,
            Err(_) => None,
        };
        Ok((deliveries, last.map(|event| event.at)))
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
    let found = db.deliveries(filter).await?;
    let events = db.events_named(found.iter().map(|delivery| delivery.event_id.as_str())).await?;
    let mut tries = db.tries_at(found.iter().map(|delivery| delivery.id.as_str())).await?;
    let view = |delivery: Delivery| {
        // Several endpoints may be told of one event.
        let event = events.get(delivery.event_id.as_str()).cloned();
        let tries = tries.remove(delivery.id.as_str()).unwrap_or_default();
        DeliveryView { delivery, event, tries }
    };
    Ok(found.into_iter().map(view).collect())
}
