//! Schemathesis, which makes up requests out of the document: nothing that it thinks of makes the server fail or answer
//! what is not documented. What it is told, and which checks are off, stands in `schemathesis.toml`.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::book::operations;
use super::pages::cookies;
use super::statuses::session;
use crate::app::http::send;
use crate::app::mailbox::Mailbox;
use crate::app::person::{Person, Seen};
use crate::app::signing::{ADA, HOUSES, leaves_for, parameter, set_up};
use crate::app::{App, Link};
use crate::live::House;
use crate::parts::dns::{Answer, Dns};
use crate::parts::identity::{House as Provider, Identity, shared_ca};
use crate::parts::process::Process;
use crate::parts::scratch::Scratch;
use crate::parts::telegram::Telegram;
use crate::parts::visitor::Choices;
use crate::parts::whatsapp::Whatsapp;
use crate::steps::Screen;
use crate::webhooks::{endpoint, text, webhook};

/// How long it may take; it takes little more than a minute where nothing else runs.
const WITHIN: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_made_up_from_the_document_get_documented_replies_and_break_nothing() {
    let (mailbox, folder) = (Mailbox::start(), Scratch::new("schemathesis"));
    // A name server that knows nothing but where the stand-ins are, so that made-up names lead nowhere.
    let names = Dns::start();
    names.answer("localhost", Answer::one(Ipv4Addr::LOCALHOST));
    let telegram = Telegram::start(1);
    let house = everything(&mailbox, &names, &telegram, &folder).await;
    let app = &house.app;
    let mut config = include_str!("schemathesis.toml").to_owned();
    for (word, value) in things(&house, &mailbox).await {
        config = config.replace(&format!("@{word}@"), &value);
    }
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

/// A server with every provider set up, each beside what it talks to.
async fn everything(mailbox: &Mailbox, names: &Dns, telegram: &Telegram, folder: &Scratch) -> House {
    let double = Whatsapp::start();
    let mut app = mailbox.prepared(&[
        ("REQUESTS_PER_MINUTE", "0"),
        ("REQUESTS_PER_MINUTE_ADDRESS", "0"),
        ("DNS_SERVER", &names.address().to_string()),
    ]);
    for (name, value) in double.variables().into_iter().chain(telegram.variables()) {
        app.set(&name, &value);
    }
    for provider in HOUSES {
        set_up(&mut app, provider, json!({})).await;
    }
    let authorities = [mailbox.ca.file(), shared_ca().file()].map(std::fs::read_to_string);
    let authorities = authorities.map(|file| file.expect("a certificate")).concat();
    app.set("EXTRA_CA_FILE", &folder.write("authorities.pem", authorities).display().to_string());
    app.run();
    House { double, app }
}

/// A link for these providers.
async fn link_for(app: &App, providers: Value) -> Link {
    app.link(json!({ "providers": providers })).await
}

/// A person who is about to leave for Google's pages, and where on them.
async fn leaving(app: &App) -> (Person, Link, String) {
    let (person, link) = (Person::new(), link_for(app, json!(["GOOGLE"])).await);
    let there = leaves_for(&person.begin(&link).await);
    (person, link, there)
}

/// What hands a session over to another browser.
async fn handover(app: &App) -> String {
    let screen = Screen::start(app, &link_for(app, json!(["GOOGLE"])).await).await;
    let url = screen.seen["step"]["url"].as_str().unwrap_or_else(|| panic!("{}", screen.seen));
    url.rsplit_once('/').expect("a token").1.to_owned()
}

/// What there is to be found: sessions in every state, and accounts.
async fn things(house: &House, mailbox: &Mailbox) -> Vec<(&'static str, String)> {
    let app = &house.app;
    let (person, signed_in, there) = leaving(app).await;
    let back = Identity::shared(Provider::Google).consent(&there, ADA, &Choices::default()).await;
    assert_eq!(person.open(back.as_str()).await.reply.status, 200);
    let signed_in = text(&app.session(&signed_in.id).await["account_id"]);
    let state_back = parameter(&leaving(app).await.2, "state").expect("a state");
    let (mut over, mut accounts) = (None, Vec::new());
    for name in ["one", "other"] {
        let link = app.link(json!({ "name": name })).await;
        let mut screen = Screen::start(app, &link).await;
        accounts.push(screen.connect(mailbox).await);
        over = Some((link, screen));
    }
    let (over, watching) = over.expect("a session that has ended");
    let all = async || link_for(app, json!("*")).await;
    let (held, given_up, walked, left) = (all().await, all().await, all().await, all().await);
    let cookie = claimed(app, &walked).await;
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
        ("FORM", form(app, &walked, &cookie).await),
        ("COOKIE", cookie),
        ("WALKED", walked.id),
        ("LEFT_COOKIE", claimed(app, &left).await),
        ("LEFT", left.id),
        ("SHOWN", secret(&app.link(json!({})).await)),
        ("CLAIMED", secret(&app.link(json!({})).await)),
        ("ONLINE", house.account().await),
        ("SIGNED_IN", signed_in),
        ("DELETED", accounts.remove(1)),
        ("READ", accounts.remove(0)),
        ("BACK", state_back),
        ("HANDOVER", handover(app).await),
        ("HANDED_OVER", handover(app).await),
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

/// The token of the forms that this browser is shown.
async fn form(app: &App, link: &Link, cookie: &str) -> String {
    let url = app.url(&format!("/wizard/{}", link.id));
    let seen = Seen { reply: send("GET", &url, &[("cookie", cookie)], b"").await, url };
    seen.attribute("input[name=form]", "value").unwrap_or_else(|| panic!("{}", seen.text()))
}
