//! SQLite's batches: writes that wait are committed together, and one that breaks takes none of them along.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::JoinSet;
use vestibule::kernel::words::AttemptState;
use vestibule::store::{Error, Result, Session, Store};

use super::bench::{Database, Raw, SOON, now};
use super::rows::{
    api_key, attempt, claim, insert_attempt, insert_session, read_attempt, read_delivery, session, told,
};
use crate::parts::eventually_async;

/// Each write inserts a session and then a key, so that half of one would show.
fn queue(store: &Store, count: usize, name: impl Fn(usize) -> String) -> JoinSet<(Session, Result<()>)> {
    let mut writes = JoinSet::new();
    for at in 0..count {
        let (store, session, mut key) = (store.clone(), session(), api_key(&name(at)));
        if key.name == "taken" {
            key.hash = "taken".to_owned();
        }
        writes.spawn(async move {
            let write = store.write((session.clone(), key), |(session, key), tx| {
                Box::pin(async move {
                    tx.insert_session(session).await?;
                    tx.insert_api_key(key).await
                })
            });
            let result = write.await;
            (session, result)
        });
    }
    writes
}

/// Holds the file while `count` writes queue up, so that they meet in one batch.
async fn together(
    database: &Database,
    store: &Store,
    count: usize,
    name: impl Fn(usize) -> String,
) -> Vec<(Session, Result<()>)> {
    let mut raw = database.raw().await;
    raw.run("BEGIN IMMEDIATE").await;
    let writes = queue(store, count, name);
    tokio::task::yield_now().await;
    // The queue itself cannot be seen from here; the writer is held, so a moment is plenty.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    raw.run("ROLLBACK").await;
    writes.join_all().await
}

async fn poisoned(database: &Database, how: &str) {
    let store = database.open().await;
    let mut raw = database.raw().await;
    raw.run(&format!(
        "CREATE TRIGGER poison BEFORE INSERT ON api_keys WHEN NEW.name = 'poison' \
         BEGIN SELECT RAISE({how}, 'the disk is on fire'); END"
    ))
    .await;
    let name = |at| if at % 50 == 20 { "poison".to_owned() } else { format!("key {at}") };
    for (session, result) in together(database, &store, 100, name).await {
        let there = store.read().await.unwrap().session(&session.id).await.unwrap().is_some();
        assert_eq!(result.is_ok(), there, "{result:?}");
        if let Err(error) = result {
            assert!(matches!(error, Error::Unavailable { retry: false, .. }), "{error:?}");
            assert!(
                error.to_string().contains("the disk is on fire"),
                "its own error, not a later one: {error}"
            );
        }
    }
    for table in ["sessions", "api_keys"] {
        assert_eq!(raw.number(&format!("SELECT COUNT(*) FROM {table}")).await, 98, "{table}");
    }
    insert_session(&store, &session()).await.expect("the store goes on");
}

pub async fn a_write_that_ends_the_whole_transaction_fails_alone(database: Database) {
    poisoned(&database, "ROLLBACK").await;
}

pub async fn a_write_that_fails_its_statement_fails_alone(database: Database) {
    poisoned(&database, "ABORT").await;
}

pub async fn a_conflict_in_the_middle_is_rolled_back_alone(database: Database) {
    let store = database.open().await;
    let name = |at| if at % 10 == 5 { "taken".to_owned() } else { format!("key {at}") };
    let results = together(&database, &store, 100, name).await;
    for (session, result) in &results {
        let there = store.read().await.unwrap().session(&session.id).await.unwrap().is_some();
        assert_eq!(result.is_ok(), there);
        assert!(matches!(result, Ok(()) | Err(Error::Conflict)), "{result:?}");
    }
    let lost = results.iter().filter(|(_, result)| result.is_err()).count();
    assert_eq!(lost, 9, "one of ten has the hash");
    let mut raw = database.raw().await;
    for table in ["sessions", "api_keys"] {
        assert_eq!(raw.number(&format!("SELECT COUNT(*) FROM {table}")).await, 91, "{table}");
    }
}

pub async fn nobody_is_answered_before_the_commit(database: Database) {
    let store = database.open().await;
    let raw: Arc<Mutex<Raw>> = Arc::new(Mutex::new(database.raw().await));
    let mut writes = JoinSet::new();
    for _ in 0..300 {
        let (store, raw, one) = (store.clone(), raw.clone(), session());
        writes.spawn(async move {
            insert_session(&store, &one).await.unwrap();
            let sql = format!("SELECT COUNT(*) FROM sessions WHERE id = '{}'", one.id);
            raw.lock().await.number(&sql).await
        });
    }
    assert_eq!(writes.join_all().await, vec![1; 300]);
}

pub async fn a_locked_file_delays_and_loses_nothing(database: Database) {
    let store = database.open().await;
    let mut raw = database.raw().await;
    raw.run("BEGIN IMMEDIATE").await;
    let mut writes = queue(&store, 40, |at| format!("key {at}"));
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), writes.join_next()).await;
    assert!(early.is_err(), "answered while another process held the file: {early:?}");
    assert_eq!(raw.number("SELECT COUNT(*) FROM sessions").await, 0);
    raw.run("COMMIT").await;
    assert!(writes.join_all().await.iter().all(|(_, result)| result.is_ok()));
    eventually_async("forty rows", SOON, async || {
        (raw.number("SELECT COUNT(*) FROM sessions").await == 40).then_some(())
    })
    .await;
}

pub async fn a_restart_lets_go_of_what_the_former_process_held(database: Database) {
    let store = database.open().await;
    let (_, _, ids) = told(&store, "lane", 1).await;
    let held = claim(&store, "former", "lane", 1).await.remove(0);
    let written = attempt(&session());
    insert_attempt(&store, &written).await.unwrap();
    let take = store.write(written.clone(), |read, tx| {
        Box::pin(tx.take_attempt(read, "former", now(), vestibule::kernel::clock::Millis(i64::MAX)))
    });
    take.await.unwrap();
    store.release_leases().await.unwrap();
    let free = read_delivery(&store, &ids[0]).await;
    assert!(free.leased_by.is_none() && free.version > held.version, "the former process can finish nothing");
    assert_eq!(claim(&store, "next", "lane", 1).await.len(), 1);
    let free = read_attempt(&store, &written.id).await;
    assert!(free.state == AttemptState::Live && free.busy_by.is_none() && !free.is_busy(now()));
}
