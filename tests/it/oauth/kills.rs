//! Kills on SQLite in the middle of a sign-in on a provider's pages: at every sync, between any two requests, and while
//! the code is being exchanged. The same person and the same backend just go on, and no code is brought twice.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use serde_json::json;
use url::Url;

use super::attacks::waits;
use super::walk::{ask_link, codes, go_on, until_answered, until_asked};
use super::{HOUSES, Place, address, leaves_for, set_up};
use crate::app::App;
use crate::app::http::Reply;
use crate::app::person::{Person, Seen, Sheet};
use crate::parts::identity::{House, Identity};
use crate::parts::kill::KillPlan;
use crate::parts::sink::Sink;
use crate::parts::visitor::Choices;
use crate::parts::{READY, eventually};
use crate::proofs::walk::{arrived, assert_once, calls, deliveries, killed_at_every_sync, succeeded, wait};
use crate::stories::Dialect;

/// One whole way with a server that may die; gives the number of syncs that its first life began.
fn whole_way(way: (Dialect, House), sink: &Sink, path: &str, plan: Option<KillPlan>) -> u32 {
    let (dialect, house) = way;
    let mut app = App::prepared(&[]);
    let (identity, client) = wait(set_up(&mut app, house, json!({})));
    app.run();
    assert!(app.stop());
    let syncs = app.run_until_killed(plan);
    let (base, key) = (app.url(""), app.key().to_owned());
    let app = RefCell::new(app);
    let mut deaths = 0;
    let mut lost = || {
        app.borrow_mut().run_after_the_kill();
        deaths += 1;
    };
    let (link, end) = wait(async {
        let link = ask_link(way, &base, &key, &sink.url(path), &mut lost).await;
        let end = go_on(&Person::new(), house, &link.url, &mut lost).await;
        (link, end)
    });
    eventually("the delivery", READY, || {
        deaths += u32::from(app.borrow_mut().revive());
        (!calls(sink, path).is_empty() && deliveries(&app.borrow(), "done").len() == 1).then_some(())
    });
    if plan.is_some() && deaths == 0 {
        app.borrow_mut().outlive_the_kill();
    }
    wait(assert_once(dialect, &app.borrow(), &link, &end, &calls(sink, path)));
    let exchanged = wait(codes(identity, &client));
    assert!((1..=2).contains(&exchanged), "{exchanged} codes at {path}");
    syncs.count()
}

/// The whole way, killed at every sync on both of its sides.
fn killed_at_any_sync(way: (Dialect, House)) {
    killed_at_every_sync(&format!("{way:?}"), 7, |sink, path, plan| whole_way(way, sink, path, plan));
}

#[test]
fn killed_at_any_sync_of_a_sign_in_the_same_person_and_backend_just_go_on() {
    for house in HOUSES {
        killed_at_any_sync((Dialect::Postpress, house));
    }
}

#[test]
fn killed_at_any_sync_of_a_sign_in_riposte_s_person_gets_home_and_its_backend_is_told() {
    for house in HOUSES {
        killed_at_any_sync((Dialect::Riposte, house));
    }
}

/// A browser at a server that is killed before each of its requests.
pub struct Unlucky<'a> {
    pub person: Person,
    pub app: &'a mut App,
}

impl Unlucky<'_> {
    fn again(&mut self) {
        self.app.kill();
        self.app.run();
    }

    pub async fn open(&mut self, url: &str) -> Seen {
        self.again();
        let reply = self.person.send("GET", url, &[], b"").await.unwrap();
        self.follow(url, reply).await
    }

    pub async fn submit(&mut self, from: &Seen, sheet: &Sheet) -> Seen {
        self.again();
        let url = Url::parse(&from.url).unwrap().join(&sheet.action).unwrap().to_string();
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&sheet.fields).finish();
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        let reply = self.person.send("POST", &url, &headers, body.as_bytes()).await.unwrap();
        self.follow(&url, reply).await
    }

    async fn follow(&mut self, url: &str, mut reply: Reply) -> Seen {
        let mut url = Url::parse(url).unwrap();
        while (300..400).contains(&reply.status) {
            self.again();
            url = url.join(reply.header("location")).unwrap();
            reply = self.person.send("GET", url.as_str(), &[], b"").await.unwrap();
        }
        Seen { url: url.to_string(), reply }
    }
}

