//! Leaving alone for a while whoever does not answer. Each peer has a breaker of its own: a few failures in a row open it,
//! for a time that doubles while tries after it fail, too. It is kept in memory, so it counts per node, and of a bounded
//! number of peers; those that answer are not remembered.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// So many failures in a row open it.
const FAILURES: u32 = 5;
/// For how long it opens first, and at most.
const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// So many peers are remembered.
const MOST: usize = 4096;

/// What a result changed, for the log: said once when a peer goes and once when it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing worth saying.
    None,
    /// It opened: the peer is left alone.
    Opened,
    /// The peer answers again, after so long.
    Closed(Duration),
}

struct Peer {
    failures: u32,
    /// Since when it has not answered.
    since: Instant,
    /// Until when it is left alone, and for how long that is.
    open: Option<(Instant, Duration)>,
    /// When somebody who waits for the answer was let through all the same.
    tried: Option<Instant>,
}

/// The breakers of one node.
#[derive(Default)]
pub struct Breakers(HashMap<String, Peer>);

impl Breakers {
    /// How many may ask a peer now, of `places`: all, some as a try, or nobody.
    pub fn admits(&self, peer: &str, places: usize, now: Instant) -> usize {
        match self.0.get(peer).and_then(|peer| peer.open) {
            None => places,
            Some((until, _)) if now < until => 0,
            // Few, but more than one: a single account may have trouble of its own.
            Some(_) => places.div_ceil(4),
        }
    }

    /// Whether somebody who waits for the answer may ask a peer now: as they like, and one in half a minute of a peer that is
    /// left alone.
    pub fn admits_one(&mut self, peer: &str, now: Instant) -> bool {
        match self.0.get_mut(peer) {
            Some(peer) if peer.open.is_some() => {
                let may = peer.tried.is_none_or(|at| now.saturating_duration_since(at) >= FIRST);
                if may {
                    peer.tried = Some(now);
                }
                may
            }
            _ => true,
        }
    }

    /// Takes back that somebody was let through, who did not ask after all.
    pub fn give_back(&mut self, peer: &str) {
        if let Some(peer) = self.0.get_mut(peer) {
            peer.tried = None;
        }
    }

    /// Whether a peer did not answer when it was last asked.
    pub fn doubts(&self, peer: &str) -> bool {
        self.0.contains_key(peer)
    }

    /// Notes that a peer answered.
    pub fn answered(&mut self, peer: &str, now: Instant) -> Change {
        match self.0.remove(peer) {
            Some(Peer { open: Some(_), since, .. }) => Change::Closed(now.saturating_duration_since(since)),
            _ => Change::None,
        }
    }

    /// Notes that a peer did not answer.
    pub fn failed(&mut self, peer: &str, now: Instant) -> Change {
        if self.0.len() >= MOST && !self.0.contains_key(peer) {
            // Whoever was left alone longest ago, or never, is forgotten first.
            let oldest =
                self.0.iter().min_by_key(|(_, peer)| peer.open.map_or(peer.since, |(until, _)| until));
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.0.remove(&oldest);
            }
        }
        let new = || Peer { failures: 0, since: now, open: None, tried: None };
        let peer = self.0.entry(peer.to_owned()).or_insert_with(new);
        peer.failures = peer.failures.saturating_add(1);
        match peer.open {
            // Asked before it opened.
            Some((until, _)) if now < until => Change::None,
            Some((_, span)) => {
                let span = (span * 2).min(LONGEST);
                peer.open = Some((now + span, span));
                Change::None
            }
            None if peer.failures >= FAILURES => {
                (peer.open, peer.tried) = (Some((now + FIRST, FIRST)), Some(now));
                Change::Opened
            }
            None => Change::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_fails_is_left_alone_longer_and_longer_and_that_is_said_once() {
        let (mut all, mut now) = (Breakers::default(), Instant::now());
        for _ in 1..FAILURES {
            assert_eq!(all.failed("a", now), Change::None);
            assert_eq!(all.admits("a", 8, now), 8);
        }
        assert_eq!(all.failed("a", now), Change::Opened);
        assert_eq!((all.admits("a", 8, now), all.admits("b", 8, now)), (0, 8));
        assert_eq!(all.failed("a", now), Change::None, "one that was under way");
        let (mut tries, start) = (0, now);
        while now.duration_since(start) < Duration::from_secs(3600) {
            now += Duration::from_secs(1);
            if all.admits("a", 8, now) > 0 {
                assert_eq!(all.admits("a", 8, now), 2, "as a try");
                assert_eq!(all.failed("a", now), Change::None);
                tries += 1;
            }
        }
        assert!((6..=9).contains(&tries), "{tries} tries in an hour");
        assert_eq!(all.answered("a", now), Change::Closed(now.duration_since(start)));
        assert_eq!((all.admits("a", 8, now), all.answered("a", now)), (8, Change::None));
    }

    #[test]
    fn failures_count_in_a_row() {
        let (mut all, now) = (Breakers::default(), Instant::now());
        for _ in 0..20 {
            all.failed("a", now);
            all.answered("a", now);
        }
        assert_eq!(all.admits("a", 8, now), 8);
    }

    #[test]
    fn the_number_of_peers_is_bounded() {
        let (mut all, now) = (Breakers::default(), Instant::now());
        for number in 0..MOST + 50 {
            all.failed(&number.to_string(), now);
        }
        assert_eq!(all.0.len(), MOST);
    }

    #[test]
    fn who_waits_for_an_answer_asks_a_peer_that_is_left_alone_once_in_a_while() {
        let (mut all, begun) = (Breakers::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        for _ in 0..FAILURES {
            assert!(all.admits_one("a", begun));
            all.failed("a", begun);
        }
        assert!(!all.admits_one("a", at(1)), "it has just been asked");
        // The watch tries, too, and leaves it alone for longer.
        for failed in [30, 90] {
            all.failed("a", at(failed));
        }
        assert_eq!(all.admits("a", 8, at(100)), 0);
        // However many ask in a second, and also when it is over that it is left alone by the watch.
        let asked =
            (91..280).flat_map(|second| [second; 3]).filter(|second| all.admits_one("a", at(*second)));
        assert_eq!(asked.collect::<Vec<u64>>(), [91, 121, 151, 181, 211, 241, 271]);
        assert!(all.admits("a", 8, at(280)) > 0);
        assert!(all.admits_one("b", begun));
        all.answered("a", at(200));
        assert!(all.admits_one("a", at(200)) && all.admits_one("a", at(200)));
    }
}
