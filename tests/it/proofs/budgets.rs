//! How much a person may have us try: connections in a session, counted through kills, and tries of one name over all
//! sessions. Whatever is used up ends on a page that says so and knows a way on.

use std::net::Ipv4Addr;

use serde_json::json;

use super::walk::succeeded;
use crate::app::App;
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::person::{Person, Seen};
use crate::parts::dnsmasq::Dnsmasq;
use crate::parts::front::Front;
use crate::parts::{READY, eventually, free_port, local, own_addresses};

/// As many as one session may make.
const MOST: usize = 30;
/// As many as are set aside for one answer.
const SET_ASIDE: usize = 20;

/// A domain whose usual names lead to somebody who counts connections and hangs up.
struct Dead {
    fronts: Vec<Front>,
    _dns: Dnsmasq,
    app: App,
}

impl Dead {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(settings: &[(&str, &str)]) -> Self {
        let [address]: [Ipv4Addr; 1] = own_addresses();
        let nobody = local(free_port());
        let fronts = [143, 993, 465, 587].map(|port| Front::at((address, port).into(), nobody));
        let records = ["imap", "smtp", "mail"].map(|name| format!("host-record={name}.wreck.net,{address}"));
        let dns = Dnsmasq::start(&records);
        let names = dns.address().to_string();
        let own = [("DNS_SERVER", names.as_str()), ("PROVIDERS__IMAP__SETTINGS_DATABASE", "")];
        let app = App::with(&[&own, settings].concat());
        Self { fronts: fronts.into(), _dns: dns, app }
    }

    fn connects(&self) -> usize {
        self.fronts.iter().map(Front::taken).sum()
    }

    /// Answers the step `address`, which looks for servers, and goes back to it.
    async fn search(&self, person: &Person, address: &Seen) -> Seen {
        let servers = person.submit(address, &address.sheet().with("email", "ada@wreck.net")).await;
        assert_eq!(servers.step(), "servers", "{}", servers.text());
        let back = person.submit(&servers, &servers.sheet().pressing("alternative:address")).await;
        assert_eq!(back.step(), "address", "{}", back.text());
        back
    }

    /// From the step `address` to what is said of one more password.
    async fn try_password(&self, person: &Person, address: &Seen) -> Seen {
        let servers = person.submit(address, &address.sheet().with("email", "ada@wreck.net")).await;
        let password = person.submit(&servers, &servers.sheet()).await;
        assert_eq!(password.step(), "password", "{}", password.text());
        person.submit(&password, &password.sheet().with("password", PASSWORD)).await
    }
}

fn spent(end: &Seen) {
    assert_eq!((end.reply.status, end.has("form")), (410, false), "{}", end.text());
    assert!(end.text().contains("Too many connections"), "{}", end.text());
    assert_eq!(
        end.attribute("a.button", "href").as_deref(),
        Some("https://app.example.com/failed?error=too_many_connects")
    );
}

#[tokio::test]
async fn a_session_connects_thirty_times_and_then_says_that_it_is_enough() {
    let dead = Dead::start();
    let link = dead.app.link(json!({ "failure_redirect_url": "https://app.example.com/failed" })).await;
    let person = Person::new();
    let mut address = person.begin(&link).await;
    for _ in 0..8 {
        address = dead.search(&person, &address).await;
    }
    assert_eq!(dead.connects(), MOST);
    spent(&dead.try_password(&person, &address).await);
    assert_eq!(dead.connects(), MOST);
    let session = dead.app.session(&link.id).await;
    assert_eq!((&session["status"], &session["cause"]), (&json!("FAILED"), &json!("too_many_connects")));
    // Another session has its own.
    let person = Person::new();
    let address = person.begin(&dead.app.link(json!({})).await).await;
    dead.search(&person, &address).await;
    assert!(dead.connects() > MOST);
}

