//! Writing down what time alone has brought about: links that ran out.

use std::time::Duration;

use tokio::sync::watch;

use crate::connect::Connect;

/// How often it looks.
const PAUSE: Duration = Duration::from_secs(30);
/// How many at once.
const BATCH: usize = 200;

/// Runs until told to stop.
pub async fn run(connect: Connect, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match connect.expire_sessions(i64::try_from(BATCH).unwrap_or(i64::MAX)).await {
            // There may be more.
            Ok(BATCH) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "expired links could not be written down"),
        }
        tokio::select! {
            _ = stop.changed() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}
