//! Which attempts have a conversation in this process: one each, and no more in all than there is room for.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::kernel::ids::AttemptId;

/// Conversations of one node; whoever finds no room asks again by looking.
const PER_NODE: usize = 10_000;

/// The conversations that go on in this process.
#[derive(Clone, Default)]
pub(super) struct Talks(Arc<Mutex<HashSet<AttemptId>>>);

impl Talks {
    /// A place for an attempt's conversation; `None` where it has one already or there is no room.
    pub(super) fn enter(&self, attempt: &AttemptId) -> Option<Place> {
        let mut all = self.all();
        if all.len() >= PER_NODE || !all.insert(attempt.clone()) {
            return None;
        }
        drop(all);
        Some(Place { talks: self.clone(), attempt: attempt.clone() })
    }

    /// Whether an attempt's conversation goes on here.
    pub(super) fn has(&self, attempt: &AttemptId) -> bool {
        self.all().contains(attempt)
    }

    fn all(&self) -> MutexGuard<'_, HashSet<AttemptId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A conversation's place; dropping it makes room for another.
pub(super) struct Place {
    talks: Talks,
    attempt: AttemptId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.talks.all().remove(&self.attempt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::clock::Clock;
    use crate::kernel::random::Random;

    #[test]
    fn an_attempt_has_one_conversation_in_a_process_and_room_comes_back() {
        let (talks, clock, random) = (Talks::default(), Clock::system(), Random::system());
        let id = AttemptId::new(clock.now(), &random);
        let place = talks.enter(&id);
        assert!(place.is_some() && talks.enter(&id).is_none());
        assert!(talks.enter(&AttemptId::new(clock.now(), &random)).is_some());
        drop(place);
        assert!(talks.enter(&id).is_some());
    }
}
