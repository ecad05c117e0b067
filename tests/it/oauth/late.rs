//! Returns from a provider's pages that come too late, twice, or when everything is over; and providers that were
//! switched off meanwhile. Each ends on a page with a way on, and no grant is left behind.

use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use vestibule::store::sqlite_url;

use super::attacks::parked;
use super::walk::codes;
use super::{Place, parameter};
use crate::app::person::Person;
use crate::parts::identity::House;
use crate::parts::visitor::Choices;
use crate::parts::{READY, eventually_async};
use crate::proofs::walk::succeeded;

const SORRY: &str = "https://app.example.com/sorry?a=b";

async fn change(place: &Place, sql: &str) -> u64 {
    let file = sqlite_url(&place.app.data("vestibule.db"));
    let mut raw = SqliteConnection::connect(&file).await.expect("the file");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(&mut raw)
        .await
        .expect("a change")
        .rows_affected()
}

async fn revoked(place: &Place, times: usize) {
    eventually_async("grants are ended", READY, async || {
        (place.identity.log(&place.client, "revoke").await.len() == times).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_parked_is_kept_for_two_minutes_and_the_person_may_sign_in_again() {
    let place = Place::start(House::Google).await;
    let person = Person::new();
    let waits = parked(&place, &person).await;
    let aged = "UPDATE returns SET parked_at = parked_at - 121000 WHERE parked_at IS NOT NULL";
    assert_eq!(change(&place, aged).await, 1);
    let page = person.open(waits.as_str()).await;
    assert_eq!(page.reply.status, 200, "{}", page.text());
    assert!(!succeeded(&page) && place.app.accounts().await.is_empty());
    assert_eq!(codes(place.identity, &place.client).await, 0);
    let end = person.open(place.consent(&page).await.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
}

#[tokio::test]
async fn a_callback_that_something_else_loaded_first_still_leads_its_person_on() {
    let place = Place::start(House::Google).await;
    let person = Person::new();
    let back = place.consent(&person.begin(&place.link(json!({})).await).await).await;
    // A scanner follows the address, and with it what lies behind, without the cookie.
    for _ in 0..2 {
        assert_eq!(Person::new().open(back.as_str()).await.reply.status, 403);
    }
    // Somebody else's code under the same state does not take its place.
    let other = back.as_str().replace("code=", "code=x");
    let seen = Person::new().send("GET", &other, &[], b"").await.unwrap();
    assert!(!seen.header("location").contains("handle="), "{}", seen.header("location"));
    let end = person.open(back.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
    assert_eq!(codes(place.identity, &place.client).await, 1);
}

#[tokio::test]
async fn whoever_comes_back_when_all_is_over_is_led_home_with_the_reason() {
    let place = Place::start(House::Microsoft).await;
    for (ending, code) in
        [("cancelled", "cancelled"), ("revoked", "link_revoked"), ("expired", "link_expired")]
    {
        let link = place.link(json!({ "failure_redirect_url": SORRY })).await;
        let person = Person::new();
        let back = place.consent(&person.begin(&link).await).await;
        match ending {
            "cancelled" => {
                let here = person.open(&place.app.url(&format!("/wizard/{}", link.id))).await;
                let asked = person.submit(&here, &here.sheet().pressing("cancel")).await;
                person.submit(&asked, &asked.sheet()).await;
            }
            "revoked" => {
                let path = format!("/v1/hosted/accounts/link/{}", link.id);
                assert_eq!(place.app.api("DELETE", &path, None).await.status, 200);
            }
            _ => {
                let sql = format!("UPDATE sessions SET expires_at = created_at + 1 WHERE id = '{}'", link.id);
                assert_eq!(change(&place, &sql).await, 1);
            }
        }
        let end = person.open(back.as_str()).await;
        assert_eq!(end.reply.status, 410, "{ending}: {}", end.text());
        let home = format!("{SORRY}&error={code}");
        assert_eq!(
            end.attribute(&format!("a[href=\"{home}\"]"), "href"),
            Some(home),
            "{ending}: {}",
            end.text()
        );
        assert!(place.app.accounts().await.is_empty());
    }
    assert_eq!(codes(place.identity, &place.client).await, 0);
}

#[tokio::test]
async fn a_reconnect_whose_account_was_deleted_meanwhile_gives_its_grant_back() {
    let place = Place::start(House::Google).await;
    let account = place.account(&place.link(json!({})).await).await;
    let link = place.link(json!({ "type": "reconnect", "reconnect_account": account })).await;
    let person = Person::new();
    let leaving = person.begin(&link).await;
    let deleted = place.app.api("DELETE", &format!("/v1/accounts/{account}"), None).await;
    assert_eq!(deleted.status, 200, "{}", deleted.text());
    revoked(&place, 1).await;
    let end = person.open(place.consent(&leaving).await.as_str()).await;
    assert_eq!(end.reply.status, 410, "{}", end.text());
    assert_eq!(place.app.session(&link.id).await["cause"], "account_deleted");
    revoked(&place, 2).await;
}

#[tokio::test]
async fn a_provider_that_was_switched_off_meanwhile_leads_home() {
    let mut place = Place::start(House::Google).await;
    let link = place.link(json!({ "failure_redirect_url": SORRY })).await;
    let person = Person::new();
    let leaving = person.begin(&link).await;
    let back = place.consent(&leaving).await;
    assert!(place.app.stop());
    for name in ["CLIENT_ID", "CLIENT_SECRET"] {
        place.app.set(&format!("PROVIDERS__GOOGLE__{name}"), "");
    }
    place.app.run();
    let here = place.app.url(&format!("/wizard/{}", link.id));
    for address in [here.as_str(), back.as_str()] {
        let page = person.open(address).await;
        assert_eq!(page.reply.status, 410, "{address}: {}", page.text());
        let home = format!("{SORRY}&error=provider_unavailable");
        assert!(page.has(&format!("a[href=\"{home}\"]")), "{address}: {}", page.text());
        assert!(!page.text().contains("google."), "{}", page.text());
    }
    let stranger = Person::new().open(&here).await;
    assert!(!stranger.reply.text().contains("app.example.com"), "only its holder reads where home is");
}

#[tokio::test]
async fn an_administrator_who_says_no_over_and_over_is_heard_once_and_nobody_is_thanked_after_the_end() {
    let place = Place::start(House::Microsoft).await;
    let link = place.link(json!({})).await;
    let person = Person::new();
    let leaving = person.begin(&link).await;
    let user = "carol@needs-approval.example";
    let back = place.consent_with(&leaving, user, &Choices::default()).await;
    let waiting = person.open(back.as_str()).await;
    let approve = waiting.attribute("#pass-on", "value").unwrap_or_else(|| panic!("{}", waiting.text()));
    let state = parameter(&approve, "state").unwrap();
    let here = |name: &str, more: &str| {
        place.app.url(&format!("/providers/{name}/admin-consent?admin_consent=True&state={state}{more}"))
    };
    let version = async || {
        let page = person.open(&place.app.url(&format!("/wizard/{}", link.id))).await;
        page.attribute("input[name=step]", "value").unwrap()
    };
    let before = version().await;
    assert_eq!(Person::new().open(&here("microsoft", "&error=x")).await.reply.status, 200);
    let told = version().await;
    assert_ne!(told, before);
    for _ in 0..5 {
        assert_eq!(Person::new().open(&here("microsoft", "&error=x")).await.reply.status, 200);
    }
    assert_eq!(version().await, told, "the person's form still counts");
    assert_eq!(Person::new().open(&here("google", "")).await.reply.status, 404);
    let path = format!("/v1/hosted/accounts/link/{}", link.id);
    assert_eq!(place.app.api("DELETE", &path, None).await.status, 200);
    let late = Person::new().open(&here("microsoft", "")).await;
    assert_eq!(late.reply.status, 410, "{}", late.text());
}

#[tokio::test]
async fn a_browser_that_only_looks_like_one_inside_an_app_may_go_on_anyway() {
    let place = Place::start(House::Google).await;
    let person = Person::new();
    let link = place.link(json!({})).await;
    person.begin(&link).await;
    let agent =
        [("user-agent", "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) Chrome/130.0 Mobile Safari/537.36")];
    let leave = place.app.url(&format!("/wizard/{}/leave", link.id));
    let kept = person.send("GET", &leave, &agent, b"").await.unwrap();
    assert_eq!((kept.status, kept.header("refresh")), (303, ""));
    let on = person.send("GET", &format!("{leave}?anyway=yes"), &agent, b"").await.unwrap();
    assert!(on.header("refresh").contains("/o/oauth2/v2/auth"), "{}", on.header("refresh"));
    let airline = [("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0 Safari/537.36 Airline/2.0")];
    let on = person.send("GET", &leave, &airline, b"").await.unwrap();
    assert!(on.header("refresh").contains("/o/oauth2/v2/auth"), "an airline is no app");
}
