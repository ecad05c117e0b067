//! Leases: who holds a row may go on, who lost it may not, and nobody is held up for ever.

use vestibule::kernel::clock::Millis;
use vestibule::kernel::words::{AttemptState, DeliveryState};
use vestibule::store::{Attempt, Delivery, Error, Result, Store};

use super::bench::{Database, now};
use super::rows::{attempt, claim, finish, insert_attempt, read_attempt, session, told};

/// Takes at a moment of the test's own, for a hundred milliseconds.
async fn take(store: &Store, read: &Attempt, by: &'static str, at: i64) -> Result<()> {
    let write = store.write((read.clone(), by, at), |(read, by, at), tx| {
        Box::pin(tx.take_attempt(read, by, Millis(*at), Millis(*at + 100)))
    });
    write.await
}

async fn renew(store: &Store, read: &Attempt, by: &'static str, until: i64) -> Result<()> {
    let write = store.write((read.id.clone(), by, until), |(id, by, until), tx| {
        Box::pin(tx.renew_attempt(id, by, Millis(*until)))
    });
    write.await
}

async fn save(store: &Store, read: &Attempt, version: i64) -> Result<()> {
    let write = store.write((read.id.clone(), version), |(id, version), tx| {
        Box::pin(tx.save_attempt(id, *version, AttemptState::Live, b"saved", false, Millis(7)))
    });
    write.await
}

async fn live(store: &Store) -> Attempt {
    let written = attempt(&session());
    insert_attempt(store, &written).await.unwrap();
    written
}

pub async fn a_taken_attempt_is_renewed_by_its_holder_only(database: Database) {
    let store = database.open().await;
    let read = live(&store).await;
    assert_eq!(renew(&store, &read, "a", 9).await, Err(Error::Conflict), "nobody holds it");
    take(&store, &read, "a", 1_000).await.unwrap();
    renew(&store, &read, "a", 5_000).await.unwrap();
    assert_eq!(renew(&store, &read, "b", 9_000).await, Err(Error::Conflict));
    let held = read_attempt(&store, &read.id).await;
    assert_eq!((held.busy_until, held.version), (Some(Millis(5_000)), 2));
    assert!(held.is_busy(Millis(4_999)) && !held.is_busy(Millis(5_000)));
    save(&store, &read, 2).await.unwrap();
    assert_eq!(renew(&store, &read, "a", 9_000).await, Err(Error::Conflict), "saving lets go");
}

pub async fn an_attempt_whose_lease_ran_out_is_taken_by_another_call(database: Database) {
    let store = database.open().await;
    let read = live(&store).await;
    take(&store, &read, "a", 1_000).await.unwrap();
    let held = read_attempt(&store, &read.id).await;
    assert_eq!(take(&store, &held, "b", 1_099).await, Err(Error::Conflict));
    assert_eq!(take(&store, &read, "b", 1_100).await, Err(Error::Conflict), "an old version takes nothing");
    take(&store, &held, "b", 1_100).await.unwrap();
    assert_eq!(renew(&store, &held, "a", 9_000).await, Err(Error::Conflict));
    let held = read_attempt(&store, &read.id).await;
    assert_eq!((held.busy_by.as_deref(), held.version), (Some("b"), 3));
    assert_eq!(held.shown.as_slice(), read.shown.as_slice(), "taking leaves what is shown");
}

pub async fn a_lost_attempt_cannot_be_saved(database: Database) {
    let store = database.open().await;
    let read = live(&store).await;
    take(&store, &read, "a", 1_000).await.unwrap();
    take(&store, &read_attempt(&store, &read.id).await, "b", 2_000).await.unwrap();
    assert_eq!(save(&store, &read, 2).await, Err(Error::Conflict));
    save(&store, &read, 3).await.unwrap();
    let saved = read_attempt(&store, &read.id).await;
    assert_eq!((saved.version, saved.shown.as_slice()), (4, b"saved".as_slice()));
    assert_eq!((saved.busy_by, saved.busy_until, saved.updated_at), (None, None, Millis(7)));
    assert_eq!(save(&store, &read, 3).await, Err(Error::Conflict), "once only");
}

