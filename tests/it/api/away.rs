//! Statuses of the pages around a sign-in at a provider: leaving, an administrator's return, going on in another browser.

use serde_json::json;

use super::book::{Ask, Book};
use super::pages::cookies;
use super::statuses::NOBODY;
use crate::app::App;
use crate::app::person::Person;
use crate::app::signing::{Place, leaves_for, parameter};
use crate::live;
use crate::parts::identity::House;
use crate::parts::visitor::Choices;

/// A browser that is part of another app.
const INSIDE: (&str, &str) = ("user-agent", "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) Instagram 350");

/// How often a link may move before it moves no more.
const MOVES: usize = 5;

pub async fn walk(book: &mut Book) {
    let place = Place::start(House::Google).await;
    let (app, origin) = (&place.app, place.app.url(""));
    let ours = ("origin", origin.as_str());
    let link = place.link(json!({})).await;
    let at = [link.id.as_str()];
    let person = Person::new();
    person.begin(&link).await;
    let mut held = person.cookie_header();
    let headers = [("cookie", held.as_str())];
    book.ask(app, "leaveWizard", 200, Ask { values: &at, headers: &headers, ..Ask::default() }).await;
    for moved in 0..=MOVES {
        let headers = [("cookie", held.as_str()), INSIDE];
        let out = Ask { values: &at, headers: &headers, ..Ask::default() };
        let out = book.ask(app, "showWizard", 303, out).await;
        let token = [out.header("location").rsplit('/').next().expect("a token for another browser")];
        let strange = Ask { values: &token, headers: &[ours], ..Ask::default() };
        if moved == MOVES {
            book.ask(app, "openHandover", 409, strange.clone()).await;
            book.ask(app, "claimHandover", 409, strange.clone()).await;
            let path = format!("/v1/hosted/accounts/link/{}", link.id);
            assert_eq!(app.api("DELETE", &path, None).await.status, 200);
            book.ask(app, "openHandover", 410, strange.clone()).await;
            book.ask(app, "claimHandover", 410, strange).await;
            return;
        }
        book.ask(app, "openHandover", 200, strange.clone()).await;
        let language = Ask { body: "action=language%3Ade", ..strange.clone() };
        book.ask(app, "claimHandover", 200, language).await;
        let claimed = book.ask(app, "claimHandover", 303, strange.clone()).await;
        held = cookies(&claimed);
        let headers = [("cookie", held.as_str())];
        book.ask(app, "openHandover", 303, Ask { headers: &headers, ..strange }).await;
    }
}

/// An administrator who comes back.
pub async fn approval(book: &mut Book) {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    let leaving = person.begin(&link).await;
    let user = "carol@needs-approval.example";
    let back = place.consent_with(&leaving, user, &Choices::default()).await;
    let waiting = person.open(back.as_str()).await;
    let url = waiting.attribute("#pass-on", "value").expect("an address for the administrator");
    let query = format!("?admin_consent=True&state={}", parameter(&url, "state").expect("its state"));
    let back = Ask { values: &["microsoft"], query: &query, ..Ask::default() };
    book.ask(&place.app, "adminConsent", 200, back.clone()).await;
    let path = format!("/v1/hosted/accounts/link/{}", link.id);
    assert_eq!(place.app.api("DELETE", &path, None).await.status, 200);
    book.ask(&place.app, "adminConsent", 410, back).await;
    let query = parameter(&leaves_for(&leaving), "state").expect("a state");
    let query = format!("?code=x&state={query}");
    let back = Ask { values: &["microsoft"], query: &query, ..Ask::default() };
    book.ask(&place.app, "providerCallback", 410, back).await;
}

/// Somebody who is under way when their provider is switched off.
pub async fn switched_off(book: &mut Book) {
    let mut place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    person.begin(&link).await;
    assert!(place.app.stop());
    for name in ["CLIENT_ID", "CLIENT_SECRET"] {
        place.app.set(&format!("PROVIDERS__GOOGLE__{name}"), "");
    }
    place.app.run();
    let (at, held) = ([link.id.as_str()], person.cookie_header());
    let headers = [("cookie", held.as_str())];
    for id in ["leaveWizard", "resumeWizard", "askCancel"] {
        book.ask(&place.app, id, 410, Ask { values: &at, headers: &headers, ..Ask::default() }).await;
    }
}

/// A provider that pushes security events.
pub async fn events(book: &mut Book) {
    let place = Place::start(House::Google).await;
    let kind = "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked";
    let token = place.identity.security_event(&place.client, "nobody@gmail.com", &[kind], json!({})).await;
    let headers = [("content-type", "application/secevent+jwt")];
    let ask =
        |name: &'static [&'static str], body| Ask { values: name, headers: &headers, body, ..Ask::default() };
    book.ask(&place.app, "receiveSecurityEvent", 202, ask(&["google"], &token)).await;
    book.ask(&place.app, "receiveSecurityEvent", 400, ask(&["google"], "none")).await;
    book.ask(&place.app, "receiveSecurityEvent", 404, ask(&["imap"], &token)).await;
    // Google does not answer.
    let lost = App::with(&[
        ("PROVIDERS__GOOGLE__CLIENT_ID", &place.client.id),
        ("PROVIDERS__GOOGLE__CLIENT_SECRET", &place.client.secret),
        ("PROVIDERS__GOOGLE__BASE", "https://localhost:1"),
    ]);
    book.ask(&lost, "receiveSecurityEvent", 503, ask(&["google"], &token)).await;
}

/// A session that was handed out comes back.
pub async fn session_back(book: &mut Book) {
    let house = live::House::start();
    let account = house.account().await;
    let key = house.app.trusted_key();
    let headers = [("x-api-key", key.as_str()), ("content-type", "application/json")];
    let at = [account.as_str()];
    let ask = Ask { values: &at, headers: &headers, body: r#"{"state":"returned"}"#, ..Ask::default() };
    book.ask(&house.app, "readAccount", 200, Ask { body: "", ..ask.clone() }).await;
    book.ask(&house.app, "readCredentials", 200, Ask { body: "", ..ask.clone() }).await;
    book.ask(&house.app, "readRiposteAccount", 200, Ask { body: "", ..ask.clone() }).await;
    book.ask(&house.app, "giveSessionBack", 200, ask.clone()).await;
    book.ask(&house.app, "giveSessionBack", 400, Ask { body: "{}", ..ask.clone() }).await;
    book.ask(&house.app, "giveSessionBack", 404, Ask { values: &[NOBODY], ..ask }).await;
}
