//! What a loop says of the database while that is away: once, and once more when it is back.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;

/// So long there must have been no trouble for it to be over.
const QUIET: Duration = Duration::from_secs(5);

/// Trouble of one loop.
pub(super) struct Complaint {
    away: &'static str,
    back: &'static str,
    /// Since when there is trouble, once it was said, and when there was some last.
    standing: Option<(Instant, Instant)>,
}

impl Complaint {
    /// With the words for trouble, and for its end.
    pub(super) fn new(away: &'static str, back: &'static str) -> Self {
        Self { away, back, standing: None }
    }

    /// Gives what there is of a result, and says what is new.
    pub(super) fn heard<T, E: Display>(&mut self, result: Result<T, E>) -> Option<T> {
        self.heard_at(result, Instant::now())
    }

    fn heard_at<T, E: Display>(&mut self, result: Result<T, E>, now: Instant) -> Option<T> {
        match result {
            Ok(value) => {
                // With a full disk, for one, reading works all the while.
                if let Some((since, last)) = self.standing
                    && now.duration_since(last) > QUIET
                {
                    self.standing = None;
                    tracing::info!(after_seconds = now.duration_since(since).as_secs(), "{}", self.back);
                }
                Some(value)
            }
            Err(error) => {
                match &mut self.standing {
                    Some((_, last)) => *last = now,
                    None => {
                        tracing::warn!(error = %error, "{}", self.away);
                        self.standing = Some((now, now));
                    }
                }
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_over_after_a_quiet_while() {
        let mut complaint = Complaint::new("away", "back");
        let began = Instant::now();
        let mut hear = |result: Result<u8, &str>, second| {
            let heard = complaint.heard_at(result, began + Duration::from_secs(second));
            (heard, complaint.standing.is_some())
        };
        assert_eq!(hear(Ok(1), 0), (Some(1), false));
        assert_eq!(hear(Err("full"), 1), (None, true));
        assert_eq!(hear(Ok(2), 4), (Some(2), true), "reading may work all the while");
        assert_eq!(hear(Err("full"), 5), (None, true));
        assert_eq!(hear(Ok(3), 9), (Some(3), true), "counted from the last");
        assert_eq!(hear(Ok(4), 11), (Some(4), false));
    }
}
