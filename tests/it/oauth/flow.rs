//! The whole way, at both providers and in both dialects: what is asked for at the provider, what the product hears, and
//! what becomes of people who say no, come back late, or come back in another browser.

use serde_json::json;

use super::{HOUSES, Place, address, leaves_for, parameter, slug};
use crate::app::person::Person;
use crate::parts::READY;
use crate::parts::identity::House;
use crate::parts::sink::Sink;
use crate::parts::visitor::Choices;
use crate::proofs::walk::succeeded;

#[tokio::test]
async fn a_person_signs_in_at_the_provider_and_the_backend_hears_of_it() {
    for house in HOUSES {
        let (place, sink) = (Place::start(house).await, Sink::start());
        let link = place.link(json!({ "name": "user_1", "notify_url": sink.url("/told") })).await;
        let person = Person::new();
        let leaving = person.begin(&link).await;
        let url = leaves_for(&leaving);
        assert!(leaving.has(&format!("main a[href^=\"{}\"]", place.identity.origin())), "a visible way, too");
        for (name, value) in [("response_type", "code"), ("code_challenge_method", "S256")] {
            assert_eq!(parameter(&url, name).as_deref(), Some(value), "{url}");
        }
        // What is not asked for needs no looking at in the token.
        for none in ["max_age", "acr_values", "claims", "web_message_uri"] {
            assert_eq!(parameter(&url, none), None, "{url}");
        }
        assert!(parameter(&url, "response_mode").is_none_or(|mode| mode == "query"), "{url}");
        let callback = place.app.url(&format!("/providers/{}/callback", slug(house)));
        assert_eq!(parameter(&url, "redirect_uri"), Some(callback));
        for fresh in ["state", "nonce", "code_challenge"] {
            assert!(parameter(&url, fresh).is_some_and(|value| value.len() >= 43), "{fresh}: {url}");
        }
        let says = |name: &str| leaving.reply.header(name).to_owned();
        assert!(says("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!((&*says("x-frame-options"), &*says("referrer-policy")), ("DENY", "no-referrer"));
        assert!(parameter(&url, "prompt").is_some_and(|prompt| prompt.contains("select_account")), "{url}");
        let back = place.consent(&leaving).await;
        let end = person.open(back.as_str()).await;
        assert!(succeeded(&end), "{}", end.text());
        assert!(end.text().contains(address(house)), "{}", end.text());

        let calls = sink.wait_for(1, READY).await;
        let told = calls[0].json();
        assert_eq!((&told["status"], &told["name"]), (&json!("CREATION_SUCCESS"), &json!("user_1")));
        let accounts = place.app.accounts().await;
        assert_eq!(accounts.len(), 1);
        assert_eq!(told["account_id"], accounts[0]["id"]);
        assert_eq!(accounts[0]["name"], address(house), "{}", accounts[0]);
        // What strict clients insist on.
        let mail = &accounts[0]["connection_params"]["mail"];
        assert_eq!(mail["username"], address(house));
        assert!(mail["id"].as_str().is_some_and(|id| !id.is_empty()), "{mail}");

        // The same way back once more shows the same end, and asks the provider nothing.
        let asked = place.identity.log(&place.client, "token").await.len();
        let again = person.open(back.as_str()).await;
        assert!(succeeded(&again), "{}", again.text());
        assert_eq!(place.identity.log(&place.client, "token").await.len(), asked);
    }
}

#[tokio::test]
async fn a_reconnect_keeps_the_account_and_another_identity_is_named_and_given_back() {
    for house in HOUSES {
        let place = Place::start(house).await;
        let account = place.account(&place.link(json!({ "name": "user_1" })).await).await;
        let repair = place.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
        let person = Person::new();
        let leaving = person.begin(&repair).await;
        let hint = parameter(&leaves_for(&leaving), "login_hint");
        assert_eq!(hint.as_deref(), Some(address(house)));
        let other = if house == House::Google { "eve@gmail.com" } else { "eve@work.example" };
        let back = place.consent_with(&leaving, other, &Choices::default()).await;
        let named = person.open(back.as_str()).await;
        assert_eq!(named.reply.status, 200);
        assert!(named.text().contains(other) && named.text().contains(address(house)), "{}", named.text());
        let again = person.submit(&named, &named.sheet()).await;
        let end = person.open(place.consent(&again).await.as_str()).await;
        assert!(succeeded(&end), "{}", end.text());
        let accounts = place.app.accounts().await;
        assert_eq!((accounts.len(), &accounts[0]["id"]), (1, &json!(account)));
        if house == House::Google {
            crate::parts::eventually_async("the other grant is ended", READY, async || {
                (place.identity.log(&place.client, "revoke").await.len() == 1).then_some(())
            })
            .await;
        }
    }
}

#[tokio::test]
async fn whoever_says_no_can_try_again_or_go_home() {
    for house in HOUSES {
        let place = Place::start(house).await;
        let link = place.link(json!({ "failure_redirect_url": "https://app.example.com/sorry?a=b" })).await;
        let person = Person::new();
        let leaving = person.begin(&link).await;
        let no = Choices { deny: true, ..Choices::default() };
        let back = place.consent_with(&leaving, address(house), &no).await;
        let denied = person.open(back.as_str()).await;
        assert_eq!(denied.reply.status, 200);
        assert!(denied.has("#notice"), "{}", denied.text());
        assert!(denied.reply.header("refresh").is_empty(), "it waits for the person");
        let session = place.app.session(&link.id).await;
        assert_eq!(session["cause"], "user_denied", "{session}");
        let again = person.submit(&denied, &denied.sheet()).await;
        assert_ne!(parameter(&leaves_for(&again), "state"), parameter(&leaves_for(&leaving), "state"));
        // And home, with a stable code.
        let here = person.open(&place.app.url(&format!("/wizard/{}", link.id))).await;
        let asked = person.submit(&here, &here.sheet().pressing("cancel")).await;
        let gone = person.submit(&asked, &asked.sheet()).await;
        assert!(leaves_for(&gone).starts_with("https://app.example.com/sorry?a=b&error=cancelled"));
        assert!(place.app.accounts().await.is_empty());
    }
}

#[tokio::test]
async fn a_permission_that_is_left_out_is_named_and_the_rest_is_given_back() {
    let place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    let leaving = person.begin(&link).await;
    let choices = Choices { untick: vec!["https://mail.google.com/"], ..Choices::default() };
    let back = place.consent_with(&leaving, super::ADA, &choices).await;
    let missing = person.open(back.as_str()).await;
    assert_eq!(place.app.session(&link.id).await["cause"], "missing_scopes", "{}", missing.text());
    assert!(missing.has("#notice"), "{}", missing.text());
    assert!(place.app.accounts().await.is_empty());
    crate::parts::eventually_async("what was granted is ended", READY, async || {
        (place.identity.log(&place.client, "revoke").await.len() == 1).then_some(())
    })
    .await;
    let again = person.submit(&missing, &missing.sheet()).await;
    let end = person.open(place.consent(&again).await.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());

    // What may be left out may be left out.
    let link = place.link(json!({})).await;
    let person = Person::new();
    let leaving = person.begin(&link).await;
    let choices = Choices { untick: vec!["https://www.googleapis.com/auth/calendar"], ..Choices::default() };
    let back = place.consent_with(&leaving, "bob@gmail.com", &choices).await;
    let end = person.open(back.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
}

#[tokio::test]
async fn another_browser_exchanges_nothing_and_the_right_one_goes_on() {
    let place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    let leaving = person.begin(&link).await;
    let back = place.consent(&leaving).await;
    let other = Person::new().open(back.as_str()).await;
    assert_eq!(other.reply.status, 403, "{}", other.text());
    assert!(place.identity.log(&place.client, "token").await.is_empty());
    assert!(place.app.output().contains("cause=\"callback_other_browser\""), "{}", place.app.output());
    // What was brought lies where it was put, for the person's own browser.
    assert!(place.app.accounts().await.is_empty());
    let end = person.open(back.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
}

#[tokio::test]
async fn a_second_tab_makes_the_first_one_late_and_both_show_the_end() {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    let first = person.begin(&link).await;
    let page = person.open(&place.app.url(&format!("/wizard/{}", link.id))).await;
    let second = person.submit(&page, &page.sheet()).await;
    let (early, late) = (place.consent(&first).await, place.consent(&second).await);
    let seen = person.open(early.as_str()).await;
    assert_eq!(seen.reply.status, 200);
    assert!(!succeeded(&seen), "the first tab's sign-in was replaced: {}", seen.text());
    assert!(seen.has("button[value=submit]"), "a way on: {}", seen.text());
    assert!(
        place.app.output().contains("code=\"state_stale\"")
            || place.app.output().contains("cause=\"state_stale\"")
    );
    let end = person.open(late.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
    let again = person.open(&place.app.url(&format!("/wizard/{}", link.id))).await;
    assert!(succeeded(&again), "{}", again.text());
    assert_eq!(place.app.accounts().await.len(), 1);
}

/// Both come back in the same moment, each with a code that is good; the page that was opened last counts.
#[tokio::test]
async fn two_tabs_that_come_back_at_once_make_one_account() {
    for house in HOUSES {
        let place = Place::start(house).await;
        let link = place.link(json!({ "name": "user_1" })).await;
        let person = Person::new();
        let first = person.begin(&link).await;
        let here = place.app.url(&format!("/wizard/{}", link.id));
        let page = person.open(&here).await;
        let second = person.submit(&page, &page.sheet()).await;
        let (early, late) = (place.consent(&first).await, place.consent(&second).await);
        let (one, other) = tokio::join!(person.open(early.as_str()), person.open(late.as_str()));
        for seen in [&one, &other] {
            assert_eq!(seen.reply.status, 200, "{house:?}: {}", seen.text());
        }
        assert!(succeeded(&other), "{house:?}: {}", other.text());
        assert!(succeeded(&person.open(&here).await), "{house:?}");
        assert_eq!(crate::oauth::walk::codes(place.identity, &place.client).await, 1, "{house:?}");
        assert_eq!(place.app.accounts().await.len(), 1, "{house:?}");
    }
}

#[tokio::test]
async fn an_administrator_approves_and_the_person_goes_on() {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    let leaving = person.begin(&link).await;
    let user = "carol@needs-approval.example";
    let back = place.consent_with(&leaving, user, &Choices::default()).await;
    let waiting = person.open(back.as_str()).await;
    let url = waiting.attribute("#pass-on", "value").unwrap_or_else(|| panic!("{}", waiting.text()));
    assert!(url.starts_with(place.identity.origin()) && url.contains("/v2.0/adminconsent"), "{url}");
    assert_eq!(parameter(&url, "scope"), parameter(&leaves_for(&leaving), "scope"), "all of it is approved");
    assert!(!url.contains("/common/"), "{url}");
    // The administrator opens it in a browser of their own.
    let back = place.identity.visitor().walk(&url, "admin@needs-approval.example", &Choices::default()).await;
    let crate::parts::visitor::Walk::Back(back) = back else { panic!("{back:?}") };
    let thanks = Person::new().open(back.as_str()).await;
    assert_eq!(thanks.reply.status, 200, "{}", thanks.text());
    assert!(thanks.text().contains("approved"), "{}", thanks.text());
    let approved = person.open(&place.app.url(&format!("/wizard/{}", link.id))).await;
    assert!(!approved.has("#pass-on") && approved.has("button[value=submit]"), "{}", approved.text());
    let again = person.submit(&approved, &approved.sheet()).await;
    let back = place.consent_with(&again, user, &Choices::default()).await;
    let end = person.open(back.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
    // A stranger's word changes nothing.
    let stray = Person::new()
        .open(&place.app.url("/providers/microsoft/admin-consent?admin_consent=True&state=authsess_x.y"))
        .await;
    assert_eq!(stray.reply.status, 404);
}

#[tokio::test]
async fn inside_another_app_the_way_leads_to_a_real_browser() {
    let place = Place::start(House::Google).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    person.begin(&link).await;
    let agent = super::IN_AN_APP;
    let here = place.app.url(&format!("/wizard/{}", link.id));
    let inside = person.send("GET", &here, &[("user-agent", agent)], b"").await.unwrap();
    assert_eq!(inside.status, 303, "an address of its own, which the app's menu can open elsewhere");
    let own = place.app.url(inside.header("location"));
    let inside = person.send("GET", &own, &[("user-agent", agent)], b"").await.unwrap();
    let inside = crate::app::person::Seen { url: own.clone(), reply: inside };
    let handover = inside.attribute("#pass-on", "value").unwrap_or_else(|| panic!("{}", inside.text()));
    let leave = person.send("GET", &format!("{here}/leave"), &[("user-agent", agent)], b"").await.unwrap();
    assert_eq!(leave.status, 303, "it is not led to a page that turns it away");

    let real = Person::new();
    let welcome = real.open(&handover).await;
    assert_eq!(welcome.reply.status, 200, "{}", welcome.text());
    let leaving = real.submit(&welcome, &welcome.sheet()).await;
    // It is good once; the first browser reads that it goes on elsewhere.
    let used = Person::new().open(&handover).await;
    assert_eq!(used.reply.status, 404, "{}", used.text());
    assert_eq!(person.open(&here).await.reply.status, 409);
    let end = real.open(place.consent(&leaving).await.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
    let used = Person::new().open(&handover).await;
    assert!(used.reply.status >= 400, "{}", used.text());
}
