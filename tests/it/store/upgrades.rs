//! Upgrades: each migration runs once, and an older program leaves a newer database alone.

use std::path::Path;

use vestibule::store::Error;

use super::bench::Database;
use super::rows::{insert_session, read_session, session};

const APPLIED: &str = "SELECT COUNT(*) FROM migrations";

pub async fn a_second_start_applies_nothing(database: Database) {
    let store = database.open().await;
    let written = session();
    insert_session(&store, &written).await.unwrap();
    store.close().await;
    let mut raw = database.raw().await;
    raw.run("UPDATE migrations SET at = 1").await;
    let before = raw.number(APPLIED).await;
    let again = database.open().await;
    assert_eq!(read_session(&again, &written.id).await.id, written.id);
    assert_eq!(raw.number(APPLIED).await, before);
    assert_eq!(raw.number("SELECT MAX(at) FROM migrations").await, 1);
}

pub async fn a_database_of_the_first_version_is_brought_up_to_date(database: Database) {
    let mut raw = database.raw().await;
    raw.run("CREATE TABLE migrations (number BIGINT NOT NULL PRIMARY KEY, at BIGINT NOT NULL)").await;
    raw.run(include_str!("../../../migrations/202611220001_init.sql")).await;
    raw.run("INSERT INTO migrations (number, at) VALUES (202611220001, 5)").await;
    // Two replays at the same moment could make two deliveries of one event once.
    for (id, event, endpoint) in [("a", "e", "p"), ("b", "e", "p"), ("c", "e", "q"), ("d", "f", "p")] {
        let columns = "id, event_id, endpoint_id, subject, seq, lane, state, out_of_order, tries, due_at, \
                       version, created_at";
        let values = format!("'{id}', '{event}', '{endpoint}', 's', 1, 'lane', 'due', 0, 1, 5, 1, 5");
        raw.run(&format!("INSERT INTO deliveries ({columns}) VALUES ({values})")).await;
        raw.run(&format!("INSERT INTO delivery_tries VALUES ('{id}', 1, 5, 1, 500, NULL, NULL)")).await;
    }
    let store = database.open().await;
    let written = session();
    insert_session(&store, &written).await.unwrap();
    assert_eq!(read_session(&store, &written.id).await.id, written.id);
    assert_eq!(raw.texts("SELECT id FROM deliveries ORDER BY id").await, ["a", "c", "d"]);
    assert_eq!(
        raw.texts("SELECT delivery_id FROM delivery_tries ORDER BY delivery_id").await,
        ["a", "c", "d"]
    );
    store.release_leases().await.unwrap();
    assert_eq!(raw.number("SELECT COUNT(*) FROM idempotent_calls").await, 0);
}

pub async fn a_newer_database_is_refused_and_left_alone(database: Database) {
    database.open().await.close().await;
    let mut raw = database.raw().await;
    raw.run("INSERT INTO migrations (number, at) VALUES (999912310001, 5)").await;
    raw.run("DELETE FROM sealed_values").await;
    let refused = database.open_with(vec![database.key()]).await.expect_err("it must be refused");
    assert!(matches!(refused, Error::Corrupt { table: "migrations", .. }), "{refused}");
    assert!(refused.to_string().contains("newer version"), "{refused}");
    assert_eq!(raw.number("SELECT COUNT(*) FROM sealed_values").await, 0);
    raw.run("DELETE FROM migrations WHERE number = 999912310001").await;
    assert!(database.open_with(vec![database.key()]).await.is_ok());
}

pub async fn every_migration_file_was_applied(database: Database) {
    drop(database.open().await);
    let mut raw = database.raw().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let number: i64 = name.split('_').next().unwrap().parse().expect("a number in front");
        let applied = format!("SELECT COUNT(*) FROM migrations WHERE number = {number}");
        assert_eq!(raw.number(&applied).await, 1, "{name}");
        files += 1;
    }
    assert_eq!(raw.number(APPLIED).await, files);
}
