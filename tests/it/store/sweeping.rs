//! Sweeping: what is over goes, with everything that belongs to it; what is still needed stays, however old.

use vestibule::kernel::clock::Millis;
use vestibule::kernel::words::{DeliveryState, EventKind, SessionState};
use vestibule::store::{Session, SessionUpdate, Store};

use super::bench::{Database, now};
use super::rows::{
    account, attempt, claim, finish, insert_account, insert_attempt, insert_session, read_session, session,
    told,
};

/// So far ahead that everything there is has been kept long enough.
fn ahead() -> Millis {
    Millis(now().0 + 3_600_000)
}

async fn end(store: &Store, session: &Session) {
    let session = read_session(store, &session.id).await;
    let mut update = SessionUpdate::from(&session);
    update.state = SessionState::Cancelled;
    update.ended_at = Some(now());
    let context = (session.id, session.version, update);
    let write =
        store.write(context, |(id, version, update), tx| Box::pin(tx.update_session(id, *version, update)));
    write.await.unwrap();
}

/// How many rows there are: sessions, attempts, endpoints, events, deliveries, tries.
async fn rows(database: &Database) -> Vec<i64> {
    let mut raw = database.raw().await;
    let mut counts = Vec::new();
    for table in ["sessions", "attempts", "endpoints", "events", "deliveries", "delivery_tries"] {
        counts.push(raw.number(&format!("SELECT COUNT(*) FROM {table}")).await);
    }
    counts
}

pub async fn an_ended_session_goes_with_everything_that_belongs_to_it(database: Database) {
    let store = database.open().await;
    let (session, mut endpoint, _) = told(&store, "lane", 0).await;
    endpoint.id =
        vestibule::kernel::ids::EndpointId::new(now(), &vestibule::kernel::random::Random::system());
    endpoint.session_id = Some(session.id.clone());
    super::rows::insert_endpoint(&store, &endpoint).await.unwrap();
    let attempt = attempt(&session);
    insert_attempt(&store, &attempt).await.unwrap();
    let way = store.write(attempt.id, |id, tx| Box::pin(tx.insert_return("a way back", id, 1)));
    way.await.unwrap();
    let ids = super::rows::tell(&store, &session, &endpoint, 1).await;
    end(&store, &session).await;
    assert_eq!(store.sweep_sessions(ahead(), 9).await, Ok(0), "a call on its behalf is listed");
    assert_eq!(store.sweep_deliveries(ahead(), 9).await, Ok(0), "one that is due is never removed");
    let claimed = claim(&store, "node", "lane", 1).await;
    assert_eq!(claimed[0].id, ids[0]);
    finish(&store, &claimed[0], DeliveryState::Dead, now()).await.unwrap();
    assert_eq!(store.sweep_events(ahead(), 9).await, Ok(0), "a call tells it");
    assert_eq!(store.sweep_deliveries(Millis(now().0 - 60_000), 9).await, Ok(0), "it is too young");
    assert_eq!(store.sweep_deliveries(ahead(), 9).await, Ok(1));
    assert_eq!(store.sweep_sessions(Millis(now().0 - 60_000), 9).await, Ok(0), "it is too young");
    assert_eq!(store.sweep_sessions(ahead(), 9).await, Ok(1));
    // The other endpoint was nobody's.
    assert_eq!(rows(&database).await, [0, 0, 1, 0, 0, 0]);
    assert_eq!(database.raw().await.number("SELECT COUNT(*) FROM returns").await, 0);
}

pub async fn open_sessions_and_their_events_stay(database: Database) {
    let store = database.open().await;
    let session = session();
    insert_session(&store, &session).await.unwrap();
    let write = store.write(session.id.clone(), |id, tx| {
        Box::pin(tx.append_session_event(id, EventKind::StepFailed, &[]))
    });
    write.await.unwrap();
    assert_eq!(store.sweep_sessions(ahead(), 9).await, Ok(0));
    assert_eq!(store.sweep_events(ahead(), 9).await, Ok(0));
}

pub async fn an_account_keeps_its_latest_event_and_its_count(database: Database) {
    let store = database.open().await;
    let account = account();
    insert_account(&store, &account, b"secret").await.unwrap();
    let append = async || {
        let write = store.write(account.id.clone(), |id, tx| {
            Box::pin(tx.append_account_event(id, EventKind::AccountConnected, &[]))
        });
        write.await.unwrap().seq
    };
    for seq in 1..=3 {
        assert_eq!(append().await, seq);
    }
    assert_eq!(store.sweep_events(Millis(now().0 - 60_000), 9).await, Ok(0), "they are too young");
    assert_eq!(store.sweep_events(ahead(), 9).await, Ok(2));
    let left = store.read().await.unwrap().events_of(account.id.as_str()).await.unwrap();
    assert_eq!(left.iter().map(|event| event.seq).collect::<Vec<_>>(), [3]);
    assert_eq!(append().await, 4);
    let gone = store.write(account.id.clone(), |id, tx| Box::pin(tx.delete_account(id, 1)));
    gone.await.unwrap();
    assert_eq!(store.sweep_events(ahead(), 1).await, Ok(1), "at most as many as were asked for");
    assert_eq!(store.sweep_events(ahead(), 9).await, Ok(1));
}

pub async fn what_waits_is_counted(database: Database) {
    let store = database.open().await;
    let (session, _, _) = told(&store, "lane", 2).await;
    let backlog = store.read().await.unwrap().backlog(now()).await.unwrap();
    assert_eq!((backlog.sessions_open, backlog.deliveries_due), (1, 2));
    assert!(backlog.oldest_due.unwrap() <= now());
    end(&store, &session).await;
    let claimed = claim(&store, "node", "lane", 1).await;
    finish(&store, &claimed[0], DeliveryState::Done, now()).await.unwrap();
    let backlog = store.read().await.unwrap().backlog(now()).await.unwrap();
    assert_eq!((backlog.sessions_open, backlog.deliveries_due), (0, 1));
}
