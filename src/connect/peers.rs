//! Whom this node asks about accounts, by lanes: a provider, or a host below one. One that does not answer is left alone for
//! a while, by the watch and by backends that ask for credentials. The log says of each outage that it began and that it
//! ended; where it is names that cannot be looked up, once for all of them.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::looks::Looked;
use crate::kernel::breaker::{Breakers, Change};
use crate::kernel::ids::AccountId;

/// What is said of a host whose name no name server knows anything about: it is this node's trouble, not the host's.
const NAMELESS: &str = "dns_unavailable";
/// So many of them are remembered; more are said once more.
const MOST: usize = 4096;

/// Those who were asked, as this node knows them.
#[derive(Default)]
pub struct Peers(Mutex<Known>);

#[derive(Default)]
struct Known {
    breakers: Breakers,
    /// The same by accounts, for those who ask about one again and again: it may have trouble of its own.
    accounts: Breakers,
    /// Left alone, because their names could not be looked up.
    nameless: BTreeSet<String>,
}

impl Peers {
    /// How many may be asked in a lane now, of `places`.
    pub fn admits(&self, lane: &str, places: usize) -> usize {
        self.known().breakers.admits(lane, places, Instant::now())
    }

    /// Whether somebody who waits for the answer may ask about an account in a lane now.
    pub(super) fn admits_one(&self, lane: &str, id: &AccountId) -> bool {
        let (mut known, now) = (self.known(), Instant::now());
        let by_itself = known.accounts.admits_one(id.as_str(), now);
        let may = by_itself && known.breakers.admits_one(lane, now);
        if by_itself && !may {
            known.accounts.give_back(id.as_str());
        }
        may
    }

    /// Whether there was no answer when it was asked there last.
    pub fn doubts(&self, lane: &str) -> bool {
        self.known().breakers.doubts(lane)
    }

    /// Notes what a look that was due came to, and says what is new.
    pub fn noted(&self, lane: &str, id: &AccountId, looked: &Looked) {
        let mut known = self.known();
        if *looked == Looked::Answered {
            known.accounts.answered(id.as_str(), Instant::now());
        }
        known.note(lane, looked);
    }

    /// The same of a look that somebody waited for. Of those who ask about one account again and again the first counts for
    /// its lane.
    pub(super) fn noted_besides(&self, lane: &str, id: &AccountId, looked: &Looked) {
        let mut known = self.known();
        match looked {
            Looked::Answered => {
                known.accounts.answered(id.as_str(), Instant::now());
            }
            Looked::Silent(_) => {
                let again = known.accounts.doubts(id.as_str());
                known.accounts.failed(id.as_str(), Instant::now());
                if again {
                    return;
                }
            }
            Looked::NotAsked => {
                known.accounts.give_back(id.as_str());
                known.breakers.give_back(lane);
            }
        }
        known.note(lane, looked);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Whoever panicked left figures behind that are still good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Notes what a look came to for its lane, and says what is new.
    fn note(&mut self, lane: &str, looked: &Looked) {
        match looked {
            Looked::Answered => {
                let Change::Closed(after) = self.breakers.answered(lane, Instant::now()) else { return };
                if self.nameless.remove(lane) && !self.nameless.is_empty() {
                    return;
                }
                let after = after.as_secs();
                tracing::info!(
                    lane,
                    after_seconds = after,
                    "accounts are looked at again: answers come again"
                );
            }
            Looked::Silent(trouble) => {
                if self.breakers.failed(lane, Instant::now()) != Change::Opened {
                    return;
                }
                let code = trouble.code;
                if code == NAMELESS {
                    if self.nameless.len() >= MOST {
                        self.nameless.clear();
                    }
                    self.nameless.insert(lane.to_owned());
                    if self.nameless.len() > 1 {
                        return;
                    }
                }
                tracing::warn!(lane, code, "there are no answers about accounts; it is asked less often");
            }
            Looked::NotAsked => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Actor, Trouble};
    use crate::kernel::clock::Millis;
    use crate::kernel::random::Random;

    #[test]
    fn whoever_is_let_through_and_does_not_ask_leaves_the_turn_to_the_next() {
        let (peers, random) = (Peers::default(), Random::system());
        let id = || AccountId::new(Millis(0), &random);
        let silent = Looked::Silent(Trouble { code: "timeout", actor: Actor::Nobody });
        let (sick, well, other) = (id(), id(), id());
        for _ in 0..5 {
            assert!(peers.admits_one("a", &sick));
            peers.noted_besides("a", &sick, &silent);
        }
        // One account alone is no outage.
        assert!(!peers.admits_one("a", &sick) && peers.admits_one("a", &well));
        for _ in 0..5 {
            peers.noted("a", &id(), &silent);
        }
        assert!(!peers.admits_one("a", &well), "all were asked just now");
        peers.noted_besides("a", &other, &Looked::NotAsked);
        assert!(peers.admits_one("a", &well), "who was let through asked nobody");
        assert!(!peers.admits_one("a", &other));
        // Being turned away by the lane costs an account nothing.
        peers.noted("a", &well, &Looked::Answered);
        assert!(peers.admits_one("a", &other) && peers.admits_one("a", &well));
    }
}
