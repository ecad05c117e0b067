//! Signing in on a provider's pages at two nodes on one PostgreSQL: whichever of them a request reaches, and whichever
//! dies, a code is exchanged once and the person gets to the end.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::attacks::waits;
use super::walk::{ask_link, codes, go_on, until_asked};
use super::{HOUSES, address, leaves_for, point, set_up, tag};
use crate::app::http::try_send;
use crate::app::person::Person;
use crate::app::{App, Link};
use crate::parts::front::Front;
use crate::parts::identity::{House, Identity, Registered};
use crate::parts::kill::{KillPlan, When};
use crate::parts::pgproxy::PgProxy;
use crate::parts::postgres::{Schema, schema};
use crate::parts::sink::Sink;
use crate::parts::visitor::Choices;
use crate::parts::{READY, eventually, eventually_async, local};
use crate::proofs::nodes::ring;
use crate::proofs::walk::{assert_once, calls, deliveries, in_parallel, succeeded, wait};
use crate::stories::Dialect;

/// Two nodes behind a front that is aimed at the first, with a client at a stand-in.
pub struct Pair {
    pub front: Front,
    pub first: App,
    pub second: App,
    pub house: House,
    pub identity: &'static Identity,
    pub client: Registered,
    schema: Schema,
}

fn node(url: &str, front: &Front) -> App {
    let mut app = App::prepared(&[("DATABASE_URL", url)]);
    app.set("KEYS", &ring());
    app.behind(front.address());
    app
}

impl Pair {
    pub async fn start(house: House, settings: Value) -> Self {
        let schema = schema();
        let front = Front::start(local(9));
        let (mut first, mut second) = (node(&schema.url(), &front), node(&schema.url(), &front));
        let (identity, client) = set_up(&mut first, house, settings).await;
        point(&mut second, house, &client);
        front.aim(first.address());
        first.run();
        second.share_key(&first);
        second.run();
        Self { front, first, second, house, identity, client, schema }
    }

    pub async fn link(&self, more: Value) -> Link {
        let mut body = json!({ "providers": [tag(self.house)] });
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        self.second.link(body).await
    }

    /// The address of their database.
    pub fn url(&self) -> String {
        self.schema.url()
    }

    /// Where each of them is reached past the front.
    pub fn nodes(&self) -> [String; 2] {
        [&self.first, &self.second].map(|node| format!("http://{}", node.address()))
    }

    pub async fn consent(&self, url: &str) -> url::Url {
        self.identity.consent(url, address(self.house), &Choices::default()).await
    }

    /// A link's whole way; the account's id.
    pub async fn account(&self, link: &Link) -> String {
        let person = Person::new();
        let back = self.consent(&leaves_for(&person.begin(link).await)).await;
        let end = person.open(back.as_str()).await;
        assert!(succeeded(&end), "{}", end.text());
        self.second.session(&link.id).await["account_id"].as_str().expect("an account").to_owned()
    }
}

/// One whole way that the first node does not survive; gives the number of its commits, and whether it died.
fn whole_way(house: House, sink: &Sink, path: &str, plan: Option<KillPlan>) -> (u32, bool) {
    let schema = schema();
    let proxy = PgProxy::start(schema.port());
    let front = Front::start(local(9));
    let mut first = node(&schema.url_at(proxy.port()), &front);
    let mut second = node(&schema.url(), &front);
    let (identity, client) = wait(set_up(&mut first, house, json!({})));
    point(&mut second, house, &client);
    front.aim(first.address());
    first.run();
    second.share_key(&first);
    proxy.victim(first.process().id());
    proxy.arm(plan.unwrap_or(KillPlan { at: 0, when: When::After }));
    let (base, key) = (format!("http://{}", front.address()), first.key().to_owned());
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
    let way = (Dialect::Postpress, house);
    let (link, end) = wait(async {
        let link = ask_link(way, &base, &key, &sink.url(path), &mut lost).await;
        let end = go_on(&Person::new(), house, &link.url, &mut lost).await;
        (link, end)
    });
    let begun = Instant::now();
    let ended = || first.borrow_mut().process().ended().is_some();
    let settled = || {
        if ended() {
            take_over();
        }
        !calls(sink, path).is_empty() && deliveries(&second.borrow(), "done").len() == 1
    };
    // A lease of the dead is waited for, so this takes up to a minute.
    while !settled() {
        assert!(begun.elapsed() < Duration::from_secs(90), "{path}: nobody delivers");
        std::thread::sleep(Duration::from_millis(250));
    }
    // A node says every few seconds that it lives, which is a commit as well.
    while plan.is_some() && !ended() && begun.elapsed() < Duration::from_secs(90) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let died = ended();
    if died {
        take_over();
    }
    let commits = proxy.commits();
    wait(assert_once(Dialect::Postpress, &second.borrow(), &link, &end, &calls(sink, path)));
    let exchanged = wait(codes(identity, &client));
    assert!((1..=2).contains(&exchanged), "{exchanged} codes at {path}");
    (commits, died)
}

