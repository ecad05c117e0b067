//! Telling the backends: due deliveries are leased, called, and their tries written down.
//!
//! Deliveries to one endpoint that stands by itself share a lane, and so do those to one host by sessions' own endpoints.
//! A lane has a few places while its calls are taken; before the first one was, and after one was not, it has one, and
//! such lanes together have a part of all. So whoever is slow or gone holds up nobody else. A lease that nobody works on is freed only after it was seen unchanged
//! for the lease and a quarter on this node's own clock of passing time, so clocks that disagree cannot make two nodes
//! call at once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::Instrument;

use super::call::Caller;
use crate::connect::Connect;
use crate::kernel::egress::Egress;
use crate::kernel::ids::DeliveryId;
use crate::kernel::random::{Random, Token};
use crate::kernel::secret::Secret;
use crate::kernel::traces;
use crate::kernel::unchanged::Unchanged;
use crate::store::{self, Delivery, Due, Wake};

/// How long a lease lasts: longer than any call it covers.
const LEASE: Duration = Duration::from_secs(40);
/// Calls at once on this node, in one lane whose calls are taken, and in all other lanes together: more than there may be
/// endpoints that stand by themselves.
const PLACES: usize = 192;
const LANE_PLACES: usize = 4;
const OTHER_PLACES: usize = 128;
/// How many lanes are remembered for having taken their last call.
const MOST_WELL: usize = 10_000;
/// How long nothing happens at most before the rows are looked at again.
const POLL: Duration = Duration::from_secs(1);
/// How often leases are looked at.
const WATCH: Duration = Duration::from_secs(5);

/// What the loop needs.
#[derive(Clone)]
pub struct Deliver {
    connect: Connect,
    caller: Caller,
    /// This process's name on its leases; never reused.
    node: String,
}

/// Leases that nobody on this node is working on: holder and version.
type Watched = Unchanged<DeliveryId, (String, i64)>;

/// The calls under way on this node.
#[derive(Default)]
struct Calls {
    /// Each says whether its call was taken.
    tasks: JoinSet<bool>,
    /// What each task is working on: the delivery and its lane.
    work: HashMap<tokio::task::Id, (DeliveryId, String)>,
    /// Lanes whose last call was taken.
    well: HashSet<String>,
}

impl Calls {
    /// How many places a lane has left.
    fn free(&self, lane: &str) -> usize {
        let used = self.work.values().filter(|(_, known)| known == lane).count();
        let left = PLACES.saturating_sub(self.tasks.len());
        if self.well.contains(lane) {
            return LANE_PLACES.saturating_sub(used).min(left);
        }
        let others = self.work.values().filter(|(_, known)| !self.well.contains(known)).count();
        1usize.saturating_sub(used).min(OTHER_PLACES.saturating_sub(others)).min(left)
    }

    fn works_on(&self, id: &DeliveryId) -> bool {
        self.work.values().any(|(known, _)| known == id)
    }

    fn start(&mut self, caller: Caller, delivery: Delivery, lane: String) {
        let id = delivery.id.clone();
        let span = tracing::info_span!(
            target: traces::TARGET,
            "webhook.deliver",
            otel.kind = "client",
            delivery.id = %delivery.id,
            about = delivery.subject,
            try = delivery.tries + 1,
            result = tracing::field::Empty,
            http.response.status_code = tracing::field::Empty,
        );
        let span = traces::below(span, delivery.trace.as_ref());
        let work = async move {
            let id = delivery.id.clone();
            caller.deliver(delivery).await.unwrap_or_else(|error| {
                tracing::warn!(delivery.id = %id, error = %error, "a delivery's try could not be written down");
                false
            })
        };
        let task = self.tasks.spawn(work.instrument(span));
        self.work.insert(task.id(), (id, lane));
    }

    /// Waits for a call to end, forever when there is none; gives the lanes of all that have ended.
    async fn ended(&mut self) -> Vec<String> {
        let first = match self.tasks.join_next_with_id().await {
            None => return std::future::pending().await,
            Some(first) => first,
        };
        let mut lanes = Vec::new();
        let mut next = Some(first);
        while let Some(one) = next {
            let (id, taken) = match one {
                Ok(ended) => ended,
                Err(error) => {
                    tracing::error!(error = %error, "a delivery's task ended badly");
                    (error.id(), false)
                }
            };
            if let Some((_, lane)) = self.work.remove(&id) {
                self.note(&lane, taken);
                if !lanes.contains(&lane) {
                    lanes.push(lane);
                }
            }
            next = self.tasks.try_join_next_with_id();
        }
        lanes
    }

    fn note(&mut self, lane: &str, taken: bool) {
        if !taken {
            self.well.remove(lane);
            return;
        }
        if self.well.len() >= MOST_WELL {
            // Forgotten lanes have one place until their next call is taken.
            self.well.clear();
        }
        if !self.well.contains(lane) {
            self.well.insert(lane.to_owned());
        }
    }
}

impl Deliver {
    /// Puts it together. `secret` signs the calls to sessions' own endpoints.
    pub fn new(connect: Connect, egress: Egress, random: Random, secret: &Secret) -> Self {
        let node = Token::new(&random).hash();
        Self { caller: Caller::new(connect.clone(), egress, random, secret), connect, node }
    }

