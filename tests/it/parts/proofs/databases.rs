//! Proofs of PostgreSQL, the proxy in front of it, and the kill at SQLite's commits.

use crate::parts::kill::{KillPlan, Syncs, When, count_syncs, was_killed};
use crate::parts::pgproxy::PgProxy;
use crate::parts::process::Process;
use crate::parts::scratch::Scratch;
use crate::parts::{READY, eventually, postgres};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

async fn postgres_connection(url: &str) -> sqlx::AnyConnection {
    sqlx::any::install_default_drivers();
    sqlx::AnyConnection::connect(url).await.unwrap()
}

#[tokio::test]
async fn each_postgres_schema_sees_only_its_own_tables() {
    let (one, two) = (postgres::schema(), postgres::schema());
    let mut connection = postgres_connection(&one.url()).await;
    sqlx::query("CREATE TABLE thing (name TEXT)").execute(&mut connection).await.unwrap();
    sqlx::query("INSERT INTO thing VALUES ('b'), ('A'), ('a')").execute(&mut connection).await.unwrap();
    assert_eq!(one.psql("SELECT name FROM thing ORDER BY name"), "a\nA\nb");
    assert!(two.try_psql("SELECT * FROM thing").unwrap_err().contains("does not exist"));
    assert_eq!(one.psql("SHOW fsync") + &one.psql("SHOW synchronous_commit"), "onon");

    drop(connection);
    let gone = one.name().to_owned();
    drop(one);
    assert_eq!(two.psql(&format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{gone}'")), "0");
}

#[tokio::test]
async fn the_proxy_counts_commits_and_kills_on_either_side_of_one() {
    for (when, kept) in [(When::Before, "1"), (When::After, "2")] {
        let schema = postgres::schema();
        schema.psql("CREATE TABLE thing (number BIGINT)");
        let proxy = PgProxy::start(schema.port());
        let folder = Scratch::new("victim");
        let mut victim = Process::start("sleep", Command::new("sleep").arg("1000"), folder.path());

        let mut connection = postgres_connection(&schema.url_at(proxy.port())).await;
        proxy.arm(KillPlan { at: 2, when });
        proxy.victim(victim.id());
        for number in 1..=2_i64 {
            let mut transaction = connection.begin().await.unwrap();
            let insert = sqlx::query("INSERT INTO thing VALUES ($1)").bind(number);
            insert.execute(&mut *transaction).await.unwrap();
            assert!(victim.ended().is_none());
            assert_eq!(transaction.commit().await.is_ok(), number == 1);
        }
        assert_eq!(proxy.commits(), 2);
        assert!(was_killed(victim.wait(READY)));
        assert_eq!(schema.psql("SELECT count(*) FROM thing"), kept, "{when:?}");
    }
}

#[test]
fn the_proxy_sees_a_prepared_commit_too() {
    let schema = postgres::schema();
    let proxy = PgProxy::start(schema.port());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut connection = postgres_connection(&schema.url_at(proxy.port())).await;
        for statement in ["BEGIN", "SELECT 1", "commit;"] {
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
    });
    assert_eq!(proxy.commits(), 1);
}

/// Not a proof: the program that the proof below starts and kills. It does nothing without its folder.
#[test]
#[ignore = "started by another test"]
fn writes_ten_rows_when_asked() {
    if !Path::new("write-ten-rows").exists() {
        return;
    }
    let options = SqliteConnectOptions::new()
        .filename("rows.db")
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("CREATE TABLE thing (number BIGINT)").execute(&mut connection).await.unwrap();
        for number in 0..10_i64 {
            let insert = sqlx::query("INSERT INTO thing VALUES ($1)").bind(number);
            insert.execute(&mut connection).await.unwrap();
        }
        // Otherwise the end of the process races with the last checkpoint.
        connection.close().await.unwrap();
    });
}

/// How many rows there are; less than none when there is no table yet.
async fn rows(folder: &Path) -> i64 {
    let options = SqliteConnectOptions::new().filename(folder.join("rows.db")).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query_scalar("SELECT COUNT(*) FROM thing").fetch_one(&mut connection).await.unwrap_or(-1)
}

/// Runs the writer and tells how many rows it left, how many syncs it began, and whether it was killed.
async fn write_ten_rows(watch: impl FnOnce(&mut Command) -> Syncs) -> (i64, u32, bool) {
    let folder = Scratch::new("rows");
    folder.write("write-ten-rows", "");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "parts::proofs::databases::writes_ten_rows_when_asked"])
        .current_dir(folder.path());
    let syncs = watch(&mut command);
    let mut writer = Process::start("writer", &mut command, folder.path());
    let status = writer.wait(READY);
    assert!(status.success() || status.signal().is_some(), "{}", writer.output());
    (rows(folder.path()).await, syncs.count(), was_killed(status))
}

#[tokio::test]
async fn a_kill_at_a_sync_falls_before_or_after_the_commit_of_an_unmodified_sqlite() {
    let (kept, all, killed) = write_ten_rows(count_syncs).await;
    assert_eq!((kept, killed), (10, false));
    assert!(all >= 10, "{all} syncs");
    let mut committed = Vec::new();
    for at in 1..=all {
        let plan = |when| move |command: &mut Command| KillPlan { at, when }.apply(command);
        let (before, begun, killed) = write_ten_rows(plan(When::Before)).await;
        // Equal only where a sync follows another without a write between.
        assert!(killed && (begun == at - 1 || begun == at), "sync {at}: {begun} had begun");
        let (after, begun, killed) = write_ten_rows(plan(When::After)).await;
        assert!(killed && begun == at, "sync {at}: {begun} had begun");
        if before != after {
            committed.push((before, after));
        }
    }
    // The table and each row are one commit; the other syncs open and close the log.
    assert_eq!(committed, (-1..10).map(|rows| (rows, rows + 1)).collect::<Vec<_>>());
}

#[test]
fn a_program_that_is_killed_is_seen_to_be() {
    let folder = Scratch::new("killed");
    let mut process = Process::start("sleep", Command::new("sleep").arg("1000"), folder.path());
    process.signal("KILL");
    let status = eventually("the end", READY, || process.ended());
    assert!(was_killed(status));
}
