//! Ways back from a provider's pages, grants on their way back to it, and who renews an account's credentials.

use vestibule::kernel::clock::Millis;
use vestibule::kernel::ids::{AttemptId, ReleaseId};
use vestibule::kernel::random::Random;
use vestibule::kernel::words::{AttemptState, ReleaseState, Status};
use vestibule::store::{ALONE, AccountUpdate, Aside, Error, Finish, Hold, Release, Result, Store, Watch};
use zeroize::Zeroizing;

use super::bench::{Database, now};
use super::rows::{account, attempt, insert_account, insert_attempt, insert_session, session, word};

/// A grant to be ended.
pub fn release(provider: &str, identity_mark: &str, secret: &[u8]) -> Release {
    let at = now();
    Release {
        id: ReleaseId::new(at, &Random::system()),
        provider: provider.to_owned(),
        identity_mark: identity_mark.to_owned(),
        secret: Zeroizing::new(secret.to_vec()),
        state: ReleaseState::Due,
        tries: 0,
        due_at: at,
        version: 1,
        created_at: at,
        held_by: None,
    }
}

pub async fn insert_release(store: &Store, release: &Release) {
    store.write(release.clone(), |release, tx| Box::pin(tx.insert_release(release))).await.unwrap();
}

/// Notes a way back to an attempt and parks something under it.
pub async fn park(store: &Store, id: &str, attempt: &AttemptId, handle: &str, brought: &[u8]) -> Result<()> {
    let context = (id.to_owned(), attempt.clone(), handle.to_owned(), brought.to_vec());
    store
        .write(context, |(id, attempt, handle, brought), tx| {
            Box::pin(async move {
                if tx.way_back(id).await?.is_none() {
                    tx.insert_return(id, attempt, 1).await?;
                }
                tx.park(id, brought, handle, Millis(5), Millis(0)).await
            })
        })
        .await
}

async fn live_attempt(store: &Store) -> AttemptId {
    let session = session();
    insert_session(store, &session).await.unwrap();
    let attempt = attempt(&session);
    insert_attempt(store, &attempt).await.unwrap();
    attempt.id
}

pub async fn what_was_brought_back_is_parked_once_and_taken_once(database: Database) {
    let store = database.open().await;
    let (attempt, id) = (live_attempt(&store).await, word());
    assert_eq!(park(&store, &id, &attempt, "first", b"code").await, Ok(()));
    assert_eq!(park(&store, &id, &attempt, "second", b"other").await, Err(Error::Conflict));
    let mut db = store.read().await.unwrap();
    assert!(db.parked(&attempt, "second").await.unwrap().is_none());
    let parked = db.parked(&attempt, "first").await.unwrap().unwrap();
    assert_eq!(
        (&**parked.brought, parked.way.attempt_version, parked.way.parked_at),
        (&b"code"[..], 1, Some(Millis(5)))
    );
    drop(db);
    let take = || store.write(id.clone(), |id, tx| Box::pin(tx.take_parked(id)));
    assert_eq!((take().await, take().await), (Ok(()), Err(Error::Conflict)));
    let mut db = store.read().await.unwrap();
    assert!(db.parked(&attempt, "first").await.unwrap().is_none());
    // It is still known that somebody came.
    assert_eq!(db.way_back(&id).await.unwrap().unwrap().parked_at, Some(Millis(5)));
}

pub async fn what_nobody_takes_out_in_time_makes_room_and_is_forgotten(database: Database) {
    let store = database.open().await;
    let (attempt, id) = (live_attempt(&store).await, word());
    assert_eq!(park(&store, &id, &attempt, "first", b"code").await, Ok(()));
    let again = |stale: i64| {
        store.write((id.clone(), stale), |(id, stale), tx| {
            Box::pin(tx.park(id, b"other", "second", Millis(9), Millis(*stale)))
        })
    };
    assert_eq!((again(5).await, again(6).await), (Err(Error::Conflict), Ok(())));
    let forget = |stale: i64| store.write(stale, |stale, tx| Box::pin(tx.forget_parked(Millis(*stale))));
    assert_eq!((forget(9).await, forget(10).await, forget(10).await), (Ok(0), Ok(1), Ok(0)));
    let mut db = store.read().await.unwrap();
    assert!(db.parked(&attempt, "second").await.unwrap().is_none());
    assert_eq!(db.way_back(&id).await.unwrap().unwrap().parked_at, None, "as if nobody had come");
    drop(db);
    // What was taken out stays taken out.
    assert_eq!(again(0).await, Ok(()));
    let take = store.write(id.clone(), |id, tx| Box::pin(tx.take_parked(id)));
    assert_eq!((take.await, again(100).await, forget(100).await), (Ok(()), Err(Error::Conflict), Ok(0)));
}

