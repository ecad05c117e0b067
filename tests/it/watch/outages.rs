//! What is nobody's fault: clocks that jump, providers and name servers that are away, disks that are full, processes that
//! are killed. No account asks for its person because of it, nothing is lost, and the log says once what happened.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use url::Url;

use super::clock::Clock;
use super::{due_now, events, file, kinds, often, shown, status, until, until_looked_at, until_status};
use crate::app::App;
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::callers::imports;
use crate::oauth::Place;
use crate::parts::certs::{Ca, Leaf};
use crate::parts::dns::{Answer, Dns};
use crate::parts::dovecot::Dovecot;
use crate::parts::identity::House;
use crate::parts::scratch::Scratch;
use crate::parts::sink::{Answer as Refusal, Sink};
use crate::parts::submission::Submission;
use crate::parts::{READY, eventually, eventually_async};
use crate::proofs::walk::deliveries;
use crate::webhooks::{endpoint, revoked};

const GONE: &str = "there are no answers about accounts";
const BACK: &str = "accounts are looked at again";

fn times(app: &App, text: &str) -> usize {
    app.output().lines().filter(|line| line.contains(text)).count()
}

fn with_clock(app: &mut App, clock: &Clock) {
    let mut command = app.command(&["serve"]);
    clock.give(&mut command);
    app.run_as(command);
}

