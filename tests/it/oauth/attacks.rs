//! What somebody with bad intentions tries around a sign-in: a handle that was seen, codes that are made up, other hosts,
//! returns without end, and states as long as a page.

use serde_json::json;
use url::Url;

use super::walk::codes;
use super::{HOUSES, Place, leaves_for, parameter, set_up};
use crate::app::App;
use crate::app::http::send;
use crate::app::person::Person;
use crate::parts::identity::House;
use crate::parts::sink::Sink;
use crate::proofs::walk::succeeded;

/// A return that waits for its browser, and where it waits: it came by a way that has no cookie, as another host does.
pub async fn parked(place: &Place, person: &Person) -> Url {
    let back = place.consent(&person.begin(&place.link(json!({})).await).await).await;
    waits(&back).await
}

/// Where a return waits that a browser without the cookie has brought.
pub async fn waits(back: &Url) -> Url {
    let callback = send("GET", back.as_str(), &[], b"").await;
    assert_eq!(callback.status, 303);
    back.join(callback.header("location")).unwrap()
}

#[tokio::test]
async fn a_handle_is_worth_nothing_without_its_cookie_in_another_session_or_a_second_time() {
    let place = Place::start(House::Google).await;
    let (ada, eve) = (Person::new(), Person::new());
    let (hers, theirs) = (parked(&place, &ada).await, parked(&place, &eve).await);
    let handle = |url: &Url| parameter(url.as_str(), "handle").unwrap();
    let under =
        |url: &Url, handle: &str| format!("{}?handle={handle}", url.as_str().split('?').next().unwrap());
    // Eve shows Ada's handle in her own session, and in Ada's.
    assert_eq!(eve.open(&under(&theirs, &handle(&hers))).await.reply.status, 200);
    assert_eq!(eve.open(hers.as_str()).await.reply.status, 403);
    // Ada is made to open Eve's: what Eve signed in to does not become Ada's.
    assert_eq!(ada.open(theirs.as_str()).await.reply.status, 403);
    assert_eq!(ada.open(&under(&hers, &handle(&theirs))).await.reply.status, 200);
    for wrong in ["", "x", &"x".repeat(8000), "%00", "%ff"] {
        assert_eq!(ada.open(&under(&hers, wrong)).await.reply.status, 200);
    }
    // Looking ahead is no coming back.
    for (method, purpose) in [("HEAD", ""), ("GET", "prefetch"), ("GET", "prefetch;prerender")] {
        ada.send(method, hers.as_str(), &[("sec-purpose", purpose)], b"").await.unwrap();
    }
    assert_eq!(codes(place.identity, &place.client).await, 0);
    assert!(place.app.accounts().await.is_empty());
    let end = ada.open(hers.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
    let again = ada.open(hers.as_str()).await;
    assert!(succeeded(&again), "{}", again.text());
    assert_eq!(codes(place.identity, &place.client).await, 1);
}

#[tokio::test]
async fn codes_that_are_made_up_end_the_session_after_ten() {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({ "failure_redirect_url": "https://app.example.com/failed" })).await;
    let person = Person::new();
    let mut page = person.begin(&link).await;
    for number in 1..=10 {
        let away = leaves_for(&page);
        let state = parameter(&away, "state").unwrap();
        let back =
            format!("{}?code=made-up-{number}&state={state}", parameter(&away, "redirect_uri").unwrap());
        let seen = person.open(&back).await;
        if number < 10 {
            assert!(seen.has("#notice"), "{number}: {}", seen.text());
            page = person.submit(&seen, &seen.sheet()).await;
        } else {
            assert_eq!((seen.reply.status, seen.has("form")), (410, false), "{}", seen.text());
            let home = seen.attribute("a.button", "href");
            assert_eq!(home.as_deref(), Some("https://app.example.com/failed?error=too_many_sign_ins"));
        }
    }
    assert_eq!(codes(place.identity, &place.client).await, 10);
    let session = place.app.session(&link.id).await;
    assert_eq!((&session["status"], &session["cause"]), (&json!("FAILED"), &json!("too_many_sign_ins")));
}

