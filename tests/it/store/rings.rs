//! Key rings: a store opens only with the keys its database was sealed with.

use vestibule::kernel::random::Random;
use vestibule::kernel::seal::Key;
use vestibule::store::{Error, Store};
use zeroize::Zeroizing;

use super::bench::{Database, ring};
use super::rows::{insert_session, is_corrupt, read_session, session};

fn fresh() -> Key {
    Key::generate(&Random::system())
}

pub async fn a_new_database_names_no_key(database: Database) {
    assert_eq!(Store::sealed_with(&database.address()).await, Ok(Vec::new()));
    database.open().await.close().await;
    let named = Store::sealed_with(&database.address()).await;
    assert_eq!(named, Ok(vec![database.key().id().to_owned()]));
}

pub async fn a_ring_that_lacks_a_key_is_refused_by_name(database: Database) {
    database.open().await.close().await;
    let stranger = fresh();
    let refused = database.open_with(vec![stranger.clone()]).await.expect_err("it must be refused");
    assert!(matches!(refused, Error::Corrupt { table: "sealed_values", .. }), "{refused}");
    assert!(refused.to_string().contains(database.key().id()), "{refused}");
    let named = Store::sealed_with(&database.address()).await.unwrap();
    assert!(!named.contains(&stranger.id().to_owned()), "a refused ring leaves nothing behind");
    assert!(database.open_with(vec![database.key()]).await.is_ok());
}

pub async fn an_added_key_opens_and_seals_what_follows(database: Database) {
    let before = database.open().await;
    let mut old = session();
    old.request = Zeroizing::new(b"old".to_vec());
    insert_session(&before, &old).await.unwrap();
    let added = fresh();
    let after = database.open_with(vec![added.clone(), database.key()]).await.unwrap();
    assert_eq!(read_session(&after, &old.id).await.request.as_slice(), b"old");
    let new = session();
    insert_session(&after, &new).await.unwrap();
    assert_eq!(read_session(&after, &new.id).await.request.as_slice(), b"{}");
    let early = before.read().await.unwrap().session(&new.id).await;
    assert!(is_corrupt(&early), "a node without the new key cannot read on: {early:?}");
    assert!(format!("{early:?}").contains(added.id()), "and says which key it lacks: {early:?}");
    let mut named = Store::sealed_with(&database.address()).await.unwrap();
    let mut both = vec![database.key().id().to_owned(), added.id().to_owned()];
    named.sort();
    both.sort();
    assert_eq!(named, both);
    assert!(database.open_with(vec![added]).await.is_err(), "the old key is still needed");
}

pub async fn a_key_of_the_same_name_with_other_bytes_is_refused(database: Database) {
    database.open().await.close().await;
    let line = fresh().line();
    let (_, bytes) = line.split_once(':').unwrap();
    let impostor = format!("{}:{bytes}", database.key().id());
    let keys = vestibule::kernel::seal::KeyRing::parse(&impostor, Random::system()).unwrap();
    let clock = vestibule::kernel::clock::Clock::system();
    let opened = Store::open(&database.address(), keys, clock, Random::system()).await;
    assert!(matches!(opened, Err(Error::Corrupt { .. })), "{opened:?}");
}

pub async fn two_fresh_rings_cannot_both_found_one_database(database: Database) {
    // The race is in the first milliseconds: several rounds, each on a database without values.
    let mut raw = database.raw().await;
    database.open().await.close().await;
    for round in 0..8 {
        raw.run("DELETE FROM sealed_values").await;
        let (one, two) = (fresh(), fresh());
        let (first, second) =
            tokio::join!(database.open_with(vec![one.clone()]), database.open_with(vec![two.clone()]));
        let founder = match (&first, &second) {
            (Ok(_), Err(Error::Corrupt { .. })) => one,
            (Err(Error::Corrupt { .. }), Ok(_)) => two,
            both => panic!("round {round}: exactly one founds the database: {both:?}"),
        };
        let named = Store::sealed_with(&database.address()).await;
        assert_eq!(named, Ok(vec![founder.id().to_owned()]), "round {round}");
    }
}

pub async fn values_of_the_installation_are_made_once(database: Database) {
    let (one, two) = (database.open().await, database.open().await);
    let mut racing = tokio::task::JoinSet::new();
    for at in 0..50 {
        let store = if at % 2 == 0 { one.clone() } else { two.clone() };
        racing.spawn(async move {
            let secret = store.signing_secret().await.unwrap().reveal().to_owned();
            (secret, store.marker().await.unwrap().mark("label", &["part"]))
        });
    }
    let mut all = racing.join_all().await;
    assert!(all[0].0.starts_with("whsec_"));
    all.dedup();
    assert_eq!(all.len(), 1);
    let later = database.open().await;
    assert_eq!(later.signing_secret().await.unwrap().reveal(), all[0].0);
    assert!(!format!("{:?}", ring(vec![database.key()])).contains(database.key().line().as_str()));
}

pub async fn a_database_that_cannot_answer_is_not_taken_for_a_new_one(database: Database) {
    database.open().await.close().await;
    let mut raw = database.raw().await;
    raw.run("ALTER TABLE sealed_values RENAME COLUMN id TO name").await;
    let named = Store::sealed_with(&database.address()).await;
    assert!(matches!(named, Err(Error::Unavailable { .. })), "{named:?}");
}
