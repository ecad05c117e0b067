//! Races: of any number of writers on two nodes, exactly as many win as may.

use std::sync::Arc;

use tokio::sync::Barrier;
use vestibule::kernel::clock::Millis;
use vestibule::kernel::words::EventKind;
use vestibule::store::{AccountFilter, Endpoint, Error, Result, SessionUpdate, Store};

use super::bench::{Database, now};
use super::rows::{
    account, attempt, endpoint, insert_account, insert_attempt, insert_endpoint, insert_session,
    read_attempt, read_session, session,
};

/// Runs `racer` for each number at once, by turns on two nodes; gives what each got.
async fn race<T, F>(database: &Database, count: usize, racer: impl Fn(usize, Store) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let nodes = [database.open().await, database.open().await];
    let start = Arc::new(Barrier::new(count));
    let mut racers = tokio::task::JoinSet::new();
    for at in 0..count {
        let (run, start) = (racer(at, nodes[at % 2].clone()), start.clone());
        racers.spawn(async move {
            start.wait().await;
            run.await
        });
    }
    racers.join_all().await
}

/// How many won; everybody else must have met a conflict and nothing worse.
fn winners(results: &[Result<()>]) -> usize {
    let lost = results.iter().filter(|result| **result == Err(Error::Conflict)).count();
    let won = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(won + lost, results.len(), "{results:?}");
    won
}

pub async fn one_of_two_hundred_wins_each_version_of_a_session(database: Database) {
    let store = database.open().await;
    let contested = session();
    insert_session(&store, &contested).await.unwrap();
    for version in 1..=2 {
        let results = race(&database, 200, |at, store| {
            let claim_no = i64::try_from(at).unwrap();
            let update = SessionUpdate { claim_no, ..(&contested).into() };
            let context = (contested.id.clone(), version, update);
            async move {
                let write = store.write(context, |(id, version, update), tx| {
                    Box::pin(tx.update_session(id, *version, update))
                });
                write.await.map(|()| claim_no)
            }
        });
        let results = results.await;
        let won: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).copied().collect();
        let results: Vec<_> = results.into_iter().map(|result| result.map(|_| ())).collect();
        assert_eq!(winners(&results), 1);
        let read = read_session(&store, &contested.id).await;
        assert_eq!((read.version, read.claim_no), (version + 1, won[0]));
    }
}

pub async fn one_of_a_hundred_takes_an_attempt(database: Database) {
    let store = database.open().await;
    let contested = attempt(&session());
    insert_attempt(&store, &contested).await.unwrap();
    let results = race(&database, 100, |at, store| {
        let context = (contested.clone(), format!("call {at}"));
        async move {
            let write = store.write(context, |(read, by), tx| {
                Box::pin(tx.take_attempt(read, by, now(), Millis(now().0 + 60_000)))
            });
            write.await
        }
    });
    let results = results.await;
    assert_eq!(winners(&results), 1);
    let read = read_attempt(&store, &contested.id).await;
    assert!(read.version == 2 && read.is_busy(now()) && read.busy_by.is_some());
}

async fn connect(database: &Database, count: usize, name: Option<&str>) -> Vec<Result<()>> {
    let mark = account().identity_mark;
    let results = race(database, count, |_, store| {
        let mut made = account();
        made.identity_mark = mark.clone();
        made.name_mark = name.map(str::to_owned);
        async move { insert_account(&store, &made, b"secret").await }
    });
    results.await
}

pub async fn one_of_fifty_inserts_an_identity_under_one_name(database: Database) {
    let store = database.open().await;
    assert_eq!(winners(&connect(&database, 50, Some("name")).await), 1);
    let all = store.read().await.unwrap().accounts(&AccountFilter { limit: 99, ..Default::default() }).await;
    assert_eq!(all.unwrap().len(), 1);
}

pub async fn without_a_name_nothing_is_merged(database: Database) {
    let store = database.open().await;
    assert_eq!(winners(&connect(&database, 20, None).await), 20);
    let all = store.read().await.unwrap().accounts(&AccountFilter { limit: 99, ..Default::default() }).await;
    assert_eq!(all.unwrap().len(), 20);
}

pub async fn a_hundred_racing_events_are_numbered_without_gaps(database: Database) {
    let store = database.open().await;
    let subject = account();
    insert_account(&store, &subject, b"secret").await.unwrap();
    let results = race(&database, 100, |at, store| {
        let context = (subject.id.clone(), at);
        async move {
            let write = store.write(context, |(id, at), tx| {
                Box::pin(async move {
                    let event = tx.append_account_event(id, EventKind::AccountReconnected, &[]).await?;
                    if *at % 10 == 3 { Err(Error::NotFound) } else { Ok(event.seq) }
                })
            });
            write.await
        }
    });
    let mut given: Vec<i64> = results.await.into_iter().filter_map(Result::ok).collect();
    given.sort_unstable();
    assert_eq!(given, (1..=90).collect::<Vec<_>>());
    let events = store.read().await.unwrap().events_of(subject.id.as_str()).await.unwrap();
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), given);
}

pub async fn nodes_that_start_at_once_share_one_schema(database: Database) {
    let nodes = tokio::join!(database.open(), database.open(), database.open(), database.open());
    let written = session();
    insert_session(&nodes.0, &written).await.unwrap();
    for node in [&nodes.1, &nodes.2, &nodes.3] {
        assert_eq!(read_session(node, &written.id).await.id, written.id);
    }
    let twice = "SELECT COUNT(*) - COUNT(DISTINCT number) FROM migrations";
    assert_eq!(database.raw().await.number(twice).await, 0);
    assert_eq!(Store::sealed_with(&database.address()).await.unwrap().len(), 1);
}

pub async fn twenty_replays_at_once_tell_a_fact_under_one_id(database: Database) {
    let store = database.open().await;
    let (told, late) = (session(), Endpoint { wanted: Vec::new(), ..endpoint("late") });
    insert_session(&store, &told).await.unwrap();
    for _ in 0..10 {
        let event = store.write(told.id.clone(), |id, tx| {
            Box::pin(async move {
                tx.append_session_event(id, EventKind::SessionOpened, &[]).await?;
                Ok(())
            })
        });
        event.await.unwrap();
    }
    // Made after it all, so that nothing is on its way to it yet.
    insert_endpoint(&store, &late).await.unwrap();
    let recovered = race(&database, 20, |_, store| {
        let late = late.clone();
        async move { store.write(late, |late, tx| Box::pin(tx.recover_events(late, "", 99))).await }
    });
    let made: i64 = recovered.await.into_iter().map(|one| one.unwrap().deliveries).sum();
    assert_eq!(made, 10, "each is on its way once");
    assert_eq!(database.raw().await.number("SELECT COUNT(*) FROM deliveries").await, 10);
}
