//! Schemathesis, which makes up requests out of the document: nothing that it thinks of makes the server fail or answer
//! what is not documented. What it is told, and which checks are off, stands in `schemathesis.toml`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use super::book::operations;
use super::pages::cookies;
use super::statuses::session;
use crate::app::http::send;
use crate::app::mailbox::Mailbox;
use crate::app::{App, Link};
use crate::parts::dns::Dns;
use crate::parts::process::Process;
use crate::parts::scratch::Scratch;
use crate::steps::Screen;
use crate::webhooks::{endpoint, text, webhook};

/// How long it may take; it takes half a minute where nothing else runs.
const WITHIN: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_made_up_from_the_document_get_documented_replies_and_break_nothing() {
    let mailbox = Mailbox::start();
    // A name server that knows nothing, so that made-up names lead nowhere.
    let names = Dns::start();
    let app = mailbox.app(&[
        ("REQUESTS_PER_MINUTE", "0"),
        ("REQUESTS_PER_MINUTE_ADDRESS", "0"),
        ("DNS_SERVER", &names.address().to_string()),
    ]);
    let mut config = include_str!("schemathesis.toml").to_owned();
    for (word, value) in things(&app, &mailbox).await {
        config = config.replace(&format!("@{word}@"), &value);
    }
    let folder = Scratch::new("schemathesis");
    let config = folder.write("schemathesis.toml", config);
    // As a file, since it does not test the address that it has the document from.
    let served = send("GET", &app.url("/openapi.json"), &[], b"").await;
    let document = folder.write("openapi.json", &served.body);

    let mut command = Command::new(program());
    // Nothing of the machine's own settings, and whatever it keeps it keeps in this folder.
    let hooks = folder.write("hooks.py", include_str!("schemathesis_hooks.py"));
    command.env_clear().env("HOME", folder.path()).current_dir(folder.path());
    command.env("SCHEMATHESIS_HOOKS", hooks);
    command.arg("--no-color").arg("--config-file").arg(config);
    command.arg("run").arg(document).arg("--url").arg(app.url(""));
    let mut process = Process::start("schemathesis", &mut command, folder.path());
    let status = process.wait(WITHIN);
    // A failed test shows what it printed.
    assert!(status.success(), "schemathesis found something");
    let all = operations(&served.json()).len();
    let tested = format!("Tested: {all}\n");
    assert!(process.output().contains(&tested), "not all {all} operations were tested");
}

/// The program that `cargo xtask setup` installs.
fn program() -> std::path::PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("schemathesis").join("bin/schemathesis");
    assert!(path.is_file(), "{} is missing; run `cargo xtask setup`", path.display());
    path
}

/// What there is to be found: sessions in every state, and accounts.
async fn things(app: &App, mailbox: &Mailbox) -> Vec<(&'static str, String)> {
    let mut over = None;
    for name in ["one", "other"] {
        let link = app.link(json!({ "name": name })).await;
        let mut screen = Screen::start(app, &link).await;
        screen.connect(mailbox).await;
        over = Some((link, screen));
    }
    let (over, watching) = over.expect("a session that has ended");
    let accounts = app.accounts().await;
    let account = |at: usize| accounts[at]["id"].as_str().expect("an id").to_owned();
    let (held, given_up) = (app.link(json!({})).await, app.link(json!({})).await);
    let (walked, left) = (app.link(json!({})).await, app.link(json!({})).await);
    let (code, state) = session(app).await;
    let (begun, begun_state) = session(app).await;
    let hook = webhook(app, "https://hooks.example.com/", json!({})).await.id;
    let removed = webhook(app, "https://hooks.example.com/", json!({})).await.id;
    let point = endpoint(app, "https://hooks.example.com/", json!({})).await.id;
    let dropped = endpoint(app, "https://hooks.example.com/", json!({})).await.id;
    let sent = app.api("POST", &format!("/webhooks/endpoints/{point}/test"), None).await.json();
    vec![
        ("KEY", app.key_for(&["--credentials", "--audit"])),
        ("ORIGIN", app.url("")),
        ("FRESH", app.link(json!({})).await.id),
        ("OVER", over.id),
        ("OVER_TOKEN", watching.token),
        ("HELD_TOKEN", Screen::start(app, &held).await.token),
        ("HELD", held.id),
        ("GIVEN_UP_TOKEN", Screen::start(app, &given_up).await.token),
        ("GIVEN_UP", given_up.id),
        ("COOKIE", claimed(app, &walked).await),
        ("WALKED", walked.id),
        ("LEFT_COOKIE", claimed(app, &left).await),
        ("LEFT", left.id),
        ("SHOWN", secret(&app.link(json!({})).await)),
        ("CLAIMED", secret(&app.link(json!({})).await)),
        ("READ", account(0)),
        ("DELETED", account(1)),
        ("CODE", code),
        ("STATE", state),
        ("WEBHOOK", hook),
        ("REMOVED", removed),
        ("ENDPOINT", point),
        ("DROPPED", dropped),
        ("DELIVERY", text(&sent["deliveryId"])),
        ("BEGUN_CODE", begun),
        ("BEGUN_STATE", begun_state),
    ]
}

/// A link's secret.
fn secret(link: &Link) -> String {
    link.url.rsplit_once('/').expect("a secret").1.to_owned()
}

/// Claims a link for a browser; gives its cookies.
async fn claimed(app: &App, link: &Link) -> String {
    let reply = send("POST", &link.url, &[("origin", &app.url(""))], b"").await;
    assert_eq!(reply.status, 303, "{}", reply.text());
    cookies(&reply)
}
