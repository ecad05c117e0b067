//! Transactions: everything or nothing, told afterwards, and whatever becomes of the caller.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::Notify;
use vestibule::kernel::words::EventKind;
use vestibule::store::{DeliveryFilter, Error, Session, SessionUpdate, Wake};

use super::bench::{Database, SOON, now};
use super::rows::{
    api_key, endpoint, insert_api_key, insert_endpoint, insert_session, read_session, session,
};
use crate::parts::eventually_async;

pub async fn what_succeeds_is_there_and_what_fails_leaves_nothing(database: Database) {
    let store = database.open().await;
    let (kept, lost) = (session(), session());
    let all = (0..3).map(|_| session()).collect::<Vec<_>>();
    let write = store.write((kept.clone(), all.clone()), |(kept, all), tx| {
        Box::pin(async move {
            tx.insert_session(kept).await?;
            for one in all {
                tx.insert_session(one).await?;
            }
            Ok(all.len())
        })
    });
    assert_eq!(write.await, Ok(3), "a write gives what its closure gave");
    for error in
        [Error::NotFound, Error::Conflict, Error::Unavailable { what: "no".to_owned(), retry: false }]
    {
        let context = (lost.clone(), kept.clone(), error.clone());
        let write = store.write(context, |(lost, kept, error), tx| {
            Box::pin(async move {
                tx.insert_session(lost).await?;
                tx.append_session_event(&lost.id, EventKind::SessionOpened, &[]).await?;
                tx.update_session(&kept.id, 1, &SessionUpdate { claim_no: 9, ..kept.into() }).await?;
                Err::<(), _>(error.clone())
            })
        });
        assert_eq!(write.await, Err(error));
    }
    let mut db = store.read().await.unwrap();
    assert!(db.session(&lost.id).await.unwrap().is_none());
    assert!(db.events_of(lost.id.as_str()).await.unwrap().is_empty());
    drop(db);
    assert_eq!(read_session(&store, &kept.id).await.claim_no, 0);
}

pub async fn a_failed_write_wakes_nobody_and_a_committed_one_wakes_afterwards(database: Database) {
    let store = database.open().await;
    let mut wakes = store.wakes();
    let (kept, lost) = (session(), session());
    let failed = store.write(lost.clone(), |lost, tx| {
        Box::pin(async move {
            tx.insert_session(lost).await?;
            tx.wake(Wake::Attempt(lost.id.to_string()));
            Err::<(), _>(Error::Conflict)
        })
    });
    assert_eq!(failed.await, Err(Error::Conflict));
    let written = store.write(kept.clone(), |kept, tx| {
        Box::pin(async move {
            tx.wake(Wake::Attempt(kept.id.to_string()));
            tx.insert_session(kept).await
        })
    });
    let (reader, id) = (store.clone(), kept.id.clone());
    let listening = tokio::spawn(async move {
        loop {
            // Schemas of one PostgreSQL share the channel, so other tests' wake-ups may pass by.
            let wake = wakes.recv().await.unwrap();
            assert_ne!(wake, Wake::Attempt(lost.id.to_string()));
            if wake == Wake::Attempt(id.to_string()) {
                return reader.read().await.unwrap().session(&id).await.unwrap().is_some();
            }
        }
    });
    written.await.unwrap();
    let there = tokio::time::timeout(SOON, listening).await.expect("a wake-up").unwrap();
    assert!(there, "whoever is woken finds the row");
}

pub async fn a_write_sees_its_own_rows_and_others_do_not_before_it_commits(database: Database) {
    let store = database.open().await;
    let (wrote, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let written = session();
    let context = (written.clone(), wrote.clone(), go_on.clone());
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        let write = writer.write(context, |(session, wrote, go_on), tx| {
            Box::pin(async move {
                tx.insert_session(session).await?;
                let own = tx.session(&session.id).await?.is_some();
                wrote.notify_one();
                go_on.notified().await;
                Ok(own)
            })
        });
        write.await
    });
    wrote.notified().await;
    assert!(store.read().await.unwrap().session(&written.id).await.unwrap().is_none());
    assert_eq!(database.raw().await.number("SELECT COUNT(*) FROM sessions").await, 0);
    go_on.notify_one();
    assert_eq!(writing.await.unwrap(), Ok(true));
    assert!(store.read().await.unwrap().session(&written.id).await.unwrap().is_some());
}

/// Begins writes and drops each caller as soon as its write was handed over.
async fn abandon(store: &vestibule::store::Store, count: usize) -> Vec<Session> {
    let mut all = Vec::new();
    for _ in 0..count {
        let one = session();
        let mut write =
            Box::pin(store.write(one.clone(), |session, tx| Box::pin(tx.insert_session(session))));
        let answered = poll_fn(|context| Poll::Ready(write.as_mut().poll(context).is_ready())).await;
        assert!(!answered, "nothing is committed within one poll");
        all.push(one);
    }
    all
}

