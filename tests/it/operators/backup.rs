//! Backup and restore, as docs/operations.md tells them.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;

use crate::app::App;
use crate::app::mailbox::PASSWORD;
use crate::app::person::Person;
use crate::parts::postgres::schema;
use crate::parts::tool;
use crate::proofs::walk::{mailbox, succeeded};

/// What is there when the backup is made: an account, and a person half-way.
async fn before(app: &App) -> (String, Person, crate::app::person::Seen) {
    let account = Person::new().account(app, mailbox(), &app.link(json!({ "name": "ada" })).await).await;
    let person = Person::new();
    let password = person.until_password(mailbox(), &app.link(json!({ "name": "bob" })).await).await;
    (account, person, password)
}

/// What must be there after it was restored.
async fn after(app: &App, account: &str, person: &Person, password: &crate::app::person::Seen, since: &str) {
    let accounts = app.accounts().await;
    assert_eq!((accounts.len(), &accounts[0]["id"]), (1, &json!(account)));
    let end = person.submit(password, &password.sheet().with("password", PASSWORD)).await;
    assert!(succeeded(&end), "{}", end.text());
    assert_eq!(app.accounts().await.len(), 2);
    let path = format!("/v1/hosted/accounts/link/{since}");
    assert_eq!(app.api("GET", &path, None).await.status, 404, "made after the backup");
}

#[tokio::test]
async fn a_copy_of_sqlite_made_while_serving_is_restored_and_needs_its_key_file() {
    let mut app = mailbox().app(&[]);
    let (account, person, password) = before(&app).await;
    let copy = app.data("copy.db");
    let copy_name = copy.display().to_string();
    let (worked, _, said) = app.cli(&["backup", &copy_name]);
    assert!(worked && said.contains("vestibule.key"), "{said}");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let (again, _, refused) = app.cli(&["backup", &copy_name]);
    assert!(!again && refused.contains("exists already"), "{refused}");
    let since = app.link(json!({})).await;
    // A disaster: everything but the copy and the key file is gone.
    app.kill();
    for name in ["vestibule.db", "vestibule.db-wal", "vestibule.db-shm"] {
        drop(std::fs::remove_file(app.data(name)));
    }
    std::fs::rename(&copy, app.data("vestibule.db")).unwrap();
    std::fs::rename(app.data("vestibule.key"), app.data("elsewhere.key")).unwrap();
    let (started, _, refused) = app.cli(&["serve"]);
    assert!(!started && refused.contains("put it back"), "{refused}");
    std::fs::rename(app.data("elsewhere.key"), app.data("vestibule.key")).unwrap();
    app.run();
    after(&app, &account, &person, &password, &since.id).await;
}

#[tokio::test]
async fn a_dump_of_postgres_made_while_serving_is_restored() {
    let schema = schema();
    let mut app = mailbox().app(&[("DATABASE_URL", &schema.url())]);
    let (account, person, password) = before(&app).await;
    let (worked, _, refused) = app.cli(&["backup", &app.data("copy.db").display().to_string()]);
    assert!(!worked && refused.contains("pg_dump"), "{refused}");
    let dump = app.data("vestibule.dump");
    let ran = |program: &str, arguments: &[&str]| {
        let ran = Command::new(tool(program)).args(arguments).output().expect("it runs");
        assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
    };
    let file = format!("--file={}", dump.display());
    // The documented command, and the schema that stands for a database of its own here.
    ran("pg_dump", &["--format=custom", &file, "--schema", schema.name(), &schema.url()]);
    let since = app.link(json!({})).await;
    assert!(app.stop());
    schema.psql("DROP TABLE accounts; DELETE FROM sessions");
    let into = format!("--dbname={}", schema.url());
    let dump = dump.display().to_string();
    ran("pg_restore", &["--clean", "--if-exists", "--no-owner", &into, &dump]);
    app.run();
    after(&app, &account, &person, &password, &since.id).await;
}

#[test]
fn health_is_asked_by_the_binary_itself() {
    let mut app = App::start();
    let (worked, said, why) = app.cli(&["health"]);
    assert!(worked && said.trim() == "ready", "{said}{why}");
    assert!(app.stop());
    let (worked, _, why) = app.cli(&["health"]);
    assert!(!worked && why.contains("the server does not answer"), "{why}");
}
