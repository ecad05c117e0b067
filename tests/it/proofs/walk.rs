//! What the proofs share: a person and a backend who simply go on when they get no answer, and what must be
//! true at the end of every such way.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::app::http::try_send;
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::person::{Person, Seen, Sheet};
pub use crate::app::wait;
use crate::app::{App, Link};
use crate::parts::kill::{KillPlan, points};
use crate::parts::sink::{Call, Sink};
use crate::stories::{Dialect, HOME};

/// How long a person keeps trying.
const PATIENCE: Duration = Duration::from_secs(90);

/// A mailbox that proofs share when they do not count its log-ins.
pub fn mailbox() -> &'static Mailbox {
    static SHARED: OnceLock<Mailbox> = OnceLock::new();
    SHARED.get_or_init(Mailbox::start)
}

/// Does every piece of work, a few at a time.
pub fn in_parallel<T: Send>(work: Vec<T>, workers: usize, each: impl Fn(T) + Sync) {
    let work = Mutex::new(VecDeque::from(work));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(next) = work.lock().expect("the work").pop_front() else { break };
                    each(next);
                }
            });
        }
    });
}

/// A whole way, killed at every sync on both of its sides; it has `least` of them at least. `whole_way` is given where its
/// backend is told and the plan, and gives the number of syncs that its first life began.
pub fn killed_at_every_sync(
    what: &str,
    least: u32,
    whole_way: impl Fn(&Sink, &str, Option<KillPlan>) -> u32 + Sync,
) {
    let sink = Sink::start();
    let syncs = whole_way(&sink, "/counted", None);
    assert!(syncs >= least, "a whole way takes more than {syncs} syncs");
    println!("the whole way takes {syncs} syncs: {} kill points", 2 * syncs);
    in_parallel(points(syncs), 4, |plan| {
        let path = format!("/{}/{:?}", plan.at, plan.when);
        println!("{what} killed at {path}");
        whole_way(&sink, &path, Some(plan));
    });
}

/// Asks for a link until there is an answer. `lost` is called when there was none.
pub async fn ask_link(dialect: Dialect, base: &str, key: &str, notify: &str, lost: &mut dyn FnMut()) -> Link {
    let (path, body) = dialect.request(base, notify);
    let body = body.to_string();
    let headers = [("x-api-key", key), ("content-type", "application/json")];
    loop {
        match try_send("POST", &format!("{base}{path}"), &headers, body.as_bytes()).await {
            Ok(reply) => return dialect.made(&reply),
            Err(_) => lost(),
        }
    }
}

/// Whether this is the page at the end of a good way.
pub fn succeeded(seen: &Seen) -> bool {
    seen.reply.status == 200 && seen.has(".sign-good")
}

/// Whether this page takes the person home: with a button on our success page, or at once.
pub fn arrived(seen: &Seen) -> bool {
    succeeded(seen) || (seen.reply.status == 200 && !seen.has("form") && home(seen).is_some())
}

/// Where a page sends the person, when their product is [`HOME`].
pub fn home(seen: &Seen) -> Option<String> {
    seen.attribute("a[href^=\"https://app.example.com\"]", "href")
}

/// The form of a page, filled in as it asks for.
pub fn filled_in(seen: &Seen, mailbox: &Mailbox) -> Sheet {
    match seen.step() {
        // The first page of one dialect asks for the address.
        "" if seen.has("input[name=\"email\"]") => seen.sheet().raw("email", ADDRESS),
        "address" => seen.sheet().with("email", ADDRESS),
        "servers" => {
            let servers = mailbox.servers().into_iter();
            servers.fold(seen.sheet(), |sheet, (name, value)| sheet.with(name, &value))
        }
        "password" => seen.sheet().with("password", PASSWORD),
        _ => seen.sheet(),
    }
}

