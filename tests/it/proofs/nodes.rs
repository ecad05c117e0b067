//! Two nodes on one PostgreSQL behind one address: the first dies for good at any commit, or in the middle of
//! a conversation, and the second goes on with everything.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use super::walk::{ask_link, assert_once, calls, deliveries, go_on, in_parallel, mailbox, succeeded, wait};
use crate::app::App;
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::person::Person;
use crate::parts::front::Front;
use crate::parts::kill::{KillPlan, When};
use crate::parts::pgproxy::PgProxy;
use crate::parts::postgres::{Schema, schema};
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually, eventually_async};
use crate::stories::Dialect;

/// A key ring for every node, as an operator gives it.
pub fn ring() -> String {
    format!("k1:{}", STANDARD.encode([7; 32]))
}

/// A node on this database behind this front.
pub fn node(mailbox: &Mailbox, url: &str, front: &Front, more: &[(&str, &str)]) -> App {
    let mut settings = vec![("DATABASE_URL", url)];
    settings.extend(more);
    let mut app = mailbox.prepared(&settings);
    app.set("KEYS", &ring());
    app.behind(front.address());
    app
}

/// Two nodes that run, behind a front that is aimed at the first.
pub fn two_nodes(mailbox: &Mailbox, schema: &Schema, more: &[(&str, &str)]) -> (Front, App, App) {
    let front = Front::start(mailbox.dovecot.tls());
    let mut first = node(mailbox, &schema.url(), &front, more);
    front.aim(first.address());
    first.run();
    let mut second = node(mailbox, &schema.url(), &front, more);
    second.share_key(&first);
    second.run();
    (front, first, second)
}

/// One whole way that the first node does not survive; gives the number of its commits, and whether it died.
fn whole_way(mailbox: &Mailbox, sink: &Sink, path: &str, plan: Option<KillPlan>) -> (u32, bool) {
    let schema = schema();
    let proxy = PgProxy::start(schema.port());
    let front = Front::start(mailbox.dovecot.tls());
    let mut first = node(mailbox, &schema.url_at(proxy.port()), &front, &[]);
    front.aim(first.address());
    first.run();
    let mut second = node(mailbox, &schema.url(), &front, &[]);
    second.share_key(&first);
    proxy.victim(first.process().id());
    proxy.arm(plan.unwrap_or(KillPlan { at: 0, when: When::After }));
    let base = format!("http://{}", front.address());
    let key = first.key().to_owned();
    let (first, second) = (RefCell::new(first), RefCell::new(second));
    let gone = Cell::new(false);
    let take_over = || {
        if !gone.replace(true) {
            second.borrow_mut().run();
            front.aim(second.borrow().address());
        }
    };
    let mut lost = || {
        eventually("the first node's end", READY, || first.borrow_mut().process().ended());
        take_over();
    };
    let dialect = Dialect::Postpress;
    let (link, end) = wait(async {
        let link = ask_link(dialect, &base, &key, &sink.url(path), &mut lost).await;
        let end = go_on(&Person::new(), mailbox, &link.url, &mut lost).await;
        assert!(succeeded(&end));
        (link, end)
    });
    // A lease of the dead is waited for, so this takes up to a minute.
    let settled = || {
        let died = first.borrow_mut().process().ended().is_some();
        if died {
            take_over();
        }
        let done = !calls(sink, path).is_empty() && deliveries(&second.borrow(), "done").len() == 1;
        done.then_some(())
    };
    let begun = Instant::now();
    while settled().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(90), "{path}: nobody delivers");
        std::thread::sleep(Duration::from_millis(250));
    }
    std::thread::sleep(Duration::from_millis(50));
    // A node says every few seconds that it lives, which is a commit as well: the way that was counted may hold one
    // more of these than this one so far.
    let ended = || first.borrow_mut().process().ended().is_some();
    while plan.is_some() && !ended() && begun.elapsed() < Duration::from_secs(90) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let died = ended();
    if died {
        take_over();
    }
    let commits = proxy.commits();
    // Asked through the front, whoever is behind it; its commands do not pass the proxy.
    wait(assert_once(dialect, &second.borrow(), &link, &end, &calls(sink, path)));
    (commits, died)
}

#[test]
fn killed_for_good_at_any_commit_another_node_goes_on_and_delivers() {
    let sink = Sink::start();
    let (commits, _) = whole_way(mailbox(), &sink, "/counted", None);
    assert!(commits >= 8, "a whole way takes more than {commits} commits");
    println!("the whole way takes {commits} commits: {} kill points", 2 * commits);
    // The last commits leave leases behind, which take longest: they go first.
    let points =
        (1..=commits).rev().flat_map(|at| [When::Before, When::After].map(|when| KillPlan { at, when }));
    let survived = std::sync::Mutex::new(Vec::new());
    in_parallel(points.collect(), 6, |plan| {
        let path = format!("/{}/{:?}", plan.at, plan.when);
        println!("killed at {path}");
        if !whole_way(mailbox(), &sink, &path, Some(plan)).1 {
            survived.lock().unwrap().push(path);
        }
    });
    let survived = survived.into_inner().unwrap();
    assert!(survived.is_empty(), "these points were never reached: {survived:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_mail_server_is_asked_the_other_node_lets_the_person_go_on_after_the_hold() {
    let (mailbox, schema) = (mailbox(), schema());
    let wire = Front::start(mailbox.dovecot.tls());
    let port = wire.address().port().to_string();
    let ports = format!("{port},{}", mailbox.submission.tls().port());
    let (front, mut first, second) = two_nodes(mailbox, &schema, &[("PROVIDERS__IMAP__PORTS", &ports)]);
    let link = first.link(json!({})).await;
    let person = Person::new();
    let address = person.begin(&link).await;
    let servers = person.submit(&address, &address.sheet().with("email", ADDRESS)).await;
    let mut sheet = servers.sheet();
    for (name, value) in mailbox.servers() {
        sheet = sheet.with(name, &value);
    }
    let password = person.submit(&servers, &sheet.with("imap_port", &port)).await;
    wire.hold();
    let waiting = tokio::spawn({
        let (person, password) = (person.clone(), password.clone());
        async move { person.try_submit(&password, &password.sheet().with("password", PASSWORD)).await.map(|_| ()) }
    });
    eventually_async("the conversation", READY, async || (wire.taken() > 0).then_some(())).await;
    first.kill();
    front.aim(second.address());
    assert!(waiting.await.unwrap().is_err());
    wire.release();
    let dead = Instant::now();
    let shown = person.open(&password.url).await;
    assert_eq!((shown.reply.status, shown.has("form")), (200, false), "it is still held: {}", shown.text());
    let shown = eventually_async("the step", Duration::from_secs(15), async || {
        let shown = person.open(&password.url).await;
        (shown.step() == "password").then_some(shown)
    })
    .await;
    assert!(dead.elapsed() < Duration::from_secs(12), "{:?}", dead.elapsed());
    let end = person.submit(&shown, &shown.sheet().with("password", PASSWORD)).await;
    assert!(succeeded(&end), "{}", end.text());
    assert_eq!(second.accounts().await.len(), 1);
}
