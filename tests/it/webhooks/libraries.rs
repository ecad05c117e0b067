//! Real calls, verified by the reference libraries of Standard Webhooks in JavaScript, Python and Rust, as receivers use
//! them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use standardwebhooks::Webhook;

use super::{Made, endpoint, revoked, told, webhook};
use crate::app::App;
use crate::parts::sink::{Call, Sink};
use crate::parts::tool;
use crate::proofs::walk::{mailbox, signing_secret};
use crate::steps::Screen;

fn double(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("doubles/receiver").join(name)
}

/// What verifies calls: a program that `cargo xtask setup` has brought the library for.
fn receivers() -> [Command; 2] {
    let mut javascript = Command::new(tool("node"));
    assert!(double("node_modules/standardwebhooks").is_dir(), "run `cargo xtask setup`");
    javascript.arg(double("verify.mjs"));
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("receiver").join("bin/python");
    assert!(python.is_file(), "{} is missing; run `cargo xtask setup`", python.display());
    let mut python = Command::new(python);
    python.arg(double("verify.py"));
    [javascript, python]
}

fn run(mut receiver: Command, secret: &str, call: &Call, body: &str) -> Output {
    let headers: Value = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .iter()
        .map(|name| ((*name).to_owned(), json!(call.header(name))))
        .collect();
    let handed = json!({ "secret": secret, "headers": headers, "body": body }).to_string();
    let pipes = receiver.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("the receiver starts");
    child.stdin.take().expect("its input").write_all(handed.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn verified(secret: &str, call: &Call) {
    let body = String::from_utf8(call.body.clone()).expect("text");
    let altered = body.replacen('{', "{ ", 1);
    for (at, receiver) in receivers().into_iter().enumerate() {
        let output = run(receiver, secret, call, &body);
        assert!(output.status.success(), "{at}: {}", String::from_utf8_lossy(&output.stderr));
        let seen: Value = serde_json::from_slice(&output.stdout).expect("what it verified");
        assert_eq!(seen, call.json());
    }
    for receiver in receivers() {
        let output = run(receiver, secret, call, &altered);
        assert_eq!(output.status.code(), Some(1), "an altered body is refused");
    }
    let rust = Webhook::new(secret).expect("a secret");
    rust.verify(body.as_bytes(), &call.headers).expect("the Rust library is content");
    assert!(rust.verify(altered.as_bytes(), &call.headers).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_libraries_verify_the_calls_of_both_dialects_and_of_notify_url() {
    let app = mailbox().app(&[]);
    let sink = Sink::start();
    let hook = webhook(&app, &sink.url("/webhook"), json!({})).await;
    let point = endpoint(&app, &sink.url("/endpoint"), json!({ "eventTypes": ["account.connected"] })).await;
    let link = app.link(json!({ "name": "Zoë", "notify_url": sink.url("/notify") })).await;
    Screen::start(&app, &link).await.connect(mailbox()).await;
    let own = Made { id: String::new(), secret: signing_secret(&app) };
    for (path, made) in [("/webhook", &hook), ("/endpoint", &point), ("/notify", &own)] {
        verified(&made.secret, &told(&sink, path, 1).await[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_exchanged_they_verify_with_either() {
    let app = App::start();
    let sink = Sink::start();
    let made = webhook(&app, &sink.url("/both"), json!({ "source": "hosted_auth_link" })).await;
    let path = format!("/v1/webhooks/{}/secret", made.id);
    let fresh = app.api("POST", &path, Some(json!({ "overlap_hours": 1 }))).await.json();
    assert_eq!(fresh["object"], "WebhookSecret");
    revoked(&app).await;
    let call = told(&sink, "/both", 1).await.remove(0);
    for secret in [fresh["secret"].as_str().expect("a secret"), &made.secret] {
        verified(secret, &call);
    }
}
