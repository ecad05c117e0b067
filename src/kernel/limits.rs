//! How often one caller may do a thing. Each caller has a budget that fills evenly and may be spent at once (the
//! generic cell rate algorithm). It is kept in memory, so it counts per node, and the number of callers that are
//! remembered is bounded: whoever asks from many addresses cannot fill the memory.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

type Keyed<K> = RateLimiter<K, HashMapStateStore<K>, MonotonicClock, NoOpMiddleware<std::time::Instant>>;
type Alone = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<std::time::Instant>>;

/// So many callers are remembered; those whose budget is full again are forgotten first.
const MOST: usize = 65_536;
/// How many callers' budgets are shared by a crowd too large to be remembered.
const CROWD: u32 = 16;

/// A budget for each caller.
pub struct Limiter<K: Hash + Eq + Clone> {
    callers: Keyed<K>,
    /// What all callers share while no more can be remembered: [`CROWD`] budgets.
    crowd: Alone,
    /// When the map may be looked through again, in milliseconds since `began`: not at every call while it is full.
    look_at: AtomicU64,
    began: std::time::Instant,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// `most` times in `span`, all at once if need be. `None` when `most` is zero, which means no limit.
    pub fn new(most: u32, span: Duration) -> Option<Self> {
        let most = NonZeroU32::new(most)?;
        let quota = Quota::with_period(span / most.get())?.allow_burst(most);
        let shared = most.saturating_mul(NonZeroU32::MIN.saturating_add(CROWD - 1));
        let crowd = Quota::with_period(span / shared.get())?.allow_burst(shared);
        Some(Self {
            callers: RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock),
            crowd: RateLimiter::direct_with_clock(crowd, MonotonicClock),
            look_at: AtomicU64::new(0),
            began: std::time::Instant::now(),
        })
    }

    /// Spends one.
    ///
    /// # Errors
    /// How long until there is one to spend again.
    pub fn spend(&self, caller: &K) -> Result<(), Duration> {
        let now = MonotonicClock.now();
        if self.is_full() {
            return self.crowd.check().map_err(|until| until.wait_time_from(now));
        }
        self.callers.check_key(caller).map_err(|until| until.wait_time_from(now))
    }

    /// Whether there are too many callers to remember; once a second those with a full budget are forgotten.
    fn is_full(&self) -> bool {
        if self.callers.len() < MOST {
            return false;
        }
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let due = self.look_at.load(Ordering::Relaxed);
        let mine = now >= due
            && self.look_at.compare_exchange(due, now + 1000, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if mine {
            self.callers.retain_recent();
        }
        self.callers.len() >= MOST
    }
}

impl<K: Hash + Eq + Clone> std::fmt::Debug for Limiter<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Limiter")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_at_once_and_says_when_there_is_more() {
        let limiter = Limiter::new(3, Duration::from_secs(3600)).expect("a limit");
        assert_eq!([(); 3].map(|()| limiter.spend(&"a")), [Ok(()), Ok(()), Ok(())]);
        let wait = limiter.spend(&"a").expect_err("the budget is spent");
        assert!(wait > Duration::from_secs(1190) && wait <= Duration::from_secs(1200), "{wait:?}");
        assert_eq!(limiter.spend(&"b"), Ok(()), "everybody has a budget of their own");
    }

    #[test]
    fn nothing_is_no_limit() {
        assert!(Limiter::<u8>::new(0, Duration::from_secs(60)).is_none());
    }

    #[test]
    fn a_crowd_is_not_remembered_without_end_and_shares_a_budget() {
        let limiter = Limiter::new(2, Duration::from_secs(3600)).expect("a limit");
        for caller in 0..MOST {
            assert_eq!(limiter.spend(&caller), Ok(()));
        }
        let more: Vec<_> = (MOST..MOST + 100).map(|caller| limiter.spend(&caller).is_ok()).collect();
        assert_eq!(more.iter().filter(|passed| **passed).count(), 2 * CROWD as usize);
        assert_eq!(limiter.callers.len(), MOST);
    }
}