pub async fn an_ended_attempt_forgets_and_cannot_be_taken(database: Database) {
    let store = database.open().await;
    let read = live(&store).await;
    take(&store, &read, "a", 1_000).await.unwrap();
    for _ in 0..2 {
        let end = store.write(read.id.clone(), |id, tx| Box::pin(tx.end_attempt(id, Millis(8))));
        end.await.unwrap();
        let ended = read_attempt(&store, &read.id).await;
        assert_eq!((ended.state, ended.version, ended.busy_by), (AttemptState::Ended, 3, None));
        assert!(ended.shown.is_empty());
    }
    assert_eq!(save(&store, &read, 2).await, Err(Error::Conflict), "the call that ran is too late");
    let ended = read_attempt(&store, &read.id).await;
    assert_eq!(take(&store, &ended, "b", 9_000).await, Err(Error::Conflict));
}

async fn free(store: &Store, delivery: &Delivery, version: i64, holder: &'static str) -> Result<()> {
    let context = (delivery.id.clone(), version, holder);
    store.write(context, |(id, version, holder), tx| Box::pin(tx.free_delivery(id, *version, holder))).await
}

pub async fn a_lease_is_taken_only_from_the_right_holder_at_the_right_version(database: Database) {
    let store = database.open().await;
    let (_, _, ids) = told(&store, "lane", 1).await;
    assert!(store.read().await.unwrap().leased_deliveries().await.unwrap().is_empty());
    let held = claim(&store, "gone", "lane", 1).await.remove(0);
    let seen = store.read().await.unwrap().leased_deliveries().await.unwrap();
    assert_eq!(seen, [(ids[0].clone(), "gone".to_owned(), held.version)]);
    assert!(claim(&store, "heir", "lane", 1).await.is_empty(), "it is held");
    for (version, holder) in [(held.version, ""), (held.version, "other"), (held.version - 1, "gone")] {
        assert_eq!(free(&store, &held, version, holder).await, Err(Error::Conflict), "{version} {holder}");
    }
    free(&store, &held, held.version, "gone").await.unwrap();
    assert_eq!(free(&store, &held, held.version, "gone").await, Err(Error::Conflict), "once only");
    let taken = claim(&store, "heir", "lane", 1).await.remove(0);
    assert_eq!((taken.leased_by.as_deref(), taken.version), (Some("heir"), held.version + 2));
    finish(&store, &taken, DeliveryState::Done, now()).await.unwrap();
    assert_eq!(
        free(&store, &taken, taken.version + 1, "heir").await,
        Err(Error::Conflict),
        "what is done stays done"
    );
}

pub async fn a_try_by_a_node_that_lost_its_lease_is_not_written_down(database: Database) {
    let store = database.open().await;
    let (_, _, ids) = told(&store, "lane", 1).await;
    let held = claim(&store, "slow", "lane", 1).await.remove(0);
    free(&store, &held, held.version, "slow").await.unwrap();
    assert_eq!(finish(&store, &held, DeliveryState::Dead, now()).await, Err(Error::Conflict));
    let mut db = store.read().await.unwrap();
    assert!(db.tries(&ids[0]).await.unwrap().is_empty());
    let taken = db.delivery(&ids[0]).await.unwrap().unwrap();
    drop(db);
    assert_eq!((taken.state, taken.tries), (DeliveryState::Due, 0));
    finish(&store, &taken, DeliveryState::Done, now()).await.unwrap();
    assert_eq!(finish(&store, &taken, DeliveryState::Done, now()).await, Err(Error::Conflict));
    assert_eq!(store.read().await.unwrap().tries(&ids[0]).await.unwrap().len(), 1);
}

pub async fn the_clocks_agree(database: Database) {
    let skew = database.open().await.skew().await.unwrap();
    assert!(skew.abs() < 1_000, "{skew}");
}
