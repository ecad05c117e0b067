//! The year after the link, with real parts: an account breaks at its peer, its backend hears of it and gets a link in the
//! same reply, its person walks it, and the same account works again.

use serde_json::{Value, json};

use super::{account, credentials};
use crate::app::http::send;
use crate::app::mailbox::{ADDRESS, Mailbox};
use crate::app::person::Person;
use crate::app::signing::{HOUSES, Place, address};
use crate::app::{App, Link};
use crate::parts::READY;
use crate::parts::identity::House;
use crate::parts::sink::Sink;
use crate::parts::visitor::Choices;
use crate::proofs::walk::succeeded;

/// The link that came with a refusal.
fn mending(told: &Value) -> Link {
    assert_eq!(told["state"], "needs_reconnect", "{told}");
    let text = |name: &str| told["reconnect"][name].as_str().unwrap_or_else(|| panic!("{told}")).to_owned();
    assert!(told["reconnect"]["expires_at"].is_string(), "{told}");
    Link { id: text("id"), url: text("url") }
}

fn wanted(sink: &Sink) -> Value {
    json!({
        "refresh": true,
        "reconnect": { "notify_url": sink.url("/told"), "success_redirect_url": sink.url("/done"), "user_label": "Ada" },
    })
}

/// What must be so once it is mended.
async fn mended(app: &App, sink: &Sink, id: &str, link: &Link) {
    assert_eq!(account(app).await, (id.to_owned(), json!("OK"), Value::Null));
    assert_eq!(app.session(&link.id).await["status"], "CONNECTED");
    let told = sink.wait_for(1, READY).await;
    assert_eq!(
        (&told[0].json()["status"], &told[0].json()["account_id"]),
        (&json!("RECONNECTED"), &json!(id))
    );
    assert_eq!(credentials(app, id, json!({ "refresh": true })).await["state"], "active");
    // Single-use, like any link.
    let again = Person::new().open(&link.url).await;
    assert_eq!(again.reply.status, 410, "{}", again.text());
}

#[tokio::test]
async fn a_grant_that_is_withdrawn_is_told_and_mended_in_place_with_the_link_that_came_along() {
    for house in HOUSES {
        let (place, sink) = (Place::start(house).await, Sink::start());
        let id = place.account(&place.link(json!({ "name": "user_1" })).await).await;
        place.identity.withdraw(&place.client, address(house)).await;
        let told = credentials(&place.app, &id, wanted(&sink)).await;
        let link = mending(&told);
        assert!(told["cause"].is_string() && told["missing_scopes"] == json!([]), "{told}");
        let (same, status, cause) = account(&place.app).await;
        assert_eq!((same.as_str(), status, &cause), (&*id, json!("CREDENTIALS"), &told["cause"]));
        assert_eq!(super::events(&place.app, &id).await.last().map(String::as_str), Some("account.broken"));
        // Each time another link; what is asked for is checked first.
        assert_ne!(mending(&credentials(&place.app, &id, wanted(&sink)).await).url, link.url);

        let person = Person::new();
        let welcome = person.open(&link.url).await;
        assert!(
            welcome.text().contains("Ada") && welcome.text().contains(address(house)),
            "{}",
            welcome.text()
        );
        let leaving = person.submit(&welcome, &welcome.sheet()).await;
        // Another identity is named and refused, with the chance to choose again, and its grant is given back.
        let other = if house == House::Google { "eve@gmail.com" } else { "eve@work.example" };
        let back = place.consent_with(&leaving, other, &Choices::default()).await;
        let named = person.open(back.as_str()).await;
        assert!(named.text().contains(other) && named.text().contains(address(house)), "{}", named.text());
        assert_eq!(account(&place.app).await.1, "CREDENTIALS");
        if house == House::Google {
            crate::parts::eventually_async("the other grant is ended", READY, async || {
                (place.identity.log(&place.client, "revoke").await.len() == 1).then_some(())
            })
            .await;
        }
        let leaving = person.submit(&named, &named.sheet()).await;
        let end = person.open(place.consent(&leaving).await.as_str()).await;
        assert!(succeeded(&end), "{}", end.text());
        mended(&place.app, &sink, &id, &link).await;
        let kinds = super::events(&place.app, &id).await;
        assert_eq!(kinds, ["account.connected", "account.broken", "account.reconnected"]);
    }
}

#[tokio::test]
async fn a_password_that_was_changed_is_mended_in_place() {
    let (mailbox, sink) = (Mailbox::start(), Sink::start());
    let app = mailbox.app(&[]);
    let id = Person::new().account(&app, &mailbox, &app.link(json!({ "name": "user_1" })).await).await;
    mailbox.dovecot.set_password(ADDRESS, "changed since");
    // Before the watch has looked, its backend, refused with what it was given, asks for a link.
    let link = app
        .link(json!({
            "type": "reconnect", "reconnect_account": id, "notify_url": sink.url("/told"),
            "success_redirect_url": sink.url("/done"),
        }))
        .await;
    let person = Person::new();
    let password = person.begin(&link).await;
    assert_eq!(password.step(), "password", "{}", password.text());
    let refused = person.submit(&password, &password.sheet().with("password", "not this")).await;
    assert_eq!(refused.step(), "password", "{}", refused.text());
    let end = person.submit(&refused, &refused.sheet().with("password", "changed since")).await;
    assert!(succeeded(&end), "{}", end.text());
    mended(&app, &sink, &id, &link).await;
    let given = credentials(&app, &id, json!({})).await;
    assert_eq!(given["credentials"]["imap"]["password"], "changed since", "{given}");
}

#[tokio::test]
async fn a_link_along_the_way_needs_the_key_s_right_to_make_links_and_is_checked_like_any() {
    let place = Place::start(HOUSES[0]).await;
    let id = place.account(&place.link(json!({ "name": "user_1" })).await).await;
    let url = place.app.url(&format!("/v1/accounts/{id}/credentials"));
    let reader = place.app.key_for(&["--credentials", "--no-manage"]);
    let ask = async |key: &str, body: Value| {
        send("POST", &url, &[("x-api-key", key)], body.to_string().as_bytes()).await
    };
    assert_eq!(ask(&reader, json!({})).await.json()["state"], "active");
    let refused = ask(&reader, json!({ "reconnect": true })).await;
    assert_eq!(refused.json()["type"], "errors/insufficient_privileges", "{}", refused.text());
    assert!(refused.text().contains("manage"), "{}", refused.text());
    let trusted = place.app.trusted_key();
    for (reconnect, part) in [
        (json!(5), "reconnect must be"),
        (json!({ "notify_url": "ftp://x" }), "reconnect: notify_url must be"),
        (json!({ "expiresOn": "soon" }), "reconnect: expiresOn must be"),
        (json!({ "require_finish": true }), "reconnect: success_redirect_url is required"),
    ] {
        let reply = ask(&trusted, json!({ "reconnect": reconnect })).await;
        assert_eq!(reply.status, 400, "{part}: {}", reply.text());
        assert!(reply.text().contains(part), "{part}: {}", reply.text());
    }
    // While it works no link is made.
    let before = place.app.api("GET", "/v1/hosted/accounts/link?limit=250", None).await.json();
    let told = ask(&trusted, json!({ "reconnect": true })).await.json();
    assert!(told["state"] == "active" && told.get("reconnect").is_none(), "{told}");
    let after = place.app.api("GET", "/v1/hosted/accounts/link?limit=250", None).await.json();
    assert_eq!(before["items"].as_array().map(Vec::len), after["items"].as_array().map(Vec::len));
}
