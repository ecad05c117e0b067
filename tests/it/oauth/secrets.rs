//! Nothing that a sign-in brings along is in a log at its most talkative, nor in the database in clear.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::attacks::waits;
use super::walk::asked_for;
use super::{HOUSES, Place, address, leaves_for, parameter};
use crate::app::person::Person;
use crate::parts::READY;
use crate::parts::identity::House;
use crate::parts::sink::Sink;
use crate::parts::visitor::{Choices, Walk};
use crate::proofs::walk::succeeded;

/// What must stay out of sight, by what it is.
#[derive(Default)]
struct Secrets(BTreeSet<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, what: &'static str, value: &str) {
        assert!(value.len() >= 8, "too short to be looked for: {what} {value}");
        self.0.insert((what, value.to_owned()));
        // Also as an address spells it.
        let spelt: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        self.0.insert((what, spelt));
    }

    fn of(&mut self, url: &str, names: &[&'static str]) {
        for name in names {
            if let Some(value) = parameter(url, name) {
                self.add(name, &value);
            }
        }
    }
}

#[tokio::test]
async fn nothing_secret_of_a_sign_in_is_in_the_log_or_in_the_database() {
    for house in HOUSES {
        let (sink, mut secrets) = (Sink::start(), Secrets::default());
        let place = Place::with(house, &[("LOG", "trace")], json!({})).await;
        secrets.add("client secret", &place.client.secret);
        secrets.add("address", address(house));
        let more = json!({ "notify_url": sink.url("/told"), "name": "user_token_4711" });
        let link = place.link(more).await;
        let person = Person::new();
        let leaving = person.begin(&link).await;
        secrets.of(&leaves_for(&leaving), &["state", "nonce"]);

        // Into another browser and on from there.
        if house == House::Google {
            let here = place.app.url(&format!("/wizard/{}", link.id));
            let agent = super::IN_AN_APP;
            let reply = person.send("GET", &here, &[("user-agent", agent)], b"").await.unwrap();
            let handover = place.app.url(reply.header("location"));
            assert!(handover.contains("/handover/"), "a way out: {handover}");
            secrets.add("handover", handover.rsplit('/').next().unwrap());
            assert_eq!(Person::new().open(&handover).await.reply.status, 200);
        }

        // Somebody says no, with words of the provider's.
        let no = Choices { deny: true, ..Choices::default() };
        let denied = place.consent_with(&leaving, address(house), &no).await;
        secrets.of(denied.as_str(), &["state"]);
        let page = person.open(denied.as_str()).await;
        let leaving = person.submit(&page, &page.sheet()).await;
        secrets.of(&leaves_for(&leaving), &["state", "nonce"]);

        // Agrees, by way of a callback that goes astray first.
        let back = place.consent(&leaving).await;
        secrets.of(back.as_str(), &["state", "code", "session_state"]);
        let query = back.query().unwrap();
        for path in
            ["/Callback", "/providers/nobody/callback", "/wizard/return", "/providers//google/callback/x"]
        {
            person.open(&place.app.url(&format!("{path}?{query}"))).await;
        }
        person.open(&format!("{back}&state=twice-and-refused")).await;
        let resume = waits(&back).await;
        secrets.of(resume.as_str(), &["handle"]);
        // In another browser first, where it is worth nothing.
        assert_eq!(Person::new().open(resume.as_str()).await.reply.status, 403);
        // A copy of the database with the return in it.
        let waiting = database(&place);
        let end = person.open(resume.as_str()).await;
        assert!(succeeded(&end), "{}", end.text());
        sink.wait_for(1, READY).await;

        // Renewed, once badly.
        let account = place.app.accounts().await[0]["id"].as_str().unwrap().to_owned();
        place.identity.fault(&place.client, "token_400", "invalid_request", true).await;
        place.credentials(&account, json!({ "refresh": true })).await;
        let given = place.credentials(&account, json!({})).await.json();
        secrets.add("access token", given["credentials"]["access_token"].as_str().unwrap());
        let given = place.credentials(&account, json!({ "refresh": true })).await.json();
        assert_eq!(given["state"], "active", "{given}");
        secrets.add("access token", given["credentials"]["access_token"].as_str().unwrap());
        let word = |value: &Value| value.as_str().expect("a word").to_owned();
        for asked in asked_for(place.identity, &place.client, "refresh_token").await {
            secrets.add("refresh token", &word(&asked.params["refresh_token"]));
        }
        for asked in asked_for(place.identity, &place.client, "authorization_code").await {
            secrets.add("verifier", &word(&asked.params["code_verifier"]));
            secrets.add("code", &word(&asked.params["code"]));
        }
        for pair in person.cookie_header().split("; ") {
            let value = pair.split_once('=').unwrap().1;
            if value.len() >= 40 {
                secrets.add("cookie", value);
            }
        }
        if house == House::Microsoft {
            approval(&place, &mut secrets).await;
        }
        assert!(secrets.0.len() >= 15, "only {} were found", secrets.0.len());

        let log = place.app.output();
        assert!(log.contains("DEBUG") && log.contains("a return was refused"), "the log is on");
        for (what, secret) in &secrets.0 {
            let line = || log.lines().find(|line| line.contains(secret)).unwrap_or_default();
            assert!(!log.contains(secret.as_str()), "{what} in the log: {secret}: {}", line());
            for bytes in [&waiting, &database(&place)] {
                let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
                assert!(!found, "{what} in the database in clear: {secret}");
            }
        }
    }
}