pub async fn a_write_whose_caller_went_away_completes(database: Database) {
    let store = database.open().await;
    for abandoned in abandon(&store, 30).await {
        eventually_async("the abandoned write", SOON, async || {
            store.read().await.unwrap().session(&abandoned.id).await.unwrap()
        })
        .await;
    }
}

pub async fn closing_waits_for_writes_whose_callers_went_away(database: Database) {
    let store = database.open().await;
    abandon(&store, 60).await;
    store.close().await;
    assert_eq!(database.raw().await.number("SELECT COUNT(*) FROM sessions").await, 60);
}

pub async fn a_panicking_write_hurts_nobody_else(database: Database) {
    let store = database.open().await;
    let mut all = tokio::task::JoinSet::new();
    for at in 0..60 {
        let (store, one) = (store.clone(), session());
        all.spawn(async move {
            let write = store.write((one.clone(), at), |(session, at), tx| {
                Box::pin(async move {
                    tx.insert_session(session).await?;
                    assert!(*at % 20 != 7, "this panic is part of the test");
                    Ok(())
                })
            });
            (at, one, write.await)
        });
    }
    for (at, one, result) in all.join_all().await {
        let there = store.read().await.unwrap().session(&one.id).await.unwrap().is_some();
        if at % 20 == 7 {
            assert!(matches!(result, Err(Error::Unavailable { retry: false, .. })), "{result:?}");
            assert!(!there, "half a write was committed");
        } else {
            assert_eq!((result, there), (Ok(()), true));
        }
    }
    assert_eq!(database.raw().await.number("SELECT COUNT(*) FROM sessions").await, 57);
}

pub async fn a_swallowed_conflict_is_never_answered_with_lost_rows(database: Database) {
    let store = database.open().await;
    let (taken, kept) = (api_key("taken"), session());
    insert_api_key(&store, &taken).await.unwrap();
    let write = store.write((taken, kept.clone()), |(taken, kept), tx| {
        Box::pin(async move {
            tx.insert_session(kept).await?;
            assert_eq!(tx.insert_api_key(taken).await, Err(Error::Conflict));
            Ok(())
        })
    });
    let answered = write.await.is_ok();
    let there = store.read().await.unwrap().session(&kept.id).await.unwrap().is_some();
    assert_eq!(answered, there, "PostgreSQL turns the commit of an aborted transaction into a rollback");
}

pub async fn events_count_from_one_without_gaps(database: Database) {
    let store = database.open().await;
    let (one, two) = (session(), session());
    insert_session(&store, &one).await.unwrap();
    insert_session(&store, &two).await.unwrap();
    for at in 0..12 {
        let subject = if at % 2 == 0 { &one } else { &two };
        let write = store.write((subject.id.clone(), at), |(id, at), tx| {
            Box::pin(async move {
                tx.append_session_event(id, EventKind::StepFailed, &[]).await?;
                if *at % 3 == 2 { Err(Error::Conflict) } else { Ok(()) }
            })
        });
        assert_eq!(write.await.is_ok(), at % 3 != 2);
    }
    for session in [&one, &two] {
        let events = store.read().await.unwrap().events_of(session.id.as_str()).await.unwrap();
        assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(read_session(&store, &session.id).await.seq, 4);
        assert_eq!(read_session(&store, &session.id).await.version, 1, "a fact is no change");
    }
}

pub async fn an_outbox_row_commits_with_its_fact_or_not_at_all(database: Database) {
    let store = database.open().await;
    let (session, endpoint) = (session(), endpoint("lane"));
    insert_session(&store, &session).await.unwrap();
    insert_endpoint(&store, &endpoint).await.unwrap();
    for fails in [true, false, true] {
        let context = (session.id.clone(), endpoint.clone(), fails);
        let write = store.write(context, |(session, endpoint, fails), tx| {
            Box::pin(async move {
                let event = tx.append_session_event(session, EventKind::SessionOpened, &[]).await?;
                tx.enqueue(&event, endpoint).await?;
                if *fails { Err(Error::Conflict) } else { Ok(event) }
            })
        });
        assert_eq!(write.await.is_err(), fails);
    }
    let mut db = store.read().await.unwrap();
    let events = db.events_of(session.id.as_str()).await.unwrap();
    let deliveries = db.deliveries(&DeliveryFilter { limit: 9, ..Default::default() }).await.unwrap();
    assert_eq!((events.len(), deliveries.len()), (1, 1));
    assert_eq!((&deliveries[0].event_id, deliveries[0].seq), (&events[0].id, 1));
    assert_eq!(db.due_lanes(now(), 9, |_| true).await.unwrap(), ["lane"]);
}
