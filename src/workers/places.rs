//! Places: how many calls are under way on this node, and in which lanes more may begin.
//!
//! A lane has a few places while its calls are taken, and one before the first was and after one was not. The first
//! place of an endpoint that stands by itself is always there: there are a hundred of them at most. Sessions' own
//! endpoints are at any number of hosts; all their lanes together have so many places, and those among them whose calls
//! are not taken have a part of these.

use std::collections::{HashMap, HashSet};

use tokio::task::JoinSet;
use tracing::Instrument;

use super::call::Caller;
use crate::kernel::ids::DeliveryId;
use crate::kernel::traces;
use crate::store::{self, Delivery};

/// Calls at once in one lane whose calls are taken.
const LANE_PLACES: usize = 4;
/// All that endpoints which stand by themselves have beyond the first of each.
const FURTHER_PLACES: usize = 64;
/// All that sessions' own endpoints have, and those of them whose last call was not taken.
const SESSION_PLACES: usize = 128;
const UNKNOWN_PLACES: usize = 96;
/// How many lanes are remembered for having taken their last call.
const MOST_WELL: usize = 10_000;

/// What shares its places: an endpoint that stands by itself, or a host that sessions' own endpoints are at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lane {
    pub(super) name: String,
    standing: bool,
}

impl Lane {
    pub(super) fn standing(name: impl Into<String>) -> Self {
        Self { name: name.into(), standing: true }
    }

    pub(super) fn stands(&self) -> bool {
        self.standing
    }

    pub(super) fn of_host(name: impl Into<String>) -> Self {
        Self { name: name.into(), standing: false }
    }
}

/// The places that are left.
pub(super) struct Room {
    further: usize,
    pub(super) sessions: usize,
    unknown: usize,
}

/// The calls under way on this node.
#[derive(Default)]
pub(super) struct Calls {
    /// Each says whether its call was taken, once that is written down.
    tasks: JoinSet<store::Result<bool>>,
    /// What each task is working on: the delivery and its lane.
    work: HashMap<tokio::task::Id, (DeliveryId, Lane)>,
    /// How many calls each lane has under way.
    busy: HashMap<Lane, usize>,
    /// Lanes whose last call was taken.
    well: HashSet<Lane>,
}

impl Calls {
    /// What is left for all lanes together.
    pub(super) fn room(&self) -> Room {
        let (mut further, mut sessions, mut unknown) = (0, 0, 0);
        for (lane, used) in &self.busy {
            if lane.standing {
                further += used - 1;
            } else {
                sessions += used;
                unknown += if self.well.contains(lane) { 0 } else { *used };
            }
        }
        Room {
            further: FURTHER_PLACES.saturating_sub(further),
            sessions: SESSION_PLACES.saturating_sub(sessions),
            unknown: UNKNOWN_PLACES.saturating_sub(unknown),
        }
    }

    /// How many places a lane has left.
    pub(super) fn free(&self, lane: &Lane) -> usize {
        self.free_in(lane, &self.room())
    }

    fn free_in(&self, lane: &Lane, room: &Room) -> usize {
        let used = self.busy.get(lane).copied().unwrap_or_default();
        let well = self.well.contains(lane);
        let own = if well { LANE_PLACES } else { 1 }.saturating_sub(used);
        match (lane.standing, well) {
            (true, _) => own.min(room.further + usize::from(used == 0)),
            (false, true) => own.min(room.sessions),
            (false, false) => own.min(room.sessions).min(room.unknown),
        }
    }

    /// Whether a call may begin in this lane, after those that were admitted before to the same room.
    pub(super) fn admits(&self, lane: &Lane, room: &mut Room) -> bool {
        if self.free_in(lane, room) == 0 {
            return false;
        }
        room.sessions -= 1;
        if !self.well.contains(lane) {
            room.unknown -= 1;
        }
        true
    }

    pub(super) fn works_on(&self, id: &DeliveryId) -> bool {
        self.work.values().any(|(known, _)| known == id)
    }

