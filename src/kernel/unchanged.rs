//! What others hold, and for how long it was seen as it is, on this node's own clock of passing time: what clocks on walls
//! say is no reason to think that a holder died.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Things that are held, each with its hold and since when that looks so.
#[derive(Debug)]
pub struct Unchanged<K, H>(HashMap<K, (H, Instant)>);

impl<K, H> Default for Unchanged<K, H> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq, H: PartialEq> Unchanged<K, H> {
    /// Looks at everything that is held now. What is not held any more is forgotten, and a hold that changed begins anew.
    pub fn see(&mut self, held: impl IntoIterator<Item = (K, H)>) {
        let now = Instant::now();
        let mut known = std::mem::take(&mut self.0);
        self.0 = held
            .into_iter()
            .map(|(key, hold)| {
                let since =
                    known.remove(&key).filter(|(before, _)| *before == hold).map_or(now, |(_, since)| since);
                (key, (hold, since))
            })
            .collect();
    }

    /// Each thing with its hold and how long that was seen unchanged.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &H, Duration)> {
        self.0.iter().map(|(key, (hold, since))| (key, hold, since.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_as_it_is_grows_older() {
        let mut seen = Unchanged::default();
        seen.see([("stays", 1), ("changes", 1), ("goes", 1)]);
        std::thread::sleep(Duration::from_millis(5));
        seen.see([("stays", 1), ("changes", 2)]);
        std::thread::sleep(Duration::from_millis(5));
        seen.see([("stays", 1), ("changes", 2), ("goes", 1)]);
        let mut oldest_first: Vec<_> = seen.iter().map(|(key, hold, age)| (age, *key, *hold)).collect();
        oldest_first.sort_unstable_by(|one, other| other.cmp(one));
        let order: Vec<_> = oldest_first.iter().map(|(_, key, hold)| (*key, *hold)).collect();
        assert_eq!(order, [("stays", 1), ("changes", 2), ("goes", 1)]);
    }
}
