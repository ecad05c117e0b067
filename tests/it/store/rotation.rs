//! Rotation: which key seals while several nodes live, sealing everything again, and taking a key out of use.

use vestibule::kernel::ids::NodeId;
use vestibule::kernel::random::Random;
use vestibule::kernel::seal::{Key, KeyRing};
use vestibule::kernel::words::Status;
use vestibule::store::{AccountUpdate, Error, Reached, SEALED, Store, Watch};
use zeroize::Zeroizing;

use super::bench::{Database, now, ring};
use super::rows::{account, insert_account, insert_session, is_corrupt, read_session, session};
use super::sealing::{fill, readable_with};

fn fresh() -> Key {
    Key::generate(&Random::system())
}

fn both(database: &Database, added: &Key) -> KeyRing {
    ring(vec![added.clone(), database.key()])
}

async fn joined(store: &Store, name: &str) -> NodeId {
    let id = NodeId::new(now(), &Random::system());
    store.join(&id, name).await.unwrap();
    id
}

/// Seals everything again in steps of `limit`; gives how many rows were.
async fn reseal_all(store: &Store, key: &Key, limit: i64) -> u64 {
    let mut resealed = 0;
    for column in SEALED {
        let mut after = Reached::default();
        loop {
            let step = store.reseal(column, key.id(), &after, limit).await.unwrap();
            assert_eq!(step.unreadable, 0);
            resealed += step.resealed;
            match step.next {
                Some(next) => after = next,
                None => break,
            }
        }
    }
    resealed
}

/// Rows that these keys seal, all columns together.
async fn counts(store: &Store, keys: &[&Key]) -> Vec<i64> {
    let ids: Vec<_> = keys.iter().map(|key| key.id().to_owned()).collect();
    let mut sums = vec![0; keys.len()];
    let mut db = store.read().await.unwrap();
    for column in SEALED {
        let counted = db.count_sealed(column, &ids).await.unwrap();
        assert_eq!(counted.all, counted.by_key.iter().sum::<i64>(), "{column:?}");
        sums.iter_mut().zip(counted.by_key).for_each(|(sum, more)| *sum += more);
    }
    sums
}

pub async fn a_key_seals_only_when_every_live_node_holds_it(database: Database) {
    let (one, two) = (database.open().await, database.open().await);
    let ids = [joined(&one, "one").await, joined(&two, "two").await];
    let added = fresh();
    one.load_ring(both(&database, &added)).await.unwrap();
    one.beat(&ids[0], "one").await.unwrap();
    assert!(!one.choose_key().await.unwrap());
    let early = session();
    insert_session(&one, &early).await.unwrap();
    read_session(&two, &early.id).await;
    // A command beside them keeps to the same rule.
    let beside = database.open_with(vec![added.clone(), database.key()]).await.unwrap();
    assert_eq!(beside.keys().1, database.key().id());
    two.load_ring(both(&database, &added)).await.unwrap();
    assert!(!one.choose_key().await.unwrap(), "the other node has not said yet that it holds the key");
    two.beat(&ids[1], "two").await.unwrap();
    assert!(one.choose_key().await.unwrap());
    assert!(!one.choose_key().await.unwrap());
    let late = session();
    insert_session(&one, &late).await.unwrap();
    assert_eq!(
        counts(&one, &[&added, &database.key()]).await,
        [1, 2],
        "the late one, the early one, the marker"
    );
    read_session(&two, &late.id).await;
    one.beat(&ids[0], "one").await.unwrap();
    let nodes = one.read().await.unwrap().live_nodes().await.unwrap();
    let seals: Vec<_> = nodes.iter().map(|node| (node.name.as_str(), node.seals.as_str())).collect();
    assert_eq!(seals, [("one", added.id()), ("two", database.key().id())]);
}

pub async fn a_node_that_starts_without_an_added_key_is_refused(database: Database) {
    let (one, late) = (database.open().await, database.open().await);
    joined(&one, "one").await;
    one.load_ring(both(&database, &fresh())).await.unwrap();
    let id = NodeId::new(now(), &Random::system());
    let refused = late.join(&id, "late").await;
    assert!(is_corrupt(&refused), "{refused:?}");
}

pub async fn a_node_that_left_is_not_waited_for(database: Database) {
    let (one, two) = (database.open().await, database.open().await);
    let (_, gone) = (joined(&one, "one").await, joined(&two, "two").await);
    two.leave(&gone).await.unwrap();
    // Killed, not stopped: nobody took it out, but it is not heard of any more.
    joined(&two, "killed").await;
    let mut raw = database.raw().await;
    raw.run("UPDATE nodes SET heard_at = heard_at - 46000 WHERE name = 'killed'").await;
    let added = fresh();
    one.load_ring(both(&database, &added)).await.unwrap();
    assert!(!one.choose_key().await.unwrap(), "it has not said itself that it holds the key");
    joined(&one, "one again").await;
    raw.run("DELETE FROM nodes WHERE name = 'one'").await;
    assert!(one.choose_key().await.unwrap());
}