    /// Runs until told to stop; calls under way are finished then.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut wakes = self.connect.store().wakes();
        let mut calls = Calls::default();
        let mut watched = Watched::default();
        let mut watched_at = Instant::now();
        // Looking for lanes costs more the more waits, so it never takes more than a fifth of the time. The lane of a call
        // that ended goes on without it.
        let (mut look, mut look_from) = (true, Instant::now());
        while !*stop.borrow() {
            if look && look_from <= Instant::now() {
                let began = Instant::now();
                if let Err(error) = self.fill(&mut calls).await {
                    tracing::warn!(error = %error, "deliveries could not be claimed");
                    tokio::time::sleep(POLL).await;
                }
                look = false;
                look_from = Instant::now() + began.elapsed() * 4;
            }
            if watched_at.elapsed() >= WATCH {
                watched_at = Instant::now();
                if let Err(error) = self.free_the_lost(&mut watched, &calls).await {
                    tracing::warn!(error = %error, "leases could not be looked at");
                }
            }
            let pause = if look { look_from.saturating_duration_since(Instant::now()) } else { POLL };
            tokio::select! {
                _ = stop.changed() => {}
                () = told(&mut wakes) => look = true,
                // Whatever was missed, the rows tell.
                () = tokio::time::sleep(pause.min(POLL)) => look = true,
                lanes = calls.ended() => {
                    for lane in &lanes {
                        self.fill_lane(&mut calls, lane).await;
                    }
                }
            }
        }
        while calls.tasks.join_next().await.is_some() {}
    }

    /// Starts calls while there are places.
    async fn fill(&self, calls: &mut Calls) -> store::Result<()> {
        if calls.tasks.len() >= PLACES {
            return Ok(());
        }
        let due = self.connect.store().read().await?.due_lanes(self.connect.clock().now(), 256).await?;
        for lane in due {
            self.fill_lane(calls, &lane).await;
        }
        Ok(())
    }

    async fn fill_lane(&self, calls: &mut Calls, lane: &str) {
        let free = calls.free(lane);
        if free == 0 {
            return;
        }
        let now = self.connect.clock().now();
        let limit = i64::try_from(free).unwrap_or(1);
        let due = Due { by: self.node.clone(), now, until: now.after(LEASE), lane: lane.to_owned(), limit };
        let claimed = self.connect.store().write(due, |due, tx| Box::pin(tx.claim_deliveries(due))).await;
        // A row that cannot be read holds up its own lane, not everybody else's.
        let claimed = claimed.unwrap_or_else(|error| {
            tracing::error!(error = %error, "the deliveries of a lane could not be claimed");
            Vec::new()
        });
        for delivery in claimed {
            calls.start(self.caller.clone(), delivery, lane.to_owned());
        }
    }

    /// Frees what is leased and worked on by nobody: what dead nodes held, and what this node claimed or tried
    /// without being able to write it down. Whoever has a place claims it then.
    async fn free_the_lost(&self, watched: &mut Watched, calls: &Calls) -> store::Result<()> {
        let leased = self.connect.store().read().await?.leased_deliveries().await?;
        let others = leased.into_iter().filter(|(id, holder, _)| *holder != self.node || !calls.works_on(id));
        watched.see(others.map(|(id, holder, version)| (id, (holder, version))));
        let lost = watched.iter().filter(|(_, _, unchanged)| *unchanged > LEASE + LEASE / 4);
        for (id, (holder, version), _) in lost {
            let context = (id.clone(), *version, holder.clone());
            let freed = self
                .connect
                .store()
                .write(context, |(id, version, holder), tx| Box::pin(tx.free_delivery(id, *version, holder)))
                .await;
            match freed {
                Ok(()) => {
                    tracing::info!(delivery.id = %id, "a delivery was taken from a holder that is gone");
                }
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Returns when there may be something to deliver.
async fn told(wakes: &mut broadcast::Receiver<Wake>) {
    loop {
        match wakes.recv().await {
            Ok(Wake::Deliveries) | Err(_) => return,
            Ok(Wake::Attempt(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy(calls: &mut Calls, lane: &str, count: usize) {
        for _ in 0..count {
            let id = DeliveryId::new(crate::kernel::clock::Millis(1), &Random::system());
            let task = calls.tasks.spawn(std::future::pending());
            calls.work.insert(task.id(), (id, lane.to_owned()));
        }
    }

    #[tokio::test]
    async fn lanes_whose_calls_are_not_taken_leave_places_for_those_whose_calls_are() {
        let mut calls = Calls::default();
        calls.note("well", true);
        for number in 0..300 {
            let lane = format!("unknown {number}");
            let free = calls.free(&lane);
            assert!(free <= 1);
            busy(&mut calls, &lane, free);
        }
        assert_eq!(calls.tasks.len(), OTHER_PLACES);
        assert_eq!(calls.free("well"), LANE_PLACES);
        busy(&mut calls, "well", LANE_PLACES);
        assert_eq!(calls.free("well"), 0);
        calls.note("unknown 299", true);
        assert_eq!(calls.free("unknown 299"), LANE_PLACES, "it is well now");
        calls.note("unknown 299", false);
        assert_eq!(calls.free("unknown 299"), 0, "it is not any more, and the others' places are taken");
    }
}
