//! `vestibule secrets`: a key is added, everything is sealed again and the old key goes, while backends and persons
//! go on; once on SQLite, once with two nodes on PostgreSQL.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::kernel::clock::Clock;
use vestibule::kernel::random::Random;
use vestibule::store::{Address, Store, sqlite_url};

use super::session;
use crate::app::mailbox::PASSWORD;
use crate::app::person::Person;
use crate::app::{App, in_an_hour};
use crate::parts::front::Front;
use crate::parts::postgres::schema;
use crate::parts::sink::{Answer, Sink};
use crate::parts::{READY, eventually, eventually_async};
use crate::proofs::walk::{mailbox, succeeded};

/// Enough rows that sealing them again takes a while.
const MANY: usize = 4000;

/// A fast machine makes more requests under one key than the default allows.
const UNCOUNTED: (&str, &str) = ("REQUESTS_PER_MINUTE", "0");

/// What `secrets status` says.
fn status(app: &App) -> Value {
    let (worked, said, why) = app.cli(&["secrets", "status"]);
    assert!(worked, "{why}");
    serde_json::from_str(&said).expect("JSON")
}

/// How many rows a key seals.
fn rows(app: &App, key: &str) -> i64 {
    let status = status(app);
    assert_eq!(status["rows_of_other_keys"], 0, "{status}");
    let keys = status["keys"].as_array().unwrap().iter();
    keys.filter(|one| one["id"] == key).filter_map(|one| one["rows"].as_i64()).sum()
}

/// Puts many sessions into the database, as an installation in use has them.
async fn seed(app: &App, url: String) {
    let ring = vestibule::config::read_key_file(&app.data("vestibule.key"), Random::system()).unwrap();
    let address = Address { url, connections: 4 };
    let store = Store::open(&address, ring, Clock::system(), Random::system()).await.unwrap();
    let mut writes = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let store = store.clone();
        writes.spawn(async move {
            for _ in 0..MANY / 32 {
                let session = session(Clock::system().now());
                store.write(session, |session, tx| Box::pin(tx.insert_session(session))).await.unwrap();
            }
        });
    }
    writes.join_all().await;
    store.close().await;
}

/// Backends that make and read links on every node until they are told to stop; any refusal fails the test.
struct Load {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicUsize>,
    tasks: tokio::task::JoinSet<()>,
}