#[test]
fn killed_for_good_at_any_commit_of_a_sign_in_another_node_goes_on_and_delivers() {
    let sink = Sink::start();
    let (commits, _) = whole_way(House::Google, &sink, "/counted", None);
    assert!(commits >= 7, "a sign-in takes more than {commits} commits");
    println!("the whole way takes {commits} commits: {} kill points", 2 * commits);
    let points =
        (1..=commits).rev().flat_map(|at| [When::Before, When::After].map(|when| KillPlan { at, when }));
    let survived = std::sync::Mutex::new(Vec::new());
    in_parallel(points.collect(), 6, |plan| {
        let path = format!("/{}/{:?}", plan.at, plan.when);
        println!("killed at {path}");
        if !whole_way(House::Google, &sink, &path, Some(plan)).1 {
            survived.lock().unwrap().push(path);
        }
    });
    let survived = survived.into_inner().unwrap();
    assert!(survived.is_empty(), "these points were never reached: {survived:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_a_sign_in_may_reach_another_node() {
    for house in HOUSES {
        let pair = Pair::start(house, json!({})).await;
        let link = pair.link(json!({})).await;
        let person = Person::new();
        let welcome = person.open(&link.url).await;
        pair.front.aim(pair.second.address());
        let leaving = person.submit(&welcome, &welcome.sheet()).await;
        let back = pair.consent(&leaves_for(&leaving)).await;
        pair.front.aim(pair.first.address());
        // At the callback of one, or by way of a callback without the cookie and what lies behind it at the other.
        let way = if house == House::Google { back } else { waits(&back).await };
        if house == House::Microsoft {
            pair.front.aim(pair.second.address());
        }
        let resumed = person.send("GET", way.as_str(), &[], b"").await.unwrap();
        assert_eq!(resumed.status, 303);
        pair.front.aim(if house == House::Google { pair.second.address() } else { pair.first.address() });
        let end = person.open(way.join(resumed.header("location")).unwrap().as_str()).await;
        assert!(succeeded(&end), "{}", end.text());
        assert_eq!(codes(pair.identity, &pair.client).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_code_is_exchanged_the_other_node_asks_for_another_sign_in_after_the_hold() {
    let mut pair = Pair::start(House::Microsoft, json!({})).await;
    let link = pair.link(json!({})).await;
    let person = Person::new();
    let back = pair.consent(&leaves_for(&person.begin(&link).await)).await;
    pair.identity.fault(&pair.client, "token_hang", 4, true).await;
    let waiting = tokio::spawn({
        let (person, back) = (person.clone(), back.clone());
        async move { person.try_open(back.as_str()).await.map(|_| ()) }
    });
    until_asked(pair.identity, &pair.client, "token", 1).await;
    pair.first.kill();
    pair.front.aim(pair.second.address());
    assert!(waiting.await.unwrap().is_err());
    let here = pair.second.url(&format!("/wizard/{}", link.id));
    let held = person.open(&here).await;
    assert_eq!((held.reply.status, held.has("form")), (200, false), "it is still held: {}", held.text());
    let shown = eventually_async("the step", Duration::from_secs(15), async || {
        let shown = person.open(&here).await;
        shown.has("form").then_some(shown)
    })
    .await;
    assert!(shown.has("#notice"), "{}", shown.text());
    let again = person.submit(&shown, &shown.sheet()).await;
    let end = person.open(pair.consent(&leaves_for(&again)).await.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
    assert_eq!(codes(pair.identity, &pair.client).await, 2);
    assert_eq!(pair.second.accounts().await.len(), 1);
}

/// Opens an address at a node, following to its last page, as the browser that the front shows them all to.
async fn open_at(
    node: String,
    host: String,
    cookie: String,
    mut path: String,
) -> Result<(u16, String), String> {
    for _ in 0..6 {
        let headers = [("host", host.as_str()), ("cookie", cookie.as_str())];
        let reply = try_send("GET", &format!("{node}{path}"), &headers, b"").await?;
        if !(300..400).contains(&reply.status) {
            return Ok((reply.status, reply.text()));
        }
        let to = reply.header("location");
        path = to.strip_prefix(&format!("http://{host}")).unwrap_or(to).to_owned();
    }
    Err("too many redirects".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_at_two_nodes_at_once_make_one_account() {
    let pair = Pair::start(House::Google, json!({})).await;
    for _ in 0..5 {
        let before = codes(pair.identity, &pair.client).await;
        let link = pair.link(json!({ "name": "user_1" })).await;
        let person = Person::new();
        let url = leaves_for(&person.begin(&link).await);
        // Both tabs went to the same place, and come back with a code each.
        let (one, two) = (pair.consent(&url).await, pair.consent(&url).await);
        let (host, cookie) = (pair.front.address().to_string(), person.cookie_header());
        let mut tabs = JoinSet::new();
        for (node, back) in pair.nodes().into_iter().zip([one, two]) {
            let path = back.as_str().split_at(back.as_str().find("/providers/").unwrap()).1.to_owned();
            tabs.spawn(open_at(node, host.clone(), cookie.clone(), path));
        }
        for seen in tabs.join_all().await {
            assert_eq!(seen.expect("an answer").0, 200);
        }
        let here = pair.second.url(&format!("/wizard/{}", link.id));
        let end = eventually_async("the end", READY, async || {
            let seen = person.open(&here).await;
            succeeded(&seen).then_some(seen)
        })
        .await;
        assert!(succeeded(&end));
        assert_eq!(codes(pair.identity, &pair.client).await, before + 1, "one of two codes is exchanged");
    }
    assert_eq!(pair.second.accounts().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_returns_with_one_state_at_two_nodes_give_one_exchange_and_one_account() {
    let sink = Sink::start();
    let pair = Pair::start(House::Google, json!({})).await;
    let link = pair.link(json!({ "notify_url": sink.url("/told") })).await;
    let person = Person::new();
    let back = pair.consent(&leaves_for(&person.begin(&link).await)).await;
    let path = back.as_str().split_at(back.as_str().find("/providers/").unwrap()).1.to_owned();
    let (host, cookie) = (pair.front.address().to_string(), person.cookie_header());
    let nodes = pair.nodes();
    let mut all = JoinSet::new();
    for at in 0..100 {
        let node = nodes[at % 2].clone();
        all.spawn(open_at(node, host.clone(), cookie.clone(), path.clone()));
    }
    for seen in all.join_all().await {
        let (status, text) = seen.expect("an answer");
        assert_eq!(status, 200, "{text}");
    }
    let end = person.open(&pair.second.url(&format!("/wizard/{}", link.id))).await;
    assert!(succeeded(&end), "{}", end.text());
    assert_eq!(codes(pair.identity, &pair.client).await, 1);
    let told = sink.wait_for(1, READY).await;
    assert_once(Dialect::Postpress, &pair.second, &link, &end, &told).await;
}