pub async fn a_ring_that_lacks_a_key_in_use_is_not_loaded(database: Database) {
    let store = database.open().await;
    let refused = store.load_ring(ring(vec![fresh()])).await;
    assert!(is_corrupt(&refused), "{refused:?}");
    assert_eq!(store.keys(), (vec![database.key().id().to_owned()], database.key().id().to_owned()));
    assert_eq!(Store::sealed_with(&database.address()).await.unwrap().len(), 1);
}

pub async fn everything_is_sealed_again_a_row_at_a_time_and_nothing_twice(database: Database) {
    let store = database.open().await;
    fill(&store, "a").await;
    fill(&store, "b").await;
    let added = fresh();
    store.load_ring(both(&database, &added)).await.unwrap();
    store.choose_key().await.unwrap();
    let before = counts(&store, &[&added, &database.key()]).await;
    assert_eq!(before[0], 0);
    // Thirteen columns twice, and the values of the installation once.
    assert_eq!(before[1], 2 * 13 + 2);
    assert_eq!(reseal_all(&store, &added, 1).await, before[1] as u64);
    assert_eq!(counts(&store, &[&added, &database.key()]).await, [before[1], 0]);
    assert_eq!(reseal_all(&store, &added, 1).await, 0);
    for column in SEALED.iter().filter(|column| column.table != "sealed_values") {
        let (table, column) = (column.table, column.column);
        assert!(readable_with(&database, &store, table, column, added.clone()).await, "{table}.{column}");
    }
    assert_eq!(store.reseal(&SEALED[0], "absent", &Reached::default(), 9).await, Err(Error::NotFound));
}

pub async fn a_retired_key_is_not_needed_and_never_seals_again(database: Database) {
    let store = database.open().await;
    fill(&store, "a").await;
    let (marker, signing) = (store.marker().await.unwrap(), store.signing_secret().await.unwrap());
    let added = fresh();
    store.load_ring(both(&database, &added)).await.unwrap();
    store.choose_key().await.unwrap();
    reseal_all(&store, &added, 64).await;
    for _ in 0..2 {
        let old = database.key().id().to_owned();
        store.write(old, |old, tx| Box::pin(tx.retire_key(old))).await.unwrap();
    }
    let after = database.open_with(vec![added.clone()]).await.unwrap();
    for column in SEALED {
        let (table, column) = (column.table, column.column);
        assert!(readable_with(&database, &after, table, column, added.clone()).await, "{table}.{column}");
    }
    assert_eq!(after.marker().await.unwrap().mark("a", &["b"]), marker.mark("a", &["b"]));
    assert_eq!(after.signing_secret().await.unwrap().reveal(), signing.reveal());
    // A node whose key file still names it, even first, opens but does not seal with it; alone it is refused.
    let careless = database.open_with(vec![database.key(), added.clone()]).await.unwrap();
    assert_eq!(careless.keys().1, added.id());
    let named = Store::sealed_with(&database.address()).await.unwrap();
    assert_eq!(named, [added.id().to_owned()]);
    assert!(database.open_with(vec![database.key()]).await.is_err());
}

pub async fn changes_and_sealing_again_race_without_losing_either(database: Database) {
    const CHANGES: i64 = 60;
    let store = database.open().await;
    let account = account();
    insert_account(&store, &account, b"first").await.unwrap();
    // The changes are sealed with the former key, as by a node that is late.
    let (late, added) = (database.open().await, fresh());
    store.load_ring(both(&database, &added)).await.unwrap();
    let changes = {
        let id = account.id.clone();
        tokio::spawn(async move {
            for version in 1..=CHANGES {
                let update = AccountUpdate {
                    status: Status::Ok,
                    cause: None,
                    details: Zeroizing::new(version.to_string().into_bytes()),
                    secret: Zeroizing::new(b"secret".to_vec()),
                    at: now(),
                    watch: Watch::default(),
                };
                let write = late.write((id.clone(), version, update), |(id, version, update), tx| {
                    Box::pin(tx.update_account(id, *version, update))
                });
                write.await.unwrap();
            }
        })
    };
    while !changes.is_finished() {
        reseal_all(&store, &added, 64).await;
    }
    changes.await.unwrap();
    reseal_all(&store, &added, 64).await;
    assert_eq!(counts(&store, &[&added, &database.key()]).await[1], 0);
    let read = store.read().await.unwrap().account(&account.id).await.unwrap().unwrap();
    assert_eq!((read.version, read.details.as_slice()), (CHANGES + 1, CHANGES.to_string().as_bytes()));
    assert!(readable_with(&database, &store, "accounts", "secret", added.clone()).await);
}