/// Goes from wherever the person stands to the page that takes them home, doing what each page asks for. What got no answer
/// is sent again as it was.
pub async fn go_on(person: &Person, mailbox: &Mailbox, from: &str, lost: &mut dyn FnMut()) -> Seen {
    let begun = Instant::now();
    let mut seen = persist(lost, async || person.try_open(from).await).await;
    while !arrived(&seen) {
        assert!(begun.elapsed() < PATIENCE, "nothing goes on: {}", seen.text());
        assert_eq!(seen.reply.status, 200, "{}", seen.text());
        if !seen.has("form") {
            // An answer is being checked; the page loads itself again.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let here = seen.url.clone();
            seen = persist(lost, async || person.try_open(&here).await).await;
            continue;
        }
        let sheet = filled_in(&seen, mailbox);
        seen = persist(lost, async || person.try_submit(&seen, &sheet).await).await;
    }
    seen
}

/// Sends until there is an answer.
pub async fn persist(lost: &mut dyn FnMut(), send: impl AsyncFn() -> Result<Seen, String>) -> Seen {
    loop {
        match send().await {
            Ok(seen) => return seen,
            Err(_) => lost(),
        }
    }
}

/// The calls to one path of a sink.
pub fn calls(sink: &Sink, path: &str) -> Vec<Call> {
    sink.calls().into_iter().filter(|call| call.path == path).collect()
}

/// The deliveries in one state, as the command line lists them.
pub fn deliveries(app: &App, state: &str) -> Vec<Value> {
    let (worked, listed, said) = app.cli(&["deliveries", "list", "--state", state]);
    assert!(worked, "{said}");
    let listed: Value = serde_json::from_str(&listed).expect("a list");
    listed.as_array().expect("a list").clone()
}

/// The secret that calls are signed with.
pub fn signing_secret(app: &App) -> String {
    let (worked, secret, said) = app.cli(&["webhooks", "secret"]);
    assert!(worked, "{said}");
    secret.trim().to_owned()
}

/// Checks a call's signature as the Standard Webhooks specification says, from the secret as it is shown.
pub fn assert_signed(secret: &str, call: &Call) {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("its prefix")).expect("base64");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let head = format!("{}.{}.", call.header("webhook-id"), call.header("webhook-timestamp"));
    let tag = hmac::sign(&key, &[head.as_bytes(), &call.body].concat());
    assert_eq!(call.header("webhook-signature"), format!("v1,{}", STANDARD.encode(tag)));
}

/// What must be true when a person has come through to this page: one account, a spent session, one message, and
/// the person home, where their dialect has no success page.
pub async fn assert_once(dialect: Dialect, app: &App, link: &Link, end: &Seen, told: &[Call]) {
    let accounts = app.accounts().await;
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    let account = accounts[0]["id"].as_str().expect("an id");
    let (session, status, names) = match dialect {
        Dialect::Postpress => (app.session(&link.id).await, "CONNECTED", "account_id"),
        Dialect::Riposte => {
            assert_eq!(home(end), Some(format!("{HOME}&account_id={account}")), "{}", end.text());
            let reply = app.api("GET", &format!("/auth/sessions/{}", link.id), None).await;
            (reply.json(), "connected", "accountId")
        }
    };
    assert_eq!((&session["status"], &session[names]), (&json!(status), &json!(account)));
    let secret = signing_secret(app);
    assert!(!told.is_empty(), "nobody was told");
    for call in told {
        assert_eq!(call.header("webhook-id"), told[0].header("webhook-id"));
        assert_eq!(call.body, told[0].body);
        let body = call.json();
        let (said, named) = match dialect {
            Dialect::Postpress => (["status", "CREATION_SUCCESS"], &body["account_id"]),
            Dialect::Riposte => {
                assert_eq!(body["deliveryId"], call.header("webhook-id"));
                assert_eq!(body["data"]["session"], link.id);
                (["type", "account.connected"], &body["data"]["accountId"])
            }
        };
        assert_eq!((&body[said[0]], named), (&json!(said[1]), &json!(account)));
        assert_signed(&secret, call);
    }
}
