//! When a delivery is tried again: fourteen tries over three days.

use std::time::Duration;

use crate::kernel::random::Random;

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Seconds to wait after the first, second, … failed try. The last one's failure is final.
const DELAYS: &[u64] = &[
    5 * SECOND,
    30 * SECOND,
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    8 * HOUR,
    12 * HOUR,
    12 * HOUR,
    16 * HOUR,
    16 * HOUR,
];

/// The longest of these, with all that chance may add.
pub(super) const LONGEST: Duration = Duration::from_secs(16 * HOUR + 16 * HOUR / 10);

/// A receiver's `Retry-After` counts up to here.
const LONGEST_WISH: Duration = Duration::from_secs(HOUR);

/// How long to wait after `tries` failed tries since it was last sent on its way, give or take a tenth, so that receivers that fell together are
/// not called together; no less than the receiver asked for. `None` when it was the last.
pub(super) fn delay(tries: i64, wish: Option<Duration>, random: &Random) -> Option<Duration> {
    let at = usize::try_from(tries).ok()?.checked_sub(1)?;
    let planned = Duration::from_secs(*DELAYS.get(at)?).mul_f64(0.9 + 0.2 * random.fraction());
    let wished = wish.unwrap_or_default().min(LONGEST_WISH);
    Some(planned.max(wished))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_go_on_for_three_days_and_then_end() {
        let random = Random::new(|bytes| bytes.fill(0x7f));
        let mut total = Duration::ZERO;
        let mut tries = 1;
        while let Some(wait) = delay(tries, None, &random) {
            let longest = delay(tries, Some(LONGEST_WISH), &Random::new(|bytes| bytes.fill(0xff)));
            assert!(longest <= Some(LONGEST));
            total += wait;
            tries += 1;
        }
        assert_eq!(tries, 14);
        let days = total.as_secs_f64() / 86_400.0;
        assert!((2.9..3.3).contains(&days), "{days} days");
    }

    #[test]
    fn a_receiver_s_wish_is_kept_up_to_an_hour() {
        let random = Random::system();
        assert_eq!(delay(1, Some(Duration::from_secs(90)), &random), Some(Duration::from_secs(90)));
        assert_eq!(delay(1, Some(Duration::from_secs(1_000_000)), &random), Some(Duration::from_secs(3600)));
        assert!(delay(1, None, &random).unwrap() < Duration::from_secs(6));
    }
}