/// Somebody whose administrator has to approve, and the administrator.
async fn approval(place: &Place, secrets: &mut Secrets) {
    let person = Person::new();
    let leaving = person.begin(&place.link(json!({})).await).await;
    let back = place.consent_with(&leaving, "carol@needs-approval.example", &Choices::default()).await;
    let waiting = person.open(back.as_str()).await;
    let url = waiting.attribute("#pass-on", "value").expect("what to pass on");
    let state = parameter(&url, "state").expect("a state");
    secrets.add("approval", state.split_once('.').unwrap().1);
    let walk = place.identity.visitor().walk(&url, "admin@needs-approval.example", &Choices::default()).await;
    let Walk::Back(back) = walk else { panic!("{walk:?}") };
    assert_eq!(Person::new().open(back.as_str()).await.reply.status, 200);
}

fn database(place: &Place) -> Vec<u8> {
    let files = ["vestibule.db", "vestibule.db-wal"].map(|name| place.app.data(name));
    let bytes: Vec<u8> = files.iter().flat_map(|file| std::fs::read(file).unwrap_or_default()).collect();
    assert!(bytes.len() > 10_000, "it is not where it is looked for");
    bytes
}

#[tokio::test]
async fn what_comes_back_is_given_on_to_no_other_page_and_kept_by_no_cache() {
    for house in HOUSES {
        let place = Place::start(house).await;
        let person = Person::new();
        let leaving = person.begin(&place.link(json!({})).await).await;
        let back = place.consent(&leaving).await;
        let callback = Person::new().send("GET", back.as_str(), &[], b"").await.unwrap();
        let location = callback.header("location").to_owned();
        // Where the cookie is missing, the handle is all that goes on, to our own address.
        assert!(location.starts_with(&place.app.url("/wizard/")), "{location}");
        let names: Vec<_> = url::Url::parse(&location).unwrap().query_pairs().into_owned().collect();
        assert_eq!(names.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["handle"]);
        let other = Person::new().send("GET", &location, &[], b"").await.unwrap();
        let stray = person.send("GET", &format!("{back}&state=a"), &[], b"").await.unwrap();
        let resumed = person.send("GET", back.as_str(), &[], b"").await.unwrap();
        let late = person.send("GET", &location, &[], b"").await.unwrap();
        for reply in [&callback, &other, &stray, &resumed, &late, &leaving.reply] {
            assert_eq!(reply.header("referrer-policy"), "no-referrer");
            assert_eq!(reply.header("cache-control"), "no-store");
            assert_eq!(reply.header("x-frame-options"), "DENY");
        }
        for reply in [&callback, &resumed, &late] {
            assert_eq!(reply.status, 303, "no page of theirs stays in a history");
        }
        for led in [&resumed, &late].map(|reply| reply.header("location")) {
            assert!(led.starts_with("/wizard/authsess_") && !led.contains('?'), "{led}");
        }
    }
}
