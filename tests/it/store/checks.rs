//! Looks at accounts: lanes, who takes what is due, and what stands after a look.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::JoinSet;
use vestibule::kernel::clock::Millis;
use vestibule::kernel::ids::AccountId;
use vestibule::store::{Account, DueLanes, Error, Hold, Lane, Looking, Result, Store, Watch};

use super::bench::{Database, now};
use super::rows::{account, insert_account};

async fn due(store: &Store, lane: &str, at: i64) -> Account {
    let watch = Watch { lane: lane.to_owned(), check_at: Millis(at), ..Watch::default() };
    let account = Account { watch, ..account() };
    insert_account(store, &account, b"secret").await.unwrap();
    account
}

async fn take(store: &Store, lane: &str, now: i64, limit: i64, by: &str) -> Vec<(AccountId, bool)> {
    let looking = Looking {
        lane: lane.to_owned(),
        now: Millis(now),
        limit,
        by: by.to_owned(),
        until: Millis(now + 10),
    };
    store.write(looking, |looking, tx| Box::pin(tx.take_due(looking))).await.unwrap()
}

async fn finish(store: &Store, id: &AccountId, by: &str, at: i64, unknown: bool) -> Result<()> {
    let watch = Watch { lane: "a".to_owned(), check_at: Millis(at), silent: 3, ..Watch::default() };
    let context = (id.clone(), by.to_owned(), watch, unknown);
    store
        .write(context, |(id, by, watch, unknown), tx| Box::pin(tx.finish_look(id, 1, by, watch, *unknown)))
        .await
}

pub async fn lanes_are_told_by_what_is_due_longest_and_by_name(database: Database) {
    let store = database.open().await;
    let due_by = async |now, most| store.read().await.unwrap().longest_due(Millis(now), most).await.unwrap();
    let walk = async |from: &str, most| store.read().await.unwrap().walk_lanes(from, most).await.unwrap();
    let ends = async || store.read().await.unwrap().first_and_last_look().await.unwrap();
    assert_eq!((due_by(9, 9).await, walk("", 9).await), (DueLanes::default(), (vec![], None)));
    assert_eq!(ends().await, (None, None));
    for (lane, at) in [("b", 5), ("a", 7), ("b", 3), ("a", 9), ("b/c", 1), ("", 8)] {
        due(&store, lane, at).await;
    }
    let lane = |name: &str, since| Lane { name: name.to_owned(), since: Millis(since) };
    let lanes = |lanes: &[(&str, i64)], more| {
        let lanes = lanes.iter().map(|(name, since)| lane(name, *since)).collect();
        DueLanes { lanes, more }
    };
    assert_eq!(due_by(0, 9).await, lanes(&[], false));
    assert_eq!(due_by(7, 9).await, lanes(&[("b/c", 1), ("b", 3), ("a", 7)], false));
    assert_eq!(
        due_by(7, 3).await,
        lanes(&[("b/c", 1), ("b", 3)], true),
        "the others are not among the first"
    );
    // All of them come in a walk, however it is cut.
    for most in [1, 2, 3, 9] {
        let (mut walked, mut from) = (Vec::new(), String::new());
        loop {
            let (some, next) = walk(&from, most).await;
            assert!(some.len() <= usize::try_from(most).unwrap());
            walked.extend(some);
            let Some(next) = next else { break };
            from = next;
        }
        walked.sort_by(|one, other| one.name.cmp(&other.name));
        assert_eq!(walked, [lane("", 8), lane("a", 7), lane("b", 3), lane("b/c", 1)], "{most} at once");
    }
    assert_eq!(ends().await, (Some(Millis(1)), Some(Millis(9))));
    // What somebody is at is not waiting.
    take(&store, "b/c", 9, 1, "x").await;
    assert_eq!((due_by(6, 9).await, ends().await.0), (lanes(&[("b", 3)], false), Some(Millis(3))));
}

pub async fn an_account_that_the_settings_were_in_the_way_of_is_looked_at_again(database: Database) {
    let store = database.open().await;
    let add = async |cause: Option<&str>, trouble: Option<&str>| {
        let trouble = trouble.map(str::to_owned);
        let watch = Watch { lane: "a".to_owned(), check_at: Millis(900), trouble, ..Watch::default() };
        let account = Account { cause: cause.map(str::to_owned), watch, ..account() };
        insert_account(&store, &account, b"secret").await.unwrap();
        account.id
    };
    let all = [
        (add(Some("config_client_invalid"), None).await, 5),
        (add(None, Some("config_client_secret_expired")).await, 5),
        (add(Some("timeout"), Some("timeout")).await, 900),
        (add(None, None).await, 900),
        (add(Some("session_expired"), None).await, 900),
    ];
    let soon = store.write((), |(), tx| Box::pin(tx.look_at_settings(Millis(5))));
    assert_eq!(soon.await, Ok(2));
    for (id, at) in all {
        let read = store.read().await.unwrap().account(&id).await.unwrap().unwrap();
        assert_eq!(read.watch.check_at, Millis(at), "{:?} {:?}", read.cause, read.watch.trouble);
    }
    let soon = store.write((), |(), tx| Box::pin(tx.look_at_settings(Millis(5))));
    assert_eq!(soon.await, Ok(0));
}

