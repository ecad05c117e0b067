//! The longer ways to an account, with a server that is killed before each request of it: an administrator who has to
//! approve, a permission that was left out, a way out of an app's own browser, a reconnect that begins with somebody else.
//! Nobody has to do anything twice that was done, one account comes of it, and its backend is told once.

use serde_json::json;

use super::kills::Unlucky;
use super::walk::{ask_link, codes};
use super::{ADA, HOUSES, IN_AN_APP, Place, address};
use crate::app::Link;
use crate::app::person::{Person, Seen};
use crate::parts::identity::House;
use crate::parts::sink::Sink;
use crate::parts::visitor::{Choices, Walk};
use crate::parts::{READY, eventually_async};
use crate::proofs::walk::{arrived, assert_once};
use crate::stories::Dialect;

const BOTH: [Dialect; 2] = [Dialect::Postpress, Dialect::Riposte];

/// A person on their way to a house, at a server without luck.
struct Way {
    dialect: Dialect,
    place: Place,
    sink: Sink,
    link: Link,
    person: Person,
    /// What they type where they are asked for their address.
    who: &'static str,
}

impl Way {
    async fn start(dialect: Dialect, house: House, who: &'static str) -> Self {
        let (sink, place) = (Sink::start(), Place::start(house).await);
        let url = place.app.url("");
        let link = ask_link((dialect, house), &url, place.app.key(), &sink.url("/told"), &mut || ()).await;
        Self { dialect, place, sink, link, person: Person::new(), who }
    }

    /// Opens an address in somebody's browser, at a server that has just died.
    async fn open(&mut self, person: &Person, url: &str) -> Seen {
        let mut browser = Unlucky { person: person.clone(), app: &mut self.place.app };
        browser.open(url).await
    }

    /// Presses the main button of a page there.
    async fn press(&mut self, person: &Person, page: &Seen) -> Seen {
        let mut sheet = page.sheet();
        if page.has("input[name=\"email\"]") {
            sheet = sheet.raw("email", self.who);
        }
        let mut browser = Unlucky { person: person.clone(), app: &mut self.place.app };
        browser.submit(page, &sheet).await
    }

    /// From the link to the page that sends the person away.
    async fn leave(&mut self) -> Seen {
        let (person, url) = (self.person.clone(), self.link.url.clone());
        let welcome = self.open(&person, &url).await;
        self.press(&person, &welcome).await
    }

    /// What somebody brings back from the provider's pages, seen here.
    async fn back(&mut self, person: &Person, leaving: &Seen, who: &str, choices: &Choices<'_>) -> Seen {
        let back = self.place.consent_with(leaving, who, choices).await;
        self.open(person, back.as_str()).await
    }

    /// What must be true at the end: everything once, with so many codes.
    async fn ended(&mut self, end: &Seen, brought: usize) {
        assert!(arrived(end), "{}", end.text());
        let told = self.sink.wait_for(1, READY).await;
        assert_once(self.dialect, &self.place.app, &self.link, end, &told).await;
        assert_eq!(codes(self.place.identity, &self.place.client).await, brought);
    }
}

#[tokio::test]
async fn an_approval_outlives_a_server_that_dies_before_each_request_of_it() {
    for dialect in BOTH {
        let user = "carol@needs-approval.example";
        let mut way = Way::start(dialect, House::Microsoft, user).await;
        let person = way.person.clone();
        let leaving = way.leave().await;
        let waiting = way.back(&person, &leaving, user, &Choices::default()).await;
        let url = waiting.attribute("#pass-on", "value").unwrap_or_else(|| panic!("{}", waiting.text()));
        // Whatever the person loads meanwhile, the request that they passed on stays good.
        let reloaded = way.open(&person, &waiting.url).await;
        assert_eq!(reloaded.attribute("#pass-on", "value").as_deref(), Some(&*url));
        let mut admin = way.place.identity.visitor();
        let walk = admin.walk(&url, "admin@needs-approval.example", &Choices::default()).await;
        let Walk::Back(back) = walk else { panic!("{url}: {walk:?}") };
        let thanks = way.open(&Person::new(), back.as_str()).await;
        assert!(thanks.text().contains("approved"), "{}", thanks.text());
        let approved = way.open(&person, &waiting.url).await;
        assert!(!approved.has("#pass-on"), "{}", approved.text());
        let again = way.press(&person, &approved).await;
        let end = way.back(&person, &again, user, &Choices::default()).await;
        way.ended(&end, 1).await;
    }
}