pub async fn of_fifty_returns_one_is_parked(database: Database) {
    let store = database.open().await;
    let (attempt, id) = (live_attempt(&store).await, word());
    let insert = store
        .write((id.clone(), attempt.clone()), |(id, attempt), tx| Box::pin(tx.insert_return(id, attempt, 1)));
    insert.await.unwrap();
    let mut races = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (store, attempt, id) = (store.clone(), attempt.clone(), id.clone());
        races.spawn(async move { park(&store, &id, &attempt, &number.to_string(), b"code").await });
    }
    let won = races.join_all().await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
}

pub async fn ways_back_are_few_and_hold_nothing_after_the_end(database: Database) {
    let store = database.open().await;
    let attempt = live_attempt(&store).await;
    for version in 1..=40 {
        let insert = store.write((attempt.clone(), version), |(attempt, version), tx| {
            Box::pin(
                async move { tx.insert_return(&format!("{attempt}.{version}"), attempt, *version).await },
            )
        });
        insert.await.unwrap();
    }
    let known = async |version: i64| {
        let mut db = store.read().await.unwrap();
        db.way_back(&format!("{attempt}.{version}")).await.unwrap().is_some()
    };
    assert_eq!((known(24).await, known(25).await, known(40).await), (false, true, true));
    assert_eq!(park(&store, &format!("{attempt}.40"), &attempt, "handle", b"code").await, Ok(()));
    let end = store.write(attempt.clone(), |attempt, tx| {
        Box::pin(tx.save_attempt(attempt, 1, AttemptState::Ended, b"", false, now()))
    });
    end.await.unwrap();
    assert!(store.read().await.unwrap().parked(&attempt, "handle").await.unwrap().is_none());
    assert!(known(40).await, "whoever comes back late is still led somewhere");
}

pub async fn a_grant_is_ended_by_one_and_a_sign_in_before_that_keeps_it(database: Database) {
    let store = database.open().await;
    let (provider, mark) = (word(), word());
    let keep = |since: i64| {
        store.write((provider.clone(), mark.clone(), Millis(since)), |(provider, mark, since), tx| {
            Box::pin(tx.keep_grants(provider, mark, *since))
        })
    };
    let mut grant = release(&provider, &mark, b"token");
    insert_release(&store, &grant).await;
    assert_eq!(keep(0).await, Ok(true), "it only waited");
    assert!(
        store
            .read()
            .await
            .unwrap()
            .due_releases(now(), 9)
            .await
            .unwrap()
            .iter()
            .all(|one| one.id != grant.id)
    );

    insert_release(&store, &grant).await;
    let until = Millis(now().0 + 60_000);
    let begin = |grant: &Release| {
        store.write((grant.clone(), until), |(grant, until), tx| {
            Box::pin(tx.move_release(grant, ReleaseState::Ending, 1, *until))
        })
    };
    assert_eq!((begin(&grant).await, begin(&grant).await), (Ok(()), Err(Error::Conflict)));
    assert_eq!(keep(0).await, Ok(false), "it is being ended");
    grant.version = 2;
    let finish = store.write((grant.clone(), until), |(grant, until), tx| {
        Box::pin(tx.finish_release(grant, Millis(1000), *until))
    });
    finish.await.unwrap();
    assert_eq!((keep(1000).await, keep(1001).await), (Ok(false), Ok(true)));
    let ended = store.read().await.unwrap().due_releases(until, 99).await.unwrap();
    let ended = ended.into_iter().find(|one| one.id == grant.id).unwrap();
    assert_eq!((ended.state, ended.secret.len()), (ReleaseState::Ended, 0), "its secret is forgotten");
    store.write(ended, |ended, tx| Box::pin(tx.remove_release(ended))).await.unwrap();
    assert!(
        store
            .read()
            .await
            .unwrap()
            .due_releases(until, 99)
            .await
            .unwrap()
            .iter()
            .all(|one| one.id != grant.id)
    );
}