pub async fn what_is_due_is_taken_once_the_longest_due_first_and_stands_as_it_was_judged(database: Database) {
    let store = database.open().await;
    let (late, first, second) =
        (due(&store, "a", 300).await, due(&store, "a", 100).await, due(&store, "a", 200).await);
    due(&store, "b", 1).await;
    assert_eq!(take(&store, "a", 250, 1, "x").await, [(first.id.clone(), false)]);
    assert_eq!(take(&store, "a", 250, 9, "y").await, [(second.id.clone(), false)]);
    assert_eq!(take(&store, "a", 250, 9, "z").await, []);
    assert_eq!(finish(&store, &first.id, "y", 900, false).await, Err(Error::Conflict), "another's");
    assert_eq!(finish(&store, &first.id, "x", 900, false).await, Ok(()));
    assert_eq!(finish(&store, &first.id, "x", 901, false).await, Err(Error::Conflict), "let go");
    let (read, _, hold) = store.read().await.unwrap().account_secret(&first.id).await.unwrap().unwrap();
    assert_eq!((read.version, read.watch.check_at, read.watch.silent, hold), (1, Millis(900), 3, None));
    // Whoever does not know how it ended leaves a note, which the next one is told.
    assert_eq!(finish(&store, &second.id, "y", 240, true).await, Ok(()));
    assert_eq!(take(&store, "a", 250, 9, "z").await, [(second.id.clone(), true)]);
    assert_eq!(
        store.read().await.unwrap().account(&late.id).await.unwrap().unwrap().watch.check_at,
        Millis(300)
    );
}

pub async fn a_hold_is_freed_only_as_it_was_seen(database: Database) {
    let store = database.open().await;
    let account = due(&store, "a", 1).await;
    take(&store, "a", 5, 1, "x").await;
    let held = store.read().await.unwrap().held_accounts().await.unwrap();
    let seen = Hold { by: "x".to_owned(), until: Millis(15) };
    assert_eq!(held, [(account.id.clone(), seen.clone())]);
    let free = |seen: Hold| {
        store.write((account.id.clone(), seen), |(id, seen), tx| Box::pin(tx.free_account(id, seen)))
    };
    assert_eq!(free(Hold { until: Millis(14), ..seen.clone() }).await, Err(Error::Conflict));
    assert_eq!((free(seen.clone()).await, free(seen).await), (Ok(()), Err(Error::Conflict)));
    assert!(store.read().await.unwrap().held_accounts().await.unwrap().is_empty());
    assert_eq!(take(&store, "a", 5, 1, "y").await, [(account.id, true)]);
}

pub async fn eight_loops_on_two_nodes_take_each_account_once(database: Database) {
    let (first, second) = (database.open().await, database.open().await);
    let mut all = BTreeSet::new();
    for at in 0..60 {
        all.insert(due(&first, "a", at).await.id);
    }
    let mut loops = JoinSet::new();
    for number in 0..8 {
        let store = if number % 2 == 0 { first.clone() } else { second.clone() };
        loops.spawn(async move {
            let (mut mine, mut idle) = (Vec::new(), 0);
            while idle < 3 {
                let taken = take(&store, "a", 1000, 4, &format!("loop {number}")).await;
                idle = if taken.is_empty() { idle + 1 } else { 0 };
                mine.extend(taken.into_iter().map(|(id, _)| id));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            mine
        });
    }
    let taken: Vec<AccountId> = loops.join_all().await.into_iter().flatten().collect();
    assert_eq!((taken.len(), taken.into_iter().collect::<BTreeSet<_>>()), (60, all));
}

pub async fn a_security_event_counts_once_and_is_forgotten(database: Database) {
    let store = database.open().await;
    let note = |id: &str, at: i64| {
        store.write((id.to_owned(), Millis(at)), |(id, at), tx| Box::pin(tx.note_security_event(id, *at)))
    };
    assert_eq!((note("x", 5).await, note("x", 6).await, note("y", 9).await), (Ok(true), Ok(false), Ok(true)));
    assert_eq!(store.sweep_security_events(Millis(5), 10).await, Ok(1));
    assert_eq!((note("x", 7).await, note("y", 7).await), (Ok(true), Ok(false)));
}

pub async fn what_lies_too_far_ahead_is_brought_back(database: Database) {
    let store = database.open().await;
    let at = now().0;
    let (far, near) = (due(&store, "a", at + 1_000_000).await, due(&store, "a", at + 10).await);
    let again = store.write((), |(), tx| Box::pin(tx.look_again(Millis(500_000), Millis(1))));
    assert_eq!(again.await, Ok(2));
    for account in [far, near] {
        let read = store.read().await.unwrap().account(&account.id).await.unwrap().unwrap();
        assert_eq!(read.watch.check_at, Millis(1));
    }
}