#[tokio::test]
async fn what_was_granted_in_part_is_given_back_by_a_server_that_dies_before_each_request() {
    for dialect in BOTH {
        let mut way = Way::start(dialect, House::Google, ADA).await;
        let person = way.person.clone();
        let leaving = way.leave().await;
        let choices = Choices { untick: vec!["https://mail.google.com/"], ..Choices::default() };
        let missing = way.back(&person, &leaving, ADA, &choices).await;
        assert!(missing.has("#notice"), "{}", missing.text());
        let again = way.press(&person, &missing).await;
        // The first grant is ended before there is another one, which it would take along.
        let ended = async |way: &Way| way.place.identity.log(&way.place.client, "revoke").await.len();
        eventually_async("the part is given back", READY, async || (ended(&way).await == 1).then_some(()))
            .await;
        let end = way.back(&person, &again, ADA, &Choices::default()).await;
        way.ended(&end, 2).await;
        assert_eq!(ended(&way).await, 1, "once");
    }
}

#[tokio::test]
async fn a_way_out_of_another_app_outlives_a_server_that_dies_before_each_request_of_it() {
    for dialect in BOTH {
        let mut way = Way::start(dialect, House::Google, ADA).await;
        let person = way.person.clone();
        // Inside the app, which is turned away.
        let leaving = way.leave().await;
        let here = leaving.url.trim_end_matches("/leave").to_owned();
        let mut url = here.clone();
        let inside = loop {
            way.place.app.kill();
            way.place.app.run();
            let reply = person.send("GET", &url, &[("user-agent", IN_AN_APP)], b"").await.expect("an answer");
            if reply.status != 303 {
                break Seen { url, reply };
            }
            url = way.place.app.url(reply.header("location"));
        };
        let handover = inside.attribute("#pass-on", "value").unwrap_or_else(|| panic!("{}", inside.text()));
        // In the real browser: a second look at it costs nothing, and pressing its button takes the session over.
        let real = Person::new();
        for _ in 0..2 {
            let welcome = way.open(&real, &handover).await;
            assert_eq!(welcome.reply.status, 200, "{}", welcome.text());
        }
        let welcome = way.open(&real, &handover).await;
        let leaving = way.press(&real, &welcome).await;
        assert_eq!(way.open(&Person::new(), &handover).await.reply.status, 404);
        assert_eq!(way.open(&person, &here).await.reply.status, 409, "it goes on elsewhere");
        let end = way.back(&real, &leaving, ADA, &Choices::default()).await;
        way.ended(&end, 1).await;
    }
}

#[tokio::test]
async fn a_reconnect_outlives_a_server_that_dies_before_each_request_of_it() {
    for house in HOUSES {
        let place = Place::start(house).await;
        let account = place.account(&place.link(json!({ "name": "user_1" })).await).await;
        place.identity.withdraw(&place.client, address(house)).await;
        let broken = place.credentials(&account, json!({ "refresh": true })).await.json();
        assert_eq!(broken["state"], "needs_reconnect", "{broken}");
        let sink = Sink::start();
        let asked = json!({
            "type": "reconnect", "reconnect_account": account, "name": "user_1", "notify_url": sink.url("/told"),
        });
        let link = place.link(asked).await;
        let before = codes(place.identity, &place.client).await;
        let who = address(house);
        let mut way = Way { dialect: Dialect::Postpress, place, sink, link, person: Person::new(), who };
        let person = way.person.clone();
        let leaving = way.leave().await;
        let other = if house == House::Google { "eve@gmail.com" } else { "eve@work.example" };
        let named = way.back(&person, &leaving, other, &Choices::default()).await;
        assert!(named.text().contains(other), "{}", named.text());
        let again = way.press(&person, &named).await;
        let end = way.back(&person, &again, who, &Choices::default()).await;
        assert!(arrived(&end), "{}", end.text());
        let accounts = way.place.app.accounts().await;
        assert_eq!((accounts.len(), &accounts[0]["id"]), (1, &json!(account)));
        assert_eq!(accounts[0]["sources"][0]["status"], "OK", "{}", accounts[0]);
        let told = way.sink.wait_for(1, READY).await;
        for call in &told {
            let body = call.json();
            assert_eq!((&body["status"], &body["account_id"]), (&json!("RECONNECTED"), &json!(account)));
            assert_eq!(call.header("webhook-id"), told[0].header("webhook-id"));
        }
        assert_eq!(codes(way.place.identity, &way.place.client).await, before + 2);
        let healed = way.place.credentials(&account, json!({ "refresh": true })).await.json();
        assert_eq!(healed["state"], "active", "{healed}");
    }
}