async fn killed_between_requests(way: (Dialect, House)) {
    let (dialect, house) = way;
    let sink = Sink::start();
    let Place { mut app, identity, client, .. } = Place::start(house).await;
    let link = ask_link(way, &app.url(""), app.key(), &sink.url("/told"), &mut || ()).await;
    let mut browser = Unlucky { person: Person::new(), app: &mut app };
    let welcome = browser.open(&link.url).await;
    let mut sheet = welcome.sheet();
    if dialect == Dialect::Riposte {
        sheet = sheet.raw("email", address(house));
    }
    let leaving = browser.submit(&welcome, &sheet).await;
    // A reload leads to the same place.
    let reloaded = browser.open(&leaving.url).await;
    assert_eq!(leaves_for(&reloaded), leaves_for(&leaving));
    let back = identity.consent(&leaves_for(&leaving), address(house), &Choices::default()).await;
    let end = browser.open(back.as_str()).await;
    assert!(arrived(&end), "{}", end.text());
    let again = browser.open(&link.url).await;
    assert!(arrived(&again), "{}", again.text());
    let told = sink.wait_for(1, READY).await;
    assert_once(dialect, browser.app, &link, &again, &told).await;
    assert_eq!(codes(identity, &client).await, 1, "no kill between requests costs a second sign-in");
}

#[tokio::test]
async fn killed_between_any_two_requests_of_a_sign_in_nothing_has_to_be_done_twice() {
    for house in HOUSES {
        killed_between_requests((Dialect::Postpress, house)).await;
    }
}

#[tokio::test]
async fn killed_between_any_two_requests_of_a_sign_in_riposte_s_person_does_nothing_twice() {
    for house in HOUSES {
        killed_between_requests((Dialect::Riposte, house)).await;
    }
}

#[tokio::test]
async fn killed_while_a_code_is_exchanged_the_person_signs_in_again_at_once_with_another_one() {
    for house in HOUSES {
        let sink = Sink::start();
        let mut place = Place::start(house).await;
        let link = place.link(json!({ "notify_url": sink.url("/told") })).await;
        let person = Person::new();
        let leaving = person.begin(&link).await;
        let back = place.consent(&leaving).await;
        // At the callback, and at the session that it leads a browser to without its cookie.
        let resume = if house == House::Google { back.clone() } else { waits(&back).await };
        assert!(
            resume == back || resume.query().is_some_and(|query| query.starts_with("handle=")),
            "{resume}"
        );
        place.identity.fault(&place.client, "token_hang", 2, true).await;
        let waiting = tokio::spawn({
            let (person, resume) = (person.clone(), resume.clone());
            async move { person.try_open(resume.as_str()).await.map(|_| ()) }
        });
        until_asked(place.identity, &place.client, "token", 1).await;
        place.app.kill();
        assert!(waiting.await.unwrap().is_err());
        place.app.run();
        let began = Instant::now();
        // Whatever the browser loads again, it is told what to do and sent nowhere by itself.
        let here = place.app.url(&format!("/wizard/{}", link.id));
        for url in [resume.to_string(), back.to_string(), format!("{here}/leave"), here] {
            let shown = person.open(&url).await;
            assert_eq!(shown.reply.status, 200, "{url}: {}", shown.text());
            assert!(shown.has("#notice") && shown.has("button[value=submit]"), "{url}: {}", shown.text());
            assert!(shown.reply.header("refresh").is_empty(), "{url} sends them away");
        }
        let shown = person.open(resume.as_str()).await;
        let again = person.submit(&shown, &shown.sheet()).await;
        for fresh in ["state", "nonce", "code_challenge"] {
            let of = |page| super::parameter(&leaves_for(page), fresh);
            assert_ne!(of(&leaving), of(&again), "{fresh}");
        }
        let end = person.open(place.consent(&again).await.as_str()).await;
        assert!(succeeded(&end), "{}", end.text());
        assert!(began.elapsed() < Duration::from_secs(8), "at once, not after {:?}", began.elapsed());
        until_answered(place.identity, &place.client, "token").await;
        assert_eq!(codes(place.identity, &place.client).await, 2);
        let told = sink.wait_for(1, READY).await;
        assert_once(Dialect::Postpress, &place.app, &link, &end, &told).await;
    }
}

#[tokio::test]
async fn a_return_that_waits_is_taken_by_the_next_life_of_the_server() {
    let mut place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    let back = place.consent(&person.begin(&link).await).await;
    let resume = waits(&back).await;
    place.app.kill();
    assert_eq!(
        codes(Identity::shared(House::Google), &place.client).await,
        0,
        "the callback exchanges nothing"
    );
    place.app.run();
    let end = person.open(resume.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
}