impl Load {
    fn start(nodes: &[&App]) -> Self {
        let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = tokio::task::JoinSet::new();
        for (at, app) in nodes.iter().cycle().take(4).enumerate() {
            let (base, host) = (format!("http://{}", app.address()), app.url("").replace("http://", ""));
            let (key, stop, made) = (app.key().to_owned(), stop.clone(), made.clone());
            tasks.spawn(async move {
                let headers = [
                    ("host", host.as_str()),
                    ("x-api-key", key.as_str()),
                    ("content-type", "application/json"),
                ];
                let body = json!({
                    "type": "create",
                    "providers": ["MAIL"],
                    "api_url": format!("{base}/v1"),
                    "expiresOn": in_an_hour(),
                    "name": format!("user_{at}"),
                });
                let links = format!("{base}/v1/hosted/accounts/link");
                while !stop.load(Ordering::Relaxed) {
                    let reply =
                        crate::app::http::send("POST", &links, &headers, body.to_string().as_bytes()).await;
                    assert_eq!(reply.status, 201, "{}", reply.text());
                    let id = reply.json()["id"].as_str().unwrap().to_owned();
                    let read = crate::app::http::send("GET", &format!("{links}/{id}"), &headers, b"").await;
                    assert_eq!((read.status, &read.json()["name"]), (200, &json!(format!("user_{at}"))));
                    let list =
                        crate::app::http::send("GET", &format!("{base}/v1/accounts"), &headers, b"").await;
                    assert_eq!(list.status, 200, "{}", list.text());
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { stop, made, tasks }
    }

    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.join_all().await;
        self.made.load(Ordering::Relaxed)
    }
}

/// Starts `secrets rotate` and kills it without warning once it has sealed some sessions again.
fn rotate_and_die(app: &App) {
    let mut child = app
        .command(&["secrets", "rotate"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the command starts");
    let lines = BufReader::new(child.stderr.take().expect("its output")).lines();
    let mut begun = lines.map_while(Result::ok).filter(|line| line.starts_with("sessions.request: "));
    assert!(begun.next().is_some(), "it ended before it came to the sessions");
    child.kill().expect("it still runs");
    child.wait().expect("its end");
}

/// The whole story: `nodes` run on one database, the first one's data directory holds the key file.
async fn story(mut nodes: Vec<App>, url: String, sink: &Sink) {
    // Before: an account whose backend does not answer, and a person half-way.
    sink.answer(Answer::status(503));
    let link = nodes[0].link(json!({ "name": "ada", "notify_url": sink.url("/told") })).await;
    let account = Person::new().account(&nodes[0], mailbox(), &link).await;
    sink.wait_for(1, READY).await;
    let halfway = nodes[0].link(json!({ "name": "bob" })).await;
    let person = Person::new();
    let password = person.until_password(mailbox(), &halfway).await;
    seed(&nodes[0], url).await;
    let old = status(&nodes[0])["keys"][0]["id"].as_str().unwrap().to_owned();
    let (kept, _, refused) = nodes[0].cli(&["secrets", "remove-key", &old, "--wait", "0"]);
    assert!(!kept && refused.contains("is the first of the ring"), "{refused}");

    let load = Load::start(&nodes.iter().collect::<Vec<_>>());
    let (worked, new, why) = nodes[0].cli(&["secrets", "add-key"]);
    assert!(worked, "{why}");
    let new = new.trim().to_owned();
    if nodes.len() > 1 {
        let (worked, _, refused) = nodes[0].cli(&["secrets", "rotate", "--wait", "3"]);
        assert!(!worked && refused.contains("has not loaded it"), "{refused}");
        assert_eq!(rows(&nodes[0], &new), 0, "nobody seals with a key that a live node lacks");
        for node in &nodes[1..] {
            std::fs::copy(nodes[0].data("vestibule.key"), node.data("vestibule.key")).unwrap();
        }
    }
    let (kept, _, refused) = nodes[0].cli(&["secrets", "remove-key", &old]);
    assert!(!kept && refused.contains("still seals"), "{refused}");
    rotate_and_die(&nodes[0]);
    let half = (rows(&nodes[0], &old), rows(&nodes[0], &new));
    assert!(half.0 > 0 && half.1 > 0, "killed half-way: {half:?}");
    let (worked, _, said) = nodes[0].cli(&["secrets", "rotate"]);
    assert!(worked, "{said}");
    assert_eq!(rows(&nodes[0], &old), 0);
    let (worked, _, said) = nodes[0].cli(&["secrets", "rotate"]);
    assert!(worked && said.contains("0 rows were sealed again"), "{said}");
    let (worked, _, said) = nodes[0].cli(&["secrets", "remove-key", &old]);
    assert!(worked, "{said}");
    for node in &nodes {
        std::fs::copy(nodes[0].data("vestibule.key"), node.data("copy.key")).unwrap();
        std::fs::rename(node.data("copy.key"), node.data("vestibule.key")).unwrap();
    }
    eventually("nodes without the old key", READY, || {
        let status = status(&nodes[0]);
        let live = status["nodes"].as_array().unwrap();
        assert_eq!(live.len(), nodes.len(), "{status}");
        live.iter().all(|node| node["keys"] == json!([new])).then_some(())
    });
    let made = load.end().await;
    assert!(made > 4, "backends went on meanwhile: {made}");

    // After, without a restart: the person finishes, the delivery goes out, everything can be read.
    let end = person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
    assert!(succeeded(&end), "{}", end.text());
    sink.answer(Answer::status(200));
    let due: Value = serde_json::from_str(&nodes[0].cli(&["deliveries", "list"]).1).unwrap();
    let (worked, _, why) = nodes[0].cli(&["deliveries", "replay", due[0]["id"].as_str().unwrap()]);
    assert!(worked, "{why}");
    eventually_async("the delivery", READY, async || {
        let listed: Value = serde_json::from_str(&nodes[0].cli(&["deliveries", "list"]).1).unwrap();
        (listed[0]["state"] == "done").then_some(())
    })
    .await;
    for call in sink.calls() {
        assert_eq!(call.json()["account_id"], json!(account));
    }
    for node in &mut nodes {
        assert_eq!(node.accounts().await.len(), 2);
        assert!(node.stop());
        node.run();
        assert_eq!(node.accounts().await.len(), 2, "after a restart, too");
    }
    let repaired = nodes[0].link(json!({ "type": "reconnect", "reconnect_account": account })).await;
    let password = Person::new().begin(&repaired).await;
    assert_eq!(password.step(), "password", "{}", password.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_keys_are_rotated_under_load_killed_halfway_and_resumed() {
    let sink = Sink::start();
    let app = mailbox().app(&[("LOG", "info"), UNCOUNTED]);
    let url = sqlite_url(&app.data("vestibule.db"));
    story(vec![app], url, &sink).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_with_two_nodes_keys_are_rotated_under_load_killed_halfway_and_resumed() {
    let (sink, schema) = (Sink::start(), schema());
    let front = Front::start(mailbox().dovecot.tls());
    let node = || {
        let mut app = mailbox().prepared(&[("LOG", "info"), ("DATABASE_URL", &schema.url()), UNCOUNTED]);
        app.behind(front.address());
        app
    };
    let (mut first, mut second) = (node(), node());
    front.aim(first.address());
    first.run();
    std::fs::create_dir_all(second.data("")).unwrap();
    std::fs::copy(first.data("vestibule.key"), second.data("vestibule.key")).unwrap();
    second.share_key(&first);
    second.run();
    story(vec![first, second], schema.url(), &sink).await;
}

#[test]
fn a_ring_from_the_settings_is_changed_there() {
    let mut app = App::prepared(&[]);
    app.set("KEYS", &crate::proofs::nodes::ring());
    let (worked, _, why) = app.cli(&["secrets", "add-key"]);
    assert!(!worked && why.contains("the setting `keys`"), "{why}");
}

#[test]
fn a_broken_key_file_is_complained_about_once_and_changes_nothing() {
    let app = App::with(&[("LOG", "info")]);
    let good = std::fs::read(app.data("vestibule.key")).unwrap();
    std::fs::write(app.data("vestibule.key"), "nonsense").unwrap();
    eventually("the complaint", READY, || app.output().contains("the key ring stays as it is").then_some(()));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(app.output().matches("the key ring stays as it is").count(), 1);
    std::fs::write(app.data("vestibule.key"), good).unwrap();
    let (worked, listed, why) = app.cli(&["keys", "list"]);
    assert!(worked && listed.contains("first"), "{why}");
}