pub async fn one_call_renews_an_account_and_whoever_repairs_it_wins(database: Database) {
    let store = database.open().await;
    let account = account();
    insert_account(&store, &account, b"old").await.unwrap();
    let id = &account.id;
    let held = |by: &str, until: i64| Hold { by: by.to_owned(), until: Millis(until) };
    let hold = |seen: Option<Hold>, mine: Hold| {
        store.write((id.clone(), seen, mine), |(id, seen, mine), tx| {
            Box::pin(tx.hold_account(id, 1, seen.as_ref(), mine))
        })
    };
    let keep = |by: &str, until: Option<i64>| {
        store.write((id.clone(), by.to_owned(), until.map(Millis)), |(id, by, until), tx| {
            Box::pin(tx.keep_hold(id, by, *until))
        })
    };
    assert_eq!(hold(None, held("a", 100)).await, Ok(()));
    assert_eq!(hold(None, held("b", 105)).await, Err(Error::Conflict), "somebody holds it");
    assert_eq!((keep("b", Some(200)).await, keep("a", Some(120)).await), (Err(Error::Conflict), Ok(())));
    let stale = hold(Some(held("a", 100)), held("b", 130)).await;
    assert_eq!(stale, Err(Error::Conflict), "it was renewed since it was seen");
    assert_eq!(hold(Some(held("a", 120)), held("b", 130)).await, Ok(()), "its holder is gone");
    assert_eq!(keep("a", Some(300)).await, Err(Error::Conflict));
    assert_eq!((keep("b", None).await, keep("b", Some(400)).await), (Ok(()), Err(Error::Conflict)), "let go");
    assert_eq!(hold(None, held("c", 140)).await, Ok(()));
    let (read, secret, seen) = store.read().await.unwrap().account_secret(id).await.unwrap().unwrap();
    assert_eq!((read.version, &**secret, seen), (1, &b"old"[..], Some(held("c", 140))));
    let update = AccountUpdate {
        status: Status::Ok,
        cause: None,
        details: account.details.clone(),
        secret: Zeroizing::new(b"new".to_vec()),
        at: now(),
        watch: Watch::default(),
    };
    let repair = || {
        store.write((id.clone(), update.clone()), |(id, update), tx| {
            Box::pin(tx.update_account(id, 1, update))
        })
    };
    assert_eq!((repair().await, repair().await), (Ok(()), Err(Error::Conflict)));
    let (read, secret, seen) = store.read().await.unwrap().account_secret(id).await.unwrap().unwrap();
    assert_eq!((read.version, &**secret, seen), (2, &b"new"[..], None));
    assert_eq!(keep("c", Some(500)).await, Err(Error::Conflict), "nobody holds what was repaired");
}

pub async fn a_grant_that_an_account_lives_by_or_waits_for_is_counted(database: Database) {
    let store = database.open().await;
    let (own, waiting, other) = (word(), word(), word());
    let account = account();
    insert_account(&store, &account, b"keys").await.unwrap();
    let uses = async |mark: &str| {
        let release = release(&account.provider, mark, b"keys");
        store.read().await.unwrap().count_uses(&release).await.unwrap()
    };
    assert_eq!((uses(&own).await, uses(&account.identity_mark).await), (0, 1));
    let attempt = attempt(&session());
    let finish = Finish {
        session_id: attempt.session_id.clone(),
        account_id: account.id.clone(),
        provider: account.provider.clone(),
        code_hash: word(),
        aside: Some(Aside { details: Zeroizing::default(), secret: Zeroizing::default() }),
        due_at: now(),
        created_at: now(),
    };
    let context = (account.id.clone(), finish, own.clone(), waiting.clone());
    let noted = store.write(context, |(account, finish, own, waiting), tx| {
        Box::pin(async move {
            tx.note_grant(account, own).await?;
            tx.insert_finish(finish).await?;
            tx.note_waiting_grant(&finish.session_id, waiting).await
        })
    });
    noted.await.unwrap();
    assert_eq!((uses(&own).await, uses(&waiting).await, uses(&other).await), (1, 1, 0));
    // It takes the place of the other.
    let context = (account.id.clone(), attempt.session_id.clone());
    let taken = store.write(context, |(account, session), tx| {
        Box::pin(async move {
            tx.take_waiting_grant(account, session).await?;
            tx.empty_finish(session).await
        })
    });
    taken.await.unwrap();
    assert_eq!((uses(&own).await, uses(&waiting).await), (0, 1));
}

pub async fn what_an_attempt_held_is_due_once_it_lets_go(database: Database) {
    let store = database.open().await;
    let attempt = attempt(&session()).id;
    let later = Millis(now().0 + 3_600_000);
    let mut held = release(&word(), &format!("{ALONE}{}", word()), b"keys");
    (held.due_at, held.held_by) = (later, Some(attempt.clone()));
    assert!(held.stands_alone());
    insert_release(&store, &held).await;
    // Whoever else would end it leaves that to this row.
    let another = release(&held.provider, &held.identity_mark, b"keys");
    let uses = async |of: &Release| store.read().await.unwrap().count_uses(of).await.unwrap();
    assert_eq!((uses(&another).await, uses(&held).await), (1, 0));
    let due = async || {
        let all = store.read().await.unwrap().due_releases(now(), 999).await.unwrap();
        all.into_iter().find(|one| one.id == held.id)
    };
    assert!(due().await.is_none());
    let let_go = || store.write(attempt.clone(), |attempt, tx| Box::pin(tx.let_go_of_held(attempt, now())));
    let_go().await.unwrap();
    let first = due().await.expect("it is due");
    assert_eq!((first.held_by.as_ref(), first.version), (None, 2));
    // Once: it is not moved any more by an attempt that ended long ago.
    let_go().await.unwrap();
    assert_eq!(due().await.expect("it is due").version, 2);
}
