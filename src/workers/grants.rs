//! Ending grants at their providers that nobody uses any more, a few at a time.

use std::time::Duration;

use tokio::sync::watch;

use crate::connect::Connect;

/// How often it looks.
const PAUSE: Duration = Duration::from_secs(2);
/// How many at once.
const BATCH: usize = 10;

/// Runs until told to stop; what was begun is finished, since its reply is to be written down.
pub async fn run(connect: Connect, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match connect.end_grants(i64::try_from(BATCH).unwrap_or(i64::MAX)).await {
            // There may be more.
            Ok(BATCH) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "grants could not be ended"),
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}
