//! Watching over accounts: those that are due are taken, lane by lane, and looked at. A lane is a provider, or a host below
//! it; each has a few places, the longest due first, and one that does not answer is left alone for a while, so that nobody
//! waits for it and it is not run over when it comes back. Hosts have fewer places than there are, so that providers never
//! wait for them. Every node takes some; what a dead one held is freed. What happened is decided
//! elsewhere, and so it is noted who did not answer.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::complaint::Complaint;
use crate::connect::{Connect, DueAccount, Error, LaneWalk, Looked, Watched};

/// Looks at once on this node, and in one lane.
const PLACES: usize = 64;
const LANE_PLACES: usize = 8;
/// Of all places, those that hosts have together; and of these, those of hosts that did not answer when they were last asked.
const HOST_PLACES: usize = 48;
const DOUBTED_PLACES: usize = 24;
/// How often it is looked for lanes in which something is due.
const POLL: Duration = Duration::from_secs(1);
/// How often holds are looked at.
const WATCH: Duration = Duration::from_secs(3);

/// A look under way.
struct Place {
    lane: String,
    due: DueAccount,
    /// Whether it is at a host that did not answer when it was last asked.
    doubted: bool,
}

/// Whether a lane is a host below a provider.
fn is_host(lane: &str) -> bool {
    lane.contains('/')
}

/// The loop.
pub struct Watch {
    connect: Connect,
    looks: JoinSet<Looked>,
    places: HashMap<Id, Place>,
    in_lane: HashMap<String, usize>,
    /// The database: said once that it is away, and once that it is back.
    trouble: Complaint,
}

/// Runs until told to stop; looks under way are finished then.
pub async fn run(connect: Connect, stop: watch::Receiver<bool>) {
    Watch::over(connect).run(stop).await;
}

impl Watch {
    fn over(connect: Connect) -> Self {
        Self {
            connect,
            looks: JoinSet::new(),
            places: HashMap::new(),
            in_lane: HashMap::new(),
            trouble: Complaint::new(
                "accounts cannot be watched over at the moment",
                "accounts are watched over again",
            ),
        }
    }

    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let (mut watched, mut walk, mut started) = (Watched::default(), LaneWalk::default(), false);
        let mut due: Vec<String> = Vec::new();
        let (mut polled, mut freed) = (None::<Instant>, None::<Instant>);
        while !*stop.borrow() {
            let over = |at: Option<Instant>, span| at.is_none_or(|at| at.elapsed() >= span);
            if !started {
                let done = self.connect.look_after_start().await;
                started = self.trouble.heard(done).is_some();
            }
            if over(freed, WATCH) {
                freed = Some(Instant::now());
                let done = self.connect.free_held(&mut watched).await;
                self.trouble.heard(done);
            }
            if over(polled, POLL) {
                polled = Some(Instant::now());
                let lanes = self.connect.due_lanes(&mut walk).await;
                due = self.trouble.heard(lanes).unwrap_or_default();
            }
            self.fill(&mut due).await;
            tokio::select! {
                _ = stop.changed() => {}
                () = tokio::time::sleep(POLL) => {}
                Some(looked) = self.looks.join_next_with_id() => self.ended(looked).await,
            }
        }
        while let Some(looked) = self.looks.join_next_with_id().await {
            self.ended(looked).await;
        }
    }

    /// Starts looks while there are places; lanes that have given all they had are left out until the next poll.
    async fn fill(&mut self, due: &mut Vec<String>) {
        for lane in std::mem::take(due) {
            let busy = self.in_lane.get(&lane).copied().unwrap_or_default();
            let free = self.free(&lane, busy);
            // Several at a time, since each taking is a write.
            if free == 0 || (busy > 0 && free < LANE_PLACES / 2) {
                due.push(lane);
                continue;
            }
            let taken = self.connect.take_due(&lane, free).await;
            let Some(taken) = self.trouble.heard(taken) else { continue };
            let more = taken.len() == free;
            for account in taken {
                self.start(lane.clone(), account);
            }
            if more {
                due.push(lane);
            }
        }
    }

    /// How many places a lane may take now of which so many are its own already.
    fn free(&self, lane: &str, busy: usize) -> usize {
        let free = PLACES.saturating_sub(self.places.len());
        if free == 0 {
            return 0;
        }
        let admitted = self.connect.peers().admits(lane, LANE_PLACES);
        let free = free.min(admitted.saturating_sub(busy));
        if !is_host(lane) {
            return free;
        }
        let taken = |what: fn(&Place) -> bool| self.places.values().filter(|place| what(place)).count();
        let free = free.min(HOST_PLACES.saturating_sub(taken(|place| is_host(&place.lane))));
        if !self.connect.peers().doubts(lane) {
            return free;
        }
        free.min(DOUBTED_PLACES.saturating_sub(taken(|place| place.doubted)))
    }

    fn start(&mut self, lane: String, due: DueAccount) {
        *self.in_lane.entry(lane.clone()).or_default() += 1;
        let (connect, account) = (self.connect.clone(), due.clone());
        let look = self.looks.spawn(async move {
            let id = account.id.clone();
            match connect.look_at(account).await {
                // The database: said by the loop, once.
                Err(Error::Unavailable(_)) => Looked::NotAsked,
                Err(error) => {
                    tracing::error!(account.id = %id, error = %error, "an account could not be looked at");
                    Looked::NotAsked
                }
                Ok(looked) => looked,
            }
        });
        let doubted = is_host(&lane) && self.connect.peers().doubts(&lane);
        self.places.insert(look.id(), Place { lane, due, doubted });
    }

    async fn ended(&mut self, looked: Result<(Id, Looked), JoinError>) {
        let id = match &looked {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some(Place { lane, due, .. }) = self.places.remove(&id) else { return };
        if let Some(busy) = self.in_lane.get_mut(&lane) {
            *busy -= 1;
            if *busy == 0 {
                self.in_lane.remove(&lane);
            }
        }
        match looked {
            Ok((_, looked)) => self.connect.peers().noted(&lane, &due.id, &looked),
            Err(error) => {
                tracing::error!(account.id = %due.id, error = %error, "a look at an account ended in a bug");
                // It may have asked before it did.
                let put_off = self.connect.put_off(&due, true).await;
                self.trouble.heard(put_off);
            }
        }
    }
}

#[cfg(test)]
mod tests;