#[tokio::test]
async fn a_person_who_says_no_may_do_so_as_often_as_they_like() {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    let mut page = person.begin(&link).await;
    for _ in 0..12 {
        let away = leaves_for(&page);
        let state = parameter(&away, "state").unwrap();
        let back = format!("{}?error=access_denied&state={state}", parameter(&away, "redirect_uri").unwrap());
        let seen = person.open(&back).await;
        page = person.submit(&seen, &seen.sheet()).await;
    }
    let end = person.open(place.consent(&page).await.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
}

#[tokio::test]
async fn ways_back_are_remembered_for_a_while_and_not_for_ever() {
    let place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    let here = place.app.url(&format!("/wizard/{}", link.id));
    let mut ways = vec![leaves_for(&person.begin(&link).await)];
    for _ in 0..30 {
        let page = person.open(&here).await;
        ways.push(leaves_for(&person.submit(&page, &page.sheet()).await));
    }
    let back = |away: &str| {
        let state = parameter(away, "state").unwrap();
        format!("{}?code=4%2F0x&state={state}", parameter(away, "redirect_uri").unwrap())
    };
    assert_eq!(person.open(&back(&ways[0])).await.reply.status, 404, "forgotten");
    let late = person.open(&back(&ways[29])).await;
    assert_eq!((late.reply.status, late.has("button[value=submit]")), (200, true), "{}", late.text());
    assert_eq!(codes(place.identity, &place.client).await, 0, "neither is the one that is waited for");
    let consented =
        place.identity.consent(&ways[30], super::ADA, &crate::parts::visitor::Choices::default()).await;
    let end = person.open(consented.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
    // Behind the end they lead to what came of it, and exchange nothing.
    let before = codes(place.identity, &place.client).await;
    let after = person.open(&back(&ways[29])).await;
    assert!(succeeded(&after), "{}", after.text());
    assert_eq!(codes(place.identity, &place.client).await, before);
}

#[tokio::test]
async fn no_header_of_a_request_leads_a_return_to_another_host() {
    let place = Place::start(House::Google).await;
    let person = Person::new();
    let back = place.consent(&person.begin(&place.link(json!({})).await).await).await;
    let foreign = send("GET", back.as_str(), &[("host", "evil.example")], b"").await;
    assert_eq!((foreign.status, foreign.header("location")), (421, ""));
    let headers = [
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-url", "https://evil.example/"),
        ("x-forwarded-proto", "https"),
        ("origin", "https://evil.example"),
    ];
    let with_more = format!("{back}&host=evil.example&redirect_uri=https://evil.example&session=x&handle=y");
    let reply = person.send("GET", &with_more, &headers, b"").await.unwrap();
    assert_eq!(reply.status, 303);
    let on = back.join(reply.header("location")).unwrap();
    assert!(on.as_str().starts_with(&place.app.url("/wizard/authsess_")), "{:?}", reply.headers);
    // The same for a browser whose cookie is on another host.
    let stranger = send("GET", back.as_str(), &headers, b"").await;
    assert!(stranger.header("location").starts_with(&place.app.url("/wizard/authsess_")), "{stranger:?}");
}

#[tokio::test]
async fn what_people_bring_back_does_not_travel_in_clear() {
    let mut place = Place::start(House::Google).await;
    place.app.set("EGRESS_ALLOW", "");
    let checked = |url: &str| {
        place.app.set("PUBLIC_URL", url);
        place.app.cli(&["config", "check", "--offline"])
    };
    let [clear, safe, here] =
        ["http://connect.example.com", "https://connect.example.com", "http://localhost:8080"].map(checked);
    assert!(!clear.0 && clear.2.contains("public_url: must begin with https://"), "{}", clear.2);
    assert!(safe.0, "{}", safe.2);
    assert!(here.0, "{}", here.2);
    // A server for mailboxes only may be tried out as before.
    let mut app = App::prepared(&[("PUBLIC_URL", "http://connect.example.com")]);
    app.set("EGRESS_ALLOW", "");
    let (fine, _, complaint) = app.cli(&["config", "check"]);
    assert!(fine, "{complaint}");
}

#[tokio::test]
async fn an_approval_that_is_made_up_or_endless_changes_nothing() {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    person.begin(&link).await;
    let here = place.app.url("/providers/microsoft/admin-consent");
    for state in [
        String::new(),
        link.id.clone(),
        format!("{}.", link.id),
        format!("{}.{}", link.id, "x".repeat(43)),
        format!("{}.{}", link.id, "é".repeat(3000)),
        ".".repeat(15_000),
        "a".repeat(25_000),
    ] {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("admin_consent", "True")
            .append_pair("state", &state)
            .finish();
        let seen = Person::new().open(&format!("{here}?{query}")).await;
        assert_eq!(seen.reply.status, 404, "{:.60}: {}", state, seen.text());
    }
    // A state of the sign-in's own is none of an approval's, nor the other way round.
    let page = person.open(&place.app.url(&format!("/wizard/{}", link.id))).await;
    let leaving = person.submit(&page, &page.sheet()).await;
    let state = parameter(&leaves_for(&leaving), "state").unwrap();
    let seen = Person::new().open(&format!("{here}?admin_consent=True&state={state}")).await;
    assert_eq!(seen.reply.status, 404);
    let end = person.open(place.consent(&leaving).await.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
}

/// A secret is for the one that it was registered with: not for whoever answers in their place, nor for where they point.
#[tokio::test]
async fn secrets_go_to_a_provider_whose_certificate_holds_and_follow_no_redirect() {
    for house in HOUSES {
        let (place, elsewhere) = (Place::start(house).await, Sink::start());
        let person = Person::new();
        let back = place.consent(&person.begin(&place.link(json!({})).await).await).await;
        place.identity.fault(&place.client, "token_moved", elsewhere.url("/token"), true).await;
        let page = person.open(back.as_str()).await;
        assert!(page.has("#notice") && page.has("button[value=submit]"), "{}", page.text());
        assert_eq!(place.identity.log(&place.client, "token").await.len(), 1);
        assert!(elsewhere.calls().is_empty(), "it followed: {:?}", elsewhere.calls());

        let mut app = App::prepared(&[]);
        let (identity, client) = set_up(&mut app, house, json!({})).await;
        app.set("EXTRA_CA_FILE", "");
        app.run();
        let place = Place { app, house, identity, client };
        let back = place.consent(&person.begin(&place.link(json!({})).await).await).await;
        let page = person.open(back.as_str()).await;
        assert!(page.has("#notice") && page.has("button[value=submit]"), "{}", page.text());
        assert!(place.identity.log(&place.client, "token").await.is_empty(), "nobody vouches for it");
        assert!(place.app.accounts().await.is_empty());
    }
}

/// Where people sign in no other site may read or ask, and there is nothing here that gives out tokens of ours.
#[tokio::test]
async fn no_other_origin_reads_a_sign_in_and_nothing_here_gives_out_tokens() {
    let place = Place::start(House::Google).await;
    let person = Person::new();
    let link = place.link(json!({})).await;
    let leaving = person.begin(&link).await;
    let back = place.consent(&leaving).await;
    let here = place.app.url(&format!("/wizard/{}", link.id));
    let consent = place.app.url("/providers/microsoft/admin-consent?admin_consent=True&state=a");
    let foreign = [("origin", "https://evil.example"), ("access-control-request-method", "GET")];
    for url in [back.as_str(), &link.url, &here, &format!("{here}/leave"), &consent] {
        for method in ["OPTIONS", "GET"] {
            let reply = Person::new().send(method, url, &foreign, b"").await.expect("an answer");
            let told: Vec<_> =
                reply.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).collect();
            assert!(told.is_empty(), "{method} {url}: {told:?}");
        }
    }
    for path in [
        "/token",
        "/oauth/token",
        "/oauth2/token",
        "/authorize",
        "/oauth/authorize",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        for method in ["GET", "POST"] {
            let reply = place.app.api(method, path, None).await;
            assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text());
        }
    }
}
