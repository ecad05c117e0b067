//! Telling the backends: due deliveries are leased, called, and their tries written down.
//!
//! Deliveries to one endpoint that stands by itself share a lane, and so do those to one host by sessions' own endpoints.
//! Which lane has how many places is in `places.rs`: whoever is slow or gone holds up nobody else. A lease that nobody
//! works on is freed only after it was seen unchanged for the lease and a quarter on this node's own clock of passing
//! time, so clocks that disagree cannot make two nodes call at once.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use super::call::Caller;
use super::complaint::Complaint;
use super::places::{Calls, Lane};
use super::schedule;
use crate::connect::Connect;
use crate::kernel::egress::Egress;
use crate::kernel::ids::DeliveryId;
use crate::kernel::random::{Random, Token};
use crate::kernel::secret::Secret;
use crate::kernel::unchanged::Unchanged;
use crate::store::{self, Due, Wake};

/// How long a lease lasts: longer than any call it covers.
const LEASE: Duration = Duration::from_secs(40);
/// How long nothing happens at most before the rows are looked at again.
const POLL: Duration = Duration::from_secs(1);
/// How often leases are looked at.
const WATCH: Duration = Duration::from_secs(5);
/// Clocks are about right when they are no further off.
const ABOUT_RIGHT: Duration = Duration::from_secs(5 * 60);

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

/// What the log has heard of.
struct Log {
    /// The database: said once that it is away, and once that it is back.
    trouble: Complaint,
    /// Lanes with rows that cannot be read.
    unreadable: HashSet<Lane>,
}

impl Default for Log {
    fn default() -> Self {
        let trouble = Complaint::new("deliveries cannot be made at the moment", "deliveries are made again");
        Self { trouble, unreadable: HashSet::new() }
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
        let mut watched_at = None::<Instant>;
        let mut log = Log::default();
        // Looking for lanes costs more the more waits, so it never takes more than a fifth of the time. The lane of a call
        // that ended goes on without it.
        let (mut look, mut look_from) = (true, Instant::now());
        while !*stop.borrow() {
            if watched_at.is_none_or(|at| at.elapsed() >= WATCH) {
                watched_at = Some(Instant::now());
                let freed = self.free_the_lost(&mut watched, &calls).await;
                log.trouble.heard(freed);
                let brought = self.bring_back().await;
                log.trouble.heard(brought);
            }
            if look && look_from <= Instant::now() {
                let began = Instant::now();
                let filled = self.fill(&mut calls, &mut log).await;
                let pause = if log.trouble.heard(filled).is_some() { began.elapsed() * 4 } else { POLL };
                look = false;
                look_from = Instant::now() + pause;
            }
            let pause = if look { look_from.saturating_duration_since(Instant::now()) } else { POLL };
            tokio::select! {
                _ = stop.changed() => {}
                () = told(&mut wakes) => look = true,
                // Whatever was missed, the rows tell.
                () = tokio::time::sleep(pause.min(POLL)) => look = true,
                ended = calls.ended() => {
                    for (lane, written) in ended {
                        match log.trouble.heard(written) {
                            None => continue,
                            // A host that does not take its calls waits in line with the others for its next place.
                            Some(false) if !lane.stands() => {
                                look = true;
                                continue;
                            }
                            Some(_) => {}
                        }
                        let filled = self.fill_lane(&mut calls, &lane, &mut log).await;
                        log.trouble.heard(filled);
                    }
                }
            }
        }
        calls.all_ended().await;
    }

    /// Starts calls while there are places.
    async fn fill(&self, calls: &mut Calls, log: &mut Log) -> store::Result<()> {
        let now = self.connect.clock().now();
        let mut db = self.connect.store().read().await?;
        let mut due: Vec<Lane> = db.due_standing_lanes(now).await?.into_iter().map(Lane::standing).collect();
        let mut room = calls.room();
        if room.sessions > 0 {
            let limit = room.sessions;
            let others = db.due_lanes(now, limit, |lane| calls.admits(&Lane::of_host(lane), &mut room));
            due.extend(others.await?.into_iter().map(Lane::of_host));
        }
        drop(db);
        for lane in due {
            self.fill_lane(calls, &lane, log).await?;
        }
        Ok(())
    }

    async fn fill_lane(&self, calls: &mut Calls, lane: &Lane, log: &mut Log) -> store::Result<()> {
        let free = calls.free(lane);
        if free == 0 {
            return Ok(());
        }
        let now = self.connect.clock().now();
        let limit = i64::try_from(free).unwrap_or(1);
        let due = Due { by: self.node.clone(), now, until: now.after(LEASE), lane: lane.name.clone(), limit };
        match self.connect.store().write(due, |due, tx| Box::pin(tx.claim_deliveries(due))).await {
            Ok(claimed) => {
                log.unreadable.remove(lane);
                for delivery in claimed {
                    calls.start(self.caller.clone(), delivery, lane.clone());
                }
                Ok(())
            }
            Err(error @ store::Error::Unavailable { .. }) => Err(error),
            // A row that cannot be read holds up its own lane, not everybody else's.
            Err(error) => {
                if log.unreadable.insert(lane.clone()) {
                    tracing::error!(error = %error, "the deliveries of a lane could not be claimed");
                }
                Ok(())
            }
        }
    }

    /// Makes due what waits for a time that a clock named which was ahead, and is right again.
    async fn bring_back(&self) -> store::Result<()> {
        let now = self.connect.clock().now();
        let fresh = now.after(ABOUT_RIGHT);
        let tried = fresh.after(schedule::LONGEST);
        if !self.connect.store().read().await?.is_something_stranded(tried, fresh).await? {
            return Ok(());
        }
        let brought = self.connect.store().write((tried, fresh, now), |(tried, fresh, now), tx| {
            Box::pin(tx.bring_back(*tried, *fresh, *now))
        });
        let deliveries = brought.await?;
        if deliveries > 0 {
            tracing::warn!(
                deliveries,
                "deliveries were due further ahead than they can be, and are due now: a clock was wrong"
            );
        }
        Ok(())
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
