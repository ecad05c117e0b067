//! PostgreSQL's own ways to fail and to wake: deadlocks, lost connections, notifications between nodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Barrier, Notify};
use vestibule::kernel::ids::SessionId;
use vestibule::kernel::words::EventKind;
use vestibule::store::{Error, Store, Wake};

use super::bench::{Database, SOON};
use super::rows::{api_key, insert_api_key, insert_session, read_session, session};

struct Crossing {
    first: SessionId,
    second: SessionId,
    meet: Arc<Barrier>,
    runs: Arc<AtomicU32>,
}

pub async fn a_deadlock_is_run_again(database: Database) {
    let store = database.open().await;
    let (one, two) = (session(), session());
    insert_session(&store, &one).await.unwrap();
    insert_session(&store, &two).await.unwrap();
    let (meet, runs) = (Arc::new(Barrier::new(2)), Arc::new(AtomicU32::new(0)));
    let cross = |first: &SessionId, second: &SessionId| {
        let crossing =
            Crossing { first: first.clone(), second: second.clone(), meet: meet.clone(), runs: runs.clone() };
        store.write(crossing, |crossing, tx| {
            Box::pin(async move {
                let run = crossing.runs.fetch_add(1, Ordering::Relaxed);
                tx.append_session_event(&crossing.first, EventKind::StepFailed, &[]).await?;
                if run < 2 {
                    // Only the first two runs meet, each with one row locked.
                    crossing.meet.wait().await;
                }
                tx.append_session_event(&crossing.second, EventKind::StepFailed, &[]).await?;
                Ok(())
            })
        })
    };
    let (there, back) = tokio::join!(cross(&one.id, &two.id), cross(&two.id, &one.id));
    assert_eq!((there, back), (Ok(()), Ok(())));
    assert!(runs.load(Ordering::Relaxed) >= 3, "PostgreSQL ended neither");
    for id in [&one.id, &two.id] {
        assert_eq!(read_session(&store, id).await.seq, 2);
    }
}

pub async fn a_serialisation_failure_is_run_again_and_given_up_in_the_end(database: Database) {
    let store = database.open().await;
    let mut raw = database.raw().await;
    // A sequence is not rolled back, so it counts the runs.
    raw.run(
        "CREATE SEQUENCE runs; CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.name = 'never' OR nextval('runs') < 3 THEN \
         RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER fail BEFORE INSERT ON api_keys FOR EACH ROW EXECUTE FUNCTION fail()",
    )
    .await;
    insert_api_key(&store, &api_key("at the third run")).await.unwrap();
    assert_eq!(raw.number("SELECT last_value FROM runs").await, 3);
    let given_up = insert_api_key(&store, &api_key("never")).await;
    assert!(matches!(given_up, Err(Error::Unavailable { retry: true, .. })), "{given_up:?}");
    assert_eq!(raw.number("SELECT COUNT(*) FROM api_keys").await, 1);
}

/// Wakes through one node and waits until the other hears it; gives how long it took.
async fn heard(from: &Store, to: &Store, name: &str, patience: Duration) -> bool {
    let mut wakes = to.wakes();
    let write = from.write(name.to_owned(), |name, tx| {
        Box::pin(async move {
            tx.wake(Wake::Attempt(name.clone()));
            Ok(())
        })
    });
    write.await.unwrap();
    let listen = async { while wakes.recv().await != Ok(Wake::Attempt(name.to_owned())) {} };
    tokio::time::timeout(patience, listen).await.is_ok()
}

/// Wakes until it is heard: a node that has just started may not listen yet.
async fn heard_in_the_end(from: &Store, to: &Store, name: &str) {
    let begun = std::time::Instant::now();
    for round in 0.. {
        if heard(from, to, &format!("{name} {round}"), Duration::from_millis(500)).await {
            return;
        }
        assert!(begun.elapsed() < SOON, "{name} was never heard");
    }
}

pub async fn a_commit_wakes_the_other_node(database: Database) {
    let (one, two) = (database.open().await, database.open().await);
    heard_in_the_end(&one, &two, "there").await;
    heard_in_the_end(&two, &one, "back").await;
    for at in 0..20 {
        assert!(heard(&one, &two, &format!("again {at}"), SOON).await);
    }
}

/// Ends the connections of this schema whose latest statement looks like `what`; gives how many there were.
async fn terminate(database: &Database, what: &str) -> i64 {
    let ended = format!(
        "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE application_name = '{}' AND pid <> pg_backend_pid() AND query LIKE '{what}%'",
        database.name()
    );
    database.raw().await.number(&ended).await
}

pub async fn a_lost_wake_connection_is_made_again(database: Database) {
    let (one, two) = (database.open().await, database.open().await);
    heard_in_the_end(&one, &two, "before").await;
    heard_in_the_end(&two, &one, "before").await;
    for round in 0..2 {
        assert_eq!(terminate(&database, "LISTEN ").await, 2, "both nodes listened");
        // Writing goes on meanwhile, and hearing comes back by itself.
        let written = session();
        insert_session(&one, &written).await.unwrap();
        assert_eq!(read_session(&two, &written.id).await.id, written.id);
        heard_in_the_end(&one, &two, &format!("after {round}")).await;
        heard_in_the_end(&two, &one, &format!("after {round}")).await;
    }
}

pub async fn a_connection_lost_during_a_write_costs_that_write_only(database: Database) {
    let store = database.open().await;
    let (wrote, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let written = session();
    let context = (written.clone(), wrote.clone(), go_on.clone());
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        let write = writer.write(context, |(session, wrote, go_on), tx| {
            Box::pin(async move {
                tx.insert_session(session).await?;
                wrote.notify_one();
                go_on.notified().await;
                tx.append_session_event(&session.id, EventKind::SessionOpened, &[]).await?;
                Ok(())
            })
        });
        write.await
    });
    wrote.notified().await;
    assert_eq!(terminate(&database, "INSERT INTO sessions").await, 1);
    go_on.notify_one();
    let lost = writing.await.unwrap();
    assert!(matches!(lost, Err(Error::Unavailable { .. })), "{lost:?}");
    assert!(store.read().await.unwrap().session(&written.id).await.unwrap().is_none());
    for _ in 0..10 {
        insert_session(&store, &session()).await.expect("the other connections serve");
    }
}
