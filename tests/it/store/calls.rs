//! Calls that come again: one has its turn, its effect and its reply stand or fall together, and nothing of a link
//! outlives its session.

use vestibule::kernel::clock::Millis;
use vestibule::kernel::words::SessionState;
use vestibule::store::{Call, Error, Result, Session, SessionUpdate, Store, Taken};
use zeroize::Zeroizing;

use super::bench::{Database, now};
use super::rows::{session, word};

fn call(id: &str, body: &str, at: i64) -> Call {
    Call {
        id: id.to_owned(),
        fingerprint: body.to_owned(),
        now: Millis(at),
        busy_until: Millis(at + 100),
        expires_at: Millis(at + 1_000),
    }
}

async fn take(store: &Store, call: Call) -> Result<Taken> {
    store.write(call, |call, tx| Box::pin(tx.take_call(call))).await
}

/// Makes a session and writes down that the call which asked for it is done, in one transaction.
async fn make(store: &Store, id: &str, version: i64, session: &Session) -> Result<()> {
    let context = (id.to_owned(), version, session.clone());
    let write = store.write(context, |(id, version, session), tx| {
        Box::pin(async move {
            tx.insert_session(session).await?;
            tx.finish_call(id, *version, Some(&session.id), Some(b"the link"), session.expires_at).await
        })
    });
    write.await
}

async fn is_there(store: &Store, session: &Session) -> bool {
    store.read().await.unwrap().session(&session.id).await.unwrap().is_some()
}

pub async fn a_call_runs_once_and_its_reply_is_kept(database: Database) {
    let store = database.open().await;
    let (id, at) = (word(), now().0);
    assert_eq!(take(&store, call(&id, "body", at)).await, Ok(Taken::Now(1)));
    assert_eq!(take(&store, call(&id, "body", at + 99)).await, Ok(Taken::Running(Millis(at + 100))));
    assert_eq!(take(&store, call(&id, "other", at)).await, Ok(Taken::Other));
    assert_eq!(take(&store, call(&word(), "other", at)).await, Ok(Taken::Now(1)), "another call is another");
    make(&store, &id, 1, &session()).await.unwrap();
    let kept = Taken::Before(Some(Zeroizing::new(b"the link".to_vec())));
    assert_eq!(take(&store, call(&id, "body", at)).await, Ok(kept));
    assert_eq!(take(&store, call(&id, "other", at)).await, Ok(Taken::Other));
}

pub async fn a_call_that_lost_its_turn_has_no_effect(database: Database) {
    let store = database.open().await;
    let (id, at) = (word(), now().0);
    take(&store, call(&id, "body", at)).await.unwrap();
    assert_eq!(take(&store, call(&id, "mended", at + 100)).await, Ok(Taken::Now(2)), "its lease ran out");
    assert_eq!(take(&store, call(&id, "body", at + 100)).await, Ok(Taken::Other));
    let (late, quick) = (session(), session());
    assert_eq!(make(&store, &id, 1, &late).await, Err(Error::Conflict));
    assert!(!is_there(&store, &late).await);
    make(&store, &id, 2, &quick).await.unwrap();
    assert!(is_there(&store, &quick).await);
    assert_eq!(make(&store, &id, 2, &session()).await, Err(Error::Conflict), "it is done");
}

pub async fn a_turn_that_is_given_back_may_come_with_another_body(database: Database) {
    let store = database.open().await;
    let (id, at) = (word(), now().0);
    let give_up = async |version: i64| {
        let write =
            store.write((id.clone(), version), |(id, version), tx| Box::pin(tx.give_up_call(id, *version)));
        write.await.unwrap();
    };
    take(&store, call(&id, "body", at)).await.unwrap();
    give_up(7).await;
    assert!(matches!(take(&store, call(&id, "body", at)).await, Ok(Taken::Running(_))), "not its turn");
    give_up(1).await;
    assert_eq!(take(&store, call(&id, "other", at)).await, Ok(Taken::Now(1)));
    make(&store, &id, 1, &session()).await.unwrap();
    give_up(2).await;
    assert!(matches!(take(&store, call(&id, "other", at)).await, Ok(Taken::Before(Some(_)))), "it is done");
}

pub async fn a_kept_reply_goes_with_its_session_and_with_time(database: Database) {
    let store = database.open().await;
    let (id, at) = (word(), now().0);
    let made = session();
    take(&store, call(&id, "body", at)).await.unwrap();
    make(&store, &id, 1, &made).await.unwrap();
    let mut update = SessionUpdate::from(&made);
    (update.state, update.ended_at) = (SessionState::Revoked, Some(now()));
    let end = store
        .write((made, update), |(session, update), tx| Box::pin(tx.update_session(&session.id, 1, update)));
    end.await.unwrap();
    assert_eq!(take(&store, call(&id, "another", at)).await, Ok(Taken::Now(1)), "nothing is left of it");

    let (id, kept) = (word(), session());
    take(&store, call(&id, "body", at)).await.unwrap();
    make(&store, &id, 1, &kept).await.unwrap();
    let later = kept.expires_at.0;
    assert_eq!(
        take(&store, call(&id, "another", later)).await,
        Ok(Taken::Now(1)),
        "swept or not, it ran out"
    );
    let mut raw = database.raw().await;
    assert_eq!(raw.number("SELECT COUNT(*) FROM idempotent_calls").await, 2);
    store.sweep_calls(Millis(later + 5_000), 100).await.unwrap();
    assert_eq!(raw.number("SELECT COUNT(*) FROM idempotent_calls").await, 0);
}

pub async fn one_of_fifty_calls_at_once_has_its_turn(database: Database) {
    let store = database.open().await;
    let (id, at) = (word(), now().0);
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (store, call) = (store.clone(), call(&id, "body", at));
        racing.spawn(async move { take(&store, call).await });
    }
    let taken = racing.join_all().await;
    let turns = taken.iter().filter(|taken| matches!(taken, Ok(Taken::Now(_)))).count();
    let rest =
        |taken: &Result<Taken>| matches!(taken, Ok(Taken::Now(_) | Taken::Running(_)) | Err(Error::Conflict));
    assert_eq!(turns, 1);
    assert!(taken.iter().all(rest), "{taken:?}");
}