#[tokio::test]
async fn connections_of_a_killed_server_are_counted_however_far_it_came() {
    let mut dead = Dead::start();
    let link = dead.app.link(json!({ "failure_redirect_url": "https://app.example.com/failed" })).await;
    let person = Person::new();
    let address = person.begin(&link).await;
    dead.fronts.iter().for_each(Front::hold);
    let sheet = address.sheet().with("email", "ada@wreck.net");
    let asked = {
        let (person, address) = (person.clone(), address.clone());
        tokio::spawn(async move { person.try_submit(&address, &sheet).await })
    };
    eventually_connected(&dead).await;
    dead.app.kill();
    drop(asked.await);
    let before = dead.connects();
    dead.fronts.iter().for_each(Front::release);
    dead.app.run();
    let mut address = person.open(&address.url).await;
    for _ in 0..6 {
        address = dead.search(&person, &address).await;
    }
    // What was set aside for the answer that was killed is gone, whether it was used or not.
    assert_eq!(dead.connects() - before, MOST - SET_ASIDE);
    spent(&dead.try_password(&person, &address).await);
}

async fn eventually_connected(dead: &Dead) {
    let what = "a held connection";
    crate::parts::eventually_async(what, READY, async || (dead.connects() > 0).then_some(())).await;
}

#[tokio::test]
async fn one_host_is_connected_to_so_often_in_a_minute_over_all_sessions() {
    let dead = Dead::start_with(&[("HOST_CONNECTS_PER_MINUTE", "1")]);
    let mut last = None;
    for _ in 0..2 {
        let person = Person::new();
        let address = person.begin(&dead.app.link(json!({})).await).await;
        let address = dead.search(&person, &address).await;
        assert_eq!(dead.connects(), 3, "once to each of the usual names, whoever asks");
        last = Some((person, address));
    }
    let (person, address) = last.expect("two sessions");
    let held = dead.try_password(&person, &address).await;
    assert!(held.text().contains("too often in a short time"), "{}", held.text());
    assert_eq!((held.step(), dead.connects()), ("password", 3));
}

#[tokio::test]
async fn one_name_is_tried_so_often_in_an_hour_over_all_sessions() {
    let mailbox = Mailbox::start();
    mailbox.dovecot.set_password("bob@example.test", PASSWORD);
    let app = mailbox.app(&[("LOGIN_TRIES_PER_HOUR", "3")]);
    let mut last = None;
    for number in 1..=2 {
        let person = Person::new();
        let mut seen = person.until_password(&mailbox, &app.link(json!({})).await).await;
        for _ in 0..2 {
            let tried = format!("wrong {number}");
            seen = person.submit(&seen, &seen.sheet().with("password", &tried)).await;
            assert_eq!((seen.reply.status, seen.step()), (200, "password"), "{}", seen.text());
        }
        last = Some((person, seen));
    }
    let (person, seen) = last.expect("two sessions");
    assert!(seen.text().contains("too often in a short time"), "{}", seen.text());
    let seen = person.submit(&seen, &seen.sheet().with("password", PASSWORD)).await;
    assert!(seen.text().contains("wait about fifteen minutes"), "{}", seen.text());
    eventually("three refusals", READY, || (mailbox.dovecot.refusals(ADDRESS) == 3).then_some(()));
    assert_eq!(mailbox.dovecot.logins(ADDRESS), 0);

    // Somebody else at the same server has a budget of their own: one try for reading, one for sending.
    let person = Person::new();
    let begun = person.begin(&app.link(json!({})).await).await;
    let servers = person.submit(&begun, &begun.sheet().with("email", "bob@example.test")).await;
    let mut sheet = servers.sheet();
    for (name, value) in mailbox.servers() {
        sheet = sheet.with(name, if name == "login" { "bob@example.test" } else { &value });
    }
    let password = person.submit(&servers, &sheet).await;
    let end = person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
    assert!(succeeded(&end), "{}", end.text());
}
