//! Writing down what time alone has brought about, links that ran out, and removing what was kept long enough.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::connect::Connect;

/// How often it looks.
const PAUSE: Duration = Duration::from_secs(30);
/// How often old rows are looked for.
const SWEEP: Duration = Duration::from_secs(600);
/// Between two batches of old rows, so that others come in between.
const BREATH: Duration = Duration::from_millis(50);
/// How many at once.
const BATCH: usize = 200;

/// Runs until told to stop.
pub async fn run(connect: Connect, mut stop: watch::Receiver<bool>) {
    let mut due = Instant::now();
    while !*stop.borrow() {
        if Instant::now() >= due {
            due = Instant::now() + SWEEP;
            forget(&connect, &stop).await;
        }
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

/// Removes old rows, batch by batch, until there are none.
async fn forget(connect: &Connect, stop: &watch::Receiver<bool>) {
    let mut gone = 0;
    while !*stop.borrow() {
        match connect.sweep().await {
            Ok(0) => break,
            Ok(more) => gone += more,
            Err(error) => {
                tracing::warn!(error = %error, "old rows could not be removed");
                break;
            }
        }
        tokio::time::sleep(BREATH).await;
    }
    if gone > 0 {
        tracing::info!(rows = gone, "sessions, calls and events that were kept long enough were removed");
    }
}
