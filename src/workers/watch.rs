//! Watching over accounts: those that are due are taken, lane by lane, and looked at. A lane is a provider, or a host below
//! it; each has a few places, and one that does not answer is left alone for a while, so that nobody waits for it and it
//! is not run over when it comes back. Every node takes some; what a dead one held is freed. What happened is decided
//! elsewhere; the log says of each outage that it began, and that it ended.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::connect::{Connect, DueAccount, Error, Watched};
use crate::kernel::breaker::{Breakers, Change};

/// Looks at once on this node, and in one lane.
const PLACES: usize = 64;
const LANE_PLACES: usize = 8;
/// How often it is looked for lanes in which something is due.
const POLL: Duration = Duration::from_secs(1);
/// So long the database must have given no trouble to be said to be well again.
const QUIET: Duration = Duration::from_secs(5);
/// How often holds are looked at.
const WATCH: Duration = Duration::from_secs(3);

/// What came of a look: its lane, and why nobody answered.
type Looked = (String, Result<Option<&'static str>, ()>);

/// The loop.
pub struct Watch {
    connect: Connect,
    looks: JoinSet<Looked>,
    in_lane: HashMap<String, usize>,
    breakers: Breakers,
    /// Since when the database gives trouble, once it was said, and when it did so last.
    complaint: Option<(Instant, Instant)>,
}

/// Runs until told to stop; looks under way are finished then.
pub async fn run(connect: Connect, stop: watch::Receiver<bool>) {
    let watch = Watch {
        connect,
        looks: JoinSet::new(),
        in_lane: HashMap::new(),
        breakers: Breakers::default(),
        complaint: None,
    };
    watch.run(stop).await;
}

impl Watch {
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let (mut watched, mut looked_at_clients) = (Watched::default(), false);
        let mut due: Vec<String> = Vec::new();
        let (mut polled, mut freed) = (None::<Instant>, None::<Instant>);
        while !*stop.borrow() {
            let over = |at: Option<Instant>, span| at.is_none_or(|at| at.elapsed() >= span);
            if !looked_at_clients {
                let done = self.connect.look_at_clients().await;
                looked_at_clients = self.heard(done).is_some();
            }
            if over(freed, WATCH) {
                freed = Some(Instant::now());
                let done = self.connect.free_held(&mut watched).await;
                self.heard(done);
            }
            if over(polled, POLL) {
                polled = Some(Instant::now());
                let lanes = self.connect.due_lanes().await;
                due = self.heard(lanes).unwrap_or_default();
            }
            self.fill(&mut due).await;
            tokio::select! {
                _ = stop.changed() => {}
                () = tokio::time::sleep(POLL) => {}
                Some(looked) = self.looks.join_next() => self.ended(looked),
            }
        }
        while let Some(looked) = self.looks.join_next().await {
            self.ended(looked);
        }
    }

    /// Starts looks while there are places; lanes that have given all they had are left out until the next poll.
    async fn fill(&mut self, due: &mut Vec<String>) {
        for lane in std::mem::take(due) {
            let busy = self.in_lane.get(&lane).copied().unwrap_or_default();
            let admitted = self.breakers.admits(&lane, LANE_PLACES, std::time::Instant::now());
            let free = admitted.saturating_sub(busy).min(PLACES - self.looks.len());
            // Several at a time, since each taking is a write.
            if free == 0 || (busy > 0 && free < LANE_PLACES / 2) {
                due.push(lane);
                continue;
            }
            let taken = self.connect.take_due(&lane, free).await;
            let Some(taken) = self.heard(taken) else { continue };
            let more = taken.len() == free;
            for account in taken {
                self.start(lane.clone(), account);
            }
            if more {
                due.push(lane);
            }
        }
    }

    fn start(&mut self, lane: String, due: DueAccount) {
        *self.in_lane.entry(lane.clone()).or_default() += 1;
        let connect = self.connect.clone();
        self.looks.spawn(async move {
            let id = due.id.clone();
            let looked = match connect.look_at(due).await {
                Ok(trouble) => Ok(trouble.map(|trouble| trouble.code)),
                // The database: said by the loop, once.
                Err(Error::Unavailable(_)) => Err(()),
                Err(error) => {
                    tracing::error!(account.id = %id, error = %error, "an account could not be looked at");
                    Err(())
                }
            };
            (lane, looked)
        });
    }

    fn ended(&mut self, looked: Result<Looked, tokio::task::JoinError>) {
        let (lane, looked) = match looked {
            Ok(looked) => looked,
            Err(error) => {
                // Its place stays taken, which is better than a lane run over by a bug.
                tracing::error!(error = %error, "a look at an account ended in a bug");
                return;
            }
        };
        if let Some(busy) = self.in_lane.get_mut(&lane) {
            *busy -= 1;
            if *busy == 0 {
                self.in_lane.remove(&lane);
            }
        }
        let now = std::time::Instant::now();
        match looked {
            Ok(None) => {
                if let Change::Closed(after) = self.breakers.answered(&lane, now) {
                    let after = after.as_secs();
                    tracing::info!(
                        lane,
                        after_seconds = after,
                        "accounts are looked at again: answers come again"
                    );
                }
            }
            Ok(Some(code)) => {
                if self.breakers.failed(&lane, now) == Change::Opened {
                    tracing::warn!(lane, code, "there are no answers about accounts; it is asked less often");
                }
            }
            Err(()) => {}
        }
    }

    /// Gives what came of the database, and says once that it is away and once that it is back.
    fn heard<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        match result {
            Ok(value) => {
                // With a full disk, for one, reading works all the while.
                if let Some((since, last)) = self.complaint
                    && last.elapsed() > QUIET
                {
                    self.complaint = None;
                    let after = since.elapsed().as_secs();
                    tracing::info!(after_seconds = after, "accounts are watched over again");
                }
                Some(value)
            }
            Err(error) => {
                let now = Instant::now();
                match &mut self.complaint {
                    Some((_, last)) => *last = now,
                    None => {
                        tracing::warn!(error = %error, "accounts cannot be watched over at the moment");
                        self.complaint = Some((now, now));
                    }
                }
                None
            }
        }
    }
}