    pub(super) fn start(&mut self, caller: Caller, delivery: Delivery, lane: Lane) {
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
            match caller.deliver(delivery).await {
                // The database: said by the loop, once.
                Err(error) if !matches!(error, store::Error::Unavailable { .. }) => {
                    tracing::warn!(delivery.id = %id, error = %error, "a delivery's try could not be written down");
                    Ok(false)
                }
                ended => ended,
            }
        };
        self.begin(work.instrument(span), id, lane);
    }

    fn begin(
        &mut self,
        work: impl Future<Output = store::Result<bool>> + Send + 'static,
        id: DeliveryId,
        lane: Lane,
    ) {
        let task = self.tasks.spawn(work);
        *self.busy.entry(lane.clone()).or_default() += 1;
        self.work.insert(task.id(), (id, lane));
    }

    /// Waits for a call to end, forever when there is none; gives the lanes of all that have ended, each with whether the
    /// call was taken, where that could be written down.
    pub(super) async fn ended(&mut self) -> Vec<(Lane, store::Result<bool>)> {
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
                    (error.id(), Ok(false))
                }
            };
            if let Some((_, lane)) = self.work.remove(&id) {
                self.leave(&lane);
                self.note(&lane, matches!(taken, Ok(true)));
                lanes.push((lane, taken));
            }
            next = self.tasks.try_join_next_with_id();
        }
        lanes
    }

    /// Waits until none is under way.
    pub(super) async fn all_ended(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    fn leave(&mut self, lane: &Lane) {
        if let Some(used) = self.busy.get_mut(lane) {
            *used -= 1;
            if *used == 0 {
                self.busy.remove(lane);
            }
        }
    }

    fn note(&mut self, lane: &Lane, taken: bool) {
        if !taken {
            self.well.remove(lane);
            return;
        }
        if self.well.len() >= MOST_WELL {
            // Forgotten lanes have one place until their next call is taken.
            self.well.clear();
        }
        if !self.well.contains(lane) {
            self.well.insert(lane.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::clock::Millis;
    use crate::kernel::random::Random;

    fn busy(calls: &mut Calls, lane: &Lane) -> usize {
        let free = calls.free(lane);
        for _ in 0..free {
            let id = DeliveryId::new(Millis(1), &Random::system());
            calls.begin(std::future::pending(), id, lane.clone());
        }
        free
    }

    #[tokio::test]
    async fn lanes_whose_calls_are_not_taken_leave_places_for_those_whose_calls_are() {
        let mut calls = Calls::default();
        let well = Lane::of_host("well");
        calls.note(&well, true);
        for number in 0..300 {
            assert!(busy(&mut calls, &Lane::of_host(format!("unknown {number}"))) <= 1);
        }
        assert_eq!(calls.tasks.len(), UNKNOWN_PLACES);
        let last = Lane::of_host("unknown 299");
        assert!(!calls.admits(&last, &mut calls.room()) && calls.admits(&well, &mut calls.room()));
        assert_eq!(busy(&mut calls, &well), LANE_PLACES);
        assert_eq!(calls.free(&well), 0);
        calls.note(&last, true);
        assert_eq!(calls.free(&last), LANE_PLACES, "it is well now");
        calls.note(&last, false);
        assert_eq!(calls.free(&last), 0, "it is not any more, and the others' places are taken");
    }

    #[tokio::test]
    async fn whatever_else_is_under_way_an_endpoint_that_stands_has_a_place() {
        let mut calls = Calls::default();
        for number in 0..300 {
            let host = Lane::of_host(format!("host {number}"));
            calls.note(&host, true);
            busy(&mut calls, &host);
        }
        assert_eq!(calls.tasks.len(), SESSION_PLACES);
        for number in 0..100 {
            let lane = Lane::standing(number.to_string());
            calls.note(&lane, number % 2 == 0);
            assert!(busy(&mut calls, &lane) >= 1, "{number}");
        }
        assert_eq!(calls.tasks.len(), SESSION_PLACES + 100 + FURTHER_PLACES);
    }
}
