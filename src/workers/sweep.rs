//! Writing down what time alone has brought about, links that ran out and sign-ins that nobody finished, and removing what was kept long enough.

use std::time::Duration;

use tokio::sync::watch;

use crate::connect::Connect;

/// How often links that ran out are looked for.
const PAUSE: Duration = Duration::from_secs(30);
/// How often old rows are looked for.
const SWEEP: Duration = Duration::from_secs(600);
/// Between two batches of old rows, so that others come in between.
const BREATH: Duration = Duration::from_millis(50);
/// How many at once.
const BATCH: usize = 200;

/// Runs until told to stop. Links end on time however much there is to remove.
pub async fn run(connect: Connect, stop: watch::Receiver<bool>) {
    tokio::join!(expire(&connect, stop.clone()), sweep(&connect, stop));
}

/// Writes down links that ran out.
async fn expire(connect: &Connect, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match connect.expire_sessions(i64::try_from(BATCH).unwrap_or(i64::MAX)).await {
            // There may be more.
            Ok(BATCH) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(error = %error, "expired links could not be written down"),
        }
        match connect.give_up_finishes(i64::try_from(BATCH).unwrap_or(i64::MAX)).await {
            Ok(BATCH) => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = %error, "sign-ins that nobody finished could not be given up");
            }
        }
        if let Err(error) = connect.forget_parked().await {
            tracing::warn!(error = %error, "what people brought back and nobody took out could not be removed");
        }
        pause(PAUSE, &mut stop).await;
    }
}

/// Removes what is old, every now and then.
async fn sweep(connect: &Connect, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        forget(connect, &stop).await;
        pause(SWEEP, &mut stop).await;
    }
}

/// Returns after a while, or when it is time to stop.
async fn pause(span: Duration, stop: &mut watch::Receiver<bool>) {
    tokio::select! {
        _ = stop.changed() => {}
        () = tokio::time::sleep(span) => {}
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