#[tokio::test]
async fn a_clock_that_jumps_a_year_ahead_and_back_breaks_no_account_and_watching_goes_on() {
    let mut place = Place::with(House::Microsoft, &often(&[]), json!({ "strict_refresh": true })).await;
    let account = place.account(&place.link(json!({})).await).await;
    place.app.stop();
    let clock = Clock::at("+0");
    with_clock(&mut place.app, &clock);
    let now = || jiff::Timestamp::now().as_second();
    let looked = |shown: &Value| {
        let at = shown["checked_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        at.as_second() - now()
    };
    const DAY: i64 = 24 * 3600;
    // What is told while the clock is wrong is told, too: at once, or where it has to be tried again, when it is right.
    let product = Sink::start();
    endpoint(&place.app, &product.url("/told"), json!({})).await;
    clock.set("+365d");
    product.answer(Refusal::status(503));
    revoked(&place.app).await;
    product.wait_for(1, READY).await;
    product.answer(Refusal::status(204));
    let ahead = until(&place.app, &account, "a look a year ahead", |shown| looked(shown) > 360 * DAY).await;
    assert_eq!((status(&ahead), &ahead["cause"]), ("OK", &Value::Null));
    clock.set("-365d");
    let back = until(&place.app, &account, "a look a year ago", |shown| looked(shown) < -360 * DAY).await;
    assert_eq!((status(&back), &back["cause"]), ("OK", &Value::Null));
    revoked(&place.app).await;
    clock.set("+0");
    revoked(&place.app).await;
    eventually("all three", Duration::from_secs(90), || {
        let told: BTreeSet<_> =
            product.calls().iter().map(|call| call.json()["data"]["session"].to_string()).collect();
        (told.len() == 3).then_some(())
    });
    assert_eq!(deliveries(&place.app, "due").len() + deliveries(&place.app, "dead").len(), 0);
    until(&place.app, &account, "a look today", |shown| looked(shown).abs() < DAY).await;
    assert_eq!(kinds(&place.app, &account).await, ["account.connected"]);
    let body = place.credentials(&account, json!({ "refresh": true })).await.json();
    assert_eq!(body["state"], "active", "{body}");
    assert_eq!(times(&place.app, "was the clock wrong?"), 1, "{}", place.app.output());
}

#[tokio::test]
async fn a_provider_that_fails_for_an_hour_breaks_nothing_and_is_said_once_to_go_and_once_to_come() {
    let settings = often(&[("CHECKS__GRANTS_SECONDS", "300"), ("LOG", "info")]);
    let mut place = Place::with(House::Google, &settings, json!({})).await;
    let mut accounts = Vec::new();
    for name in ["one", "two", "three"] {
        accounts.push(place.account(&place.link(json!({ "name": name })).await).await);
    }
    place.app.stop();
    // Two minutes a second: the hour is over in half a minute.
    let clock = Clock::at("+0 x120");
    due_now(&file(&place.app)).await;
    place.identity.fault(&place.client, "token_503", 1, false).await;
    with_clock(&mut place.app, &clock);
    let begun = Instant::now();
    eventually_async("the log", Duration::from_secs(60), async || {
        (times(&place.app, GONE) == 1).then_some(())
    })
    .await;
    let rest = Duration::from_secs(32).saturating_sub(begun.elapsed());
    tokio::time::sleep(rest).await;
    for account in &accounts {
        let troubled = shown(&place.app, account).await;
        assert_eq!((status(&troubled), &troubled["user_action"]), ("OK", &json!("wait")), "{troubled}");
    }
    let asked = place.identity.log(&place.client, "token").await.len();
    assert!(asked < 40, "{asked} questions in an hour");
    place.identity.clear_faults(&place.client).await;
    for account in &accounts {
        until(&place.app, account, "an answer", |shown| shown["cause"] == Value::Null).await;
        assert_eq!(kinds(&place.app, account).await, ["account.connected"]);
    }
    assert_eq!((times(&place.app, GONE), times(&place.app, BACK)), (1, 1), "{}", place.app.output());
    let warnings = place.app.output().lines().filter(|line| line.contains(" WARN ")).count();
    assert!(warnings <= 2, "{}", place.app.output());
}

#[tokio::test]
async fn without_a_name_server_nothing_is_said_about_accounts_and_calls_are_made_later() {
    let (ca, dns, receiver) = (Ca::new(), Dns::start(), Sink::start());
    const NAMES: [&str; 2] = ["mail.watch.test", "imap.elsewhere.test"];
    const PRODUCT: &str = "app.product.test";
    let dovecot = Dovecot::start_named(&ca, Leaf::Good, &NAMES);
    dovecot.set_password(ADDRESS, PASSWORD);
    let submission = Submission::start_named(&ca, Leaf::Good, &dovecot, &NAMES);
    let mailbox = Mailbox { submission, dovecot, ca };
    let answer_all = |with: fn() -> Answer| {
        for name in [NAMES[0], NAMES[1], PRODUCT] {
            dns.answer(name, with());
        }
    };
    answer_all(|| Answer::one([127, 0, 0, 1]));
    let app = mailbox.app(&often(&[("DNS_SERVER", &dns.address().to_string()), ("LOG", "info")]));
    let mut accounts = Vec::new();
    for host in NAMES {
        let mut body = imports::mailbox(&mailbox);
        body["name"] = json!(host);
        for server in ["imap", "smtp"] {
            body["credentials"][server]["host"] = json!(host);
        }
        accounts.push(imports::imported(&app, &body).await);
    }
    for account in &accounts {
        until_looked_at(&app, account, &shown(&app, account).await).await;
    }
    let url = Url::parse(&receiver.url("/told")).expect("an address");
    endpoint(&app, &format!("http://{PRODUCT}:{}/told", url.port().expect("a port")), json!({})).await;
    answer_all(|| Answer::Fails);
    for account in &accounts {
        let troubled = until(&app, account, "trouble", |shown| shown["cause"] == "dns_unavailable").await;
        assert_eq!((status(&troubled), &troubled["user_action"]), ("OK", &json!("wait")));
    }
    // Both hosts are left alone, which is said once.
    eventually("the log", Duration::from_secs(60), || (times(&app, GONE) == 1).then_some(()));
    let mut told = Vec::new();
    for _ in 0..2 {
        told.push(revoked(&app).await.id);
    }
    eventually("a try", Duration::from_secs(20), || {
        deliveries(&app, "due").iter().any(|delivery| delivery["tries"] != 0).then_some(())
    });
    assert!(receiver.calls().is_empty());
    answer_all(|| Answer::one([127, 0, 0, 1]));
    for account in &accounts {
        let well = until(&app, account, "an answer", |shown| shown["cause"] == Value::Null).await;
        assert_eq!(status(&well), "OK");
        assert_eq!(kinds(&app, account).await, ["account.connected"]);
    }
    let calls = receiver.wait_for(2, Duration::from_secs(60)).await;
    let mut sessions: Vec<_> = calls.iter().map(|call| call.json()["data"]["session"].clone()).collect();
    sessions.sort_by_key(Value::to_string);
    told.sort();
    assert_eq!(json!(sessions), json!(told));
    eventually("the log", Duration::from_secs(60), || (times(&app, BACK) == 1).then_some(()));
    assert_eq!((times(&app, GONE), times(&app, BACK)), (1, 1), "{}", app.output());
}

/// A file system of a few megabytes.
struct SmallDisk(Scratch);

impl SmallDisk {
    fn mount() -> Self {
        let folder = Scratch::new("disk");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m,mode=0755", "tmpfs"])
            .arg(folder.path())
            .status()
            .expect("mount runs");
        assert!(mounted.success(), "a small disk could not be mounted; the tests run as root");
        Self(folder)
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("ballast")).expect("a file");
        while std::io::Write::write_all(&mut file, &[7; 4096]).is_ok() {}
        let mut file = std::fs::OpenOptions::new().append(true).open(self.0.join("ballast")).expect("it");
        while std::io::Write::write_all(&mut file, &[7]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).expect("room again");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

/// How many warnings and errors the log has.
fn troubles(app: &App) -> usize {
    times(app, "WARN") + times(app, "ERROR")
}

#[tokio::test]
async fn a_full_disk_loses_no_grant_at_a_strict_provider() {
    let disk = SmallDisk::mount();
    let folder = disk.0.join("data").display().to_string();
    let settings = often(&[("DATA_DIR", &folder), ("LOG", "info")]);
    let mut place = Place::with(House::Microsoft, &settings, json!({ "strict_refresh": true })).await;
    let account = place.account(&place.link(json!({})).await).await;
    until_looked_at(&place.app, &account, &shown(&place.app, &account).await).await;
    // Some that are called once more every second or so, all the while.
    let receivers = Sink::start();
    receivers.answer(Refusal::status(503));
    for number in 0..5 {
        endpoint(&place.app, &receivers.url(&format!("/{number}")), json!({})).await;
    }
    let mut ended = BTreeSet::new();
    for _ in 0..5 {
        ended.insert(revoked(&place.app).await.id);
    }
    receivers.wait_for(25, READY).await;
    let before = troubles(&place.app);
    disk.fill();
    let complaint = "accounts cannot be watched over at the moment";
    eventually("a complaint", Duration::from_secs(60), || (times(&place.app, complaint) > 0).then_some(()));
    let others =
        ["deliveries cannot be made at the moment", "this node cannot say at the moment that it lives"];
    for other in others {
        eventually(other, Duration::from_secs(60), || (times(&place.app, other) > 0).then_some(()));
    }
    tokio::time::sleep(Duration::from_secs(8)).await;
    for said in [complaint].into_iter().chain(others) {
        assert_eq!(times(&place.app, said), 1, "{}", place.app.output());
    }
    let lines = troubles(&place.app) - before;
    assert!(lines <= 10, "{lines} lines: {}", place.app.output());
    disk.free();
    receivers.answer(Refusal::status(204));
    // Every receiver hears of every one of them in the end, whatever became of a try while nothing could be written.
    eventually("every call", Duration::from_secs(120), || {
        (deliveries(&place.app, "done").len() >= 25 && deliveries(&place.app, "due").is_empty()).then_some(())
    });
    let heard: BTreeSet<_> = receivers
        .calls()
        .iter()
        .map(|call| {
            (call.path.clone(), call.json()["data"]["session"].as_str().unwrap_or_default().to_owned())
        })
        .collect();
    for (number, id) in (0..5).flat_map(|number| ended.iter().map(move |id| (number, id))) {
        assert!(heard.contains(&(format!("/{number}"), id.clone())), "{id} at {number}");
    }
    assert!(deliveries(&place.app, "dead").is_empty());
    let before = shown(&place.app, &account).await;
    until_looked_at(&place.app, &account, &before).await;
    let body = place.credentials(&account, json!({ "refresh": true })).await.json();
    assert_eq!(body["state"], "active", "{body}");
    assert_eq!(kinds(&place.app, &account).await, ["account.connected"]);
    place.app.stop();
}

/// Starts and kills a server in a loop while its accounts are due all the time.
fn killed_in_a_loop(app: &mut App, dice: &mut u64, rounds: u64) {
    app.kill();
    for _ in 0..rounds {
        let command = app.command(&["serve"]);
        app.run_mortal(command);
        // Some die before the first look, some in the middle of one, some between two.
        *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((*dice >> 33) % 120));
        app.kill();
    }
    app.run();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_killed_two_hundred_times_loses_nothing_and_tells_once_what_broke() {
    let (mailbox, product, mut dice) = (Mailbox::start(), Sink::start(), 7);
    let settings = [
        ("CHECKS__GRANTS_SECONDS", "1"),
        ("CHECKS__PASSWORDS_SECONDS", "1"),
        ("CHECKS__BROKEN_SECONDS", "600"),
        ("LOG", "warn"),
    ];
    let mut app = mailbox.prepared(&settings);
    let (identity, client) = crate::oauth::set_up(&mut app, House::Google, json!({})).await;
    // Both authorities, since both are asked.
    let own = std::fs::read_to_string(mailbox.ca.file()).expect("a file");
    let theirs = std::fs::read_to_string(identity.ca_file()).expect("a file");
    let both = Scratch::new("authorities");
    app.set("EXTRA_CA_FILE", &both.write("both.pem", format!("{own}\n{theirs}")).display().to_string());
    app.run();
    let mut place = Place { app, house: House::Google, identity, client };
    endpoint(&place.app, &product.url("/told"), json!({})).await;
    let mut accounts = Vec::new();
    for name in ["one", "two", "three", "four"] {
        accounts.push(place.account(&place.link(json!({ "name": name })).await).await);
    }
    let body = imports::mailbox(&mailbox);
    let mail = imports::imported(&place.app, &body).await;
    let before = place.identity.log(&place.client, "token").await.len();
    tokio::task::block_in_place(|| {
        killed_in_a_loop(&mut place.app, &mut dice, 100);
        mailbox.dovecot.set_password(ADDRESS, "another one");
        killed_in_a_loop(&mut place.app, &mut dice, 100);
    });
    let asked = place.identity.log(&place.client, "token").await.len() - before;
    println!("{asked} questions over 200 kills");
    assert!(asked > 20, "{asked} questions");
    for account in &accounts {
        until_looked_at(&place.app, account, &shown(&place.app, account).await).await;
        assert_eq!(status(&shown(&place.app, account).await), "OK");
        assert_eq!(kinds(&place.app, account).await, ["account.connected"]);
    }
    until_status(&place.app, &mail, "CREDENTIALS").await;
    assert_eq!(kinds(&place.app, &mail).await, ["account.connected", "account.broken"]);
    // The product hears of all of it, in order, and of nothing twice under another id.
    eventually("everything is told", READY, || deliveries(&place.app, "due").is_empty().then_some(()));
    let mut heard: Vec<(String, String, String)> = Vec::new();
    for call in product.calls() {
        let (id, body) = (call.header("webhook-id").to_owned(), call.json());
        let kind = body["type"].as_str().unwrap_or_default().to_owned();
        if kind.starts_with("account.") && !heard.iter().any(|(known, ..)| *known == id) {
            heard.push((id, kind, body["data"]["accountId"].as_str().unwrap_or_default().to_owned()));
        }
    }
    let of = |account: &String| -> Vec<_> {
        heard.iter().filter(|(.., about)| about == account).map(|(_, kind, _)| kind.as_str()).collect()
    };
    for account in &accounts {
        assert_eq!(of(account), ["account.connected"]);
    }
    assert_eq!(of(&mail), ["account.connected", "account.broken"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_a_kill_cuts_off_at_a_strict_provider_says_so_and_a_reconnect_mends_it() {
    let settings = [("CHECKS__GRANTS_SECONDS", "1"), ("CHECKS__BROKEN_SECONDS", "600"), ("LOG", "warn")];
    let client = json!({ "strict_refresh": true });
    let mut place = Place::with(House::Microsoft, &settings, client).await;
    let account = place.account(&place.link(json!({})).await).await;
    place.identity.fault(&place.client, "token_hang", 1, true).await;
    let before = place.identity.log(&place.client, "token").await.len();
    crate::oauth::walk::until_asked(place.identity, &place.client, "token", before + 1).await;
    place.app.kill();
    crate::oauth::walk::until_answered(place.identity, &place.client, "token").await;
    place.app.run();
    let broken = until_status(&place.app, &account, "CREDENTIALS").await;
    assert_eq!(
        (&broken["cause"], &broken["user_action"]),
        (&json!("refresh_interrupted"), &json!("reconnect"))
    );
    let repair = place.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
    assert_eq!(place.account(&repair).await, account);
    until_looked_at(&place.app, &account, &shown(&place.app, &account).await).await;
    let told: Vec<_> = events(&file(&place.app), &account).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(told, ["account.connected", "account.broken", "account.reconnected"]);
}
