//! Which provider it is: by the address, by who takes its mail, by the person's own choice, and by what whoever starts
//! the session says.

use serde_json::{Value, json};

use super::{ADA, BEN, leaves_for, parameter, set_up};
use crate::app::App;
use crate::app::person::{Person, Seen};
use crate::parts::dnsmasq::Dnsmasq;
use crate::parts::identity::House;
use crate::parts::visitor::Choices;
use crate::proofs::walk::succeeded;

/// A server with both providers, in a world of names of its own.
pub struct World {
    _names: Dnsmasq,
    pub app: App,
}

impl World {
    pub async fn start() -> Self {
        let names = Dnsmasq::start(&[
            "host-record=localhost,127.0.0.1".to_owned(),
            "mx-host=harbour.net,aspmx.l.google.com,1".to_owned(),
            "mx-host=office.net,office-net.mail.protection.outlook.com,0".to_owned(),
            "mx-host=cellar.net,mx.cellar.net,0".to_owned(),
        ]);
        let server = names.address().to_string();
        let mut app = App::prepared(&[("DNS_SERVER", &server), ("PROVIDERS__IMAP__DISCOVER", "false")]);
        set_up(&mut app, House::Google, json!({})).await;
        set_up(&mut app, House::Microsoft, json!({})).await;
        app.run();
        Self { _names: names, app }
    }

    pub async fn session(&self, more: Value) -> Value {
        let mut body = json!({ "redirectUri": "https://app.example.com/back", "customUserId": "user_1" });
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        let reply = self.app.api("POST", "/auth/sessions", Some(body)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    async fn provider_of(&self, session: &Value) -> Value {
        let path = format!("/auth/sessions/{}", session["code"].as_str().unwrap());
        self.app.api("GET", &path, None).await.json()["provider"].clone()
    }
}

fn host_of(page: &Seen) -> &'static str {
    let url = leaves_for(page);
    if url.contains("/o/oauth2/v2/auth") { "google" } else { "microsoft" }
}

#[tokio::test]
async fn the_address_decides_by_its_domain_or_by_who_takes_its_mail_and_it_is_kept() {
    let world = World::start().await;
    for (address, provider) in [
        ("ada@gmail.com", "gmail"),
        ("ada@harbour.net", "gmail"),
        ("ben@Outlook.com", "microsoft"),
        ("ben@office.net", "microsoft"),
        ("cat@cellar.net", "imap"),
        ("dan@nowhere.net", "imap"),
    ] {
        let session = world.session(json!({})).await;
        let person = Person::new();
        let first = person.open(session["authUrl"].as_str().unwrap()).await;
        let next = person.submit(&first, &first.sheet().raw("email", address)).await;
        match provider {
            "imap" => assert!(next.has("[name=\"f.imap_host\"]"), "{address}: {}", next.text()),
            provider => {
                let house = if provider == "gmail" { "google" } else { provider };
                assert_eq!(host_of(&next), house, "{address}");
                assert_eq!(parameter(&leaves_for(&next), "login_hint").as_deref(), Some(address));
            }
        }
        assert_eq!(world.provider_of(&session).await, provider, "{address}");
    }
}

#[tokio::test]
async fn a_session_for_any_provider_runs_to_its_end_in_the_documented_way() {
    let world = World::start().await;
    let session = world.session(json!({ "email": ADA })).await;
    assert_eq!((&session["provider"], &session["email"]), (&Value::Null, &json!(ADA)));
    let person = Person::new();
    let first = person.open(session["authUrl"].as_str().unwrap()).await;
    assert_eq!(first.attribute("#email", "value").as_deref(), Some(ADA));
    let leaving = person.submit(&first, &first.sheet()).await;
    let identity = crate::parts::identity::Identity::shared(House::Google);
    let back = identity.consent(&leaves_for(&leaving), ADA, &Choices::default()).await;
    let end = person.open(back.as_str()).await;
    let accounts = world.app.api("GET", "/accounts?customUserId=user_1", None).await.json();
    let account = accounts["accounts"][0].clone();
    assert_eq!(account["provider"], "gmail", "{accounts}");
    let home = format!("https://app.example.com/back?account_id={}", account["id"].as_str().unwrap());
    assert_eq!(leaves_for(&end), home);
}

#[tokio::test]
async fn start_gives_the_provider_s_address_as_json_and_its_cookie_goes_on() {
    let world = World::start().await;
    for (named, asked, address, forced) in [
        (None, "gmail", ADA, false),
        (Some("gmail"), "gmail", ADA, false),
        (Some("microsoft"), "microsoft", BEN, false),
        (Some("microsoft"), "microsoft", BEN, true),
    ] {
        let session = world.session(json!({ "provider": named, "forceConsent": forced })).await;
        let person = Person::new();
        let code = session["code"].as_str().unwrap();
        let state = parameter(session["authUrl"].as_str().unwrap(), "state").unwrap();
        let body = json!({ "provider": asked, "state": state, "email": address }).to_string();
        let url = world.app.url(&format!("/auth/sessions/{code}/start"));
        let headers = [("content-type", "application/json")];
        let reply = person.send("POST", &url, &headers, body.as_bytes()).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let away = reply.json()["authUrl"].as_str().unwrap().to_owned();
        assert_eq!(parameter(&away, "login_hint").as_deref(), Some(address), "{away}");
        let house = if asked == "gmail" { House::Google } else { House::Microsoft };
        // Google is asked for consent every time, as it gives no lasting grant otherwise.
        let consents = parameter(&away, "prompt").is_some_and(|prompt| prompt.contains("consent"));
        assert_eq!(consents, forced || house == House::Google, "{away}");
        let identity = crate::parts::identity::Identity::shared(house);
        let back = identity.consent(&away, address, &Choices::default()).await;
        person.open(back.as_str()).await;
        let session = world.app.api("GET", &format!("/auth/sessions/{code}"), None).await.json();
        assert_eq!(
            (&session["status"], &session["provider"]),
            (&json!("connected"), &json!(asked)),
            "{session}"
        );
        // Whoever starts it again at another provider is not believed any more.
        let again = person.send("POST", &url, &headers, body.as_bytes()).await.unwrap();
        assert_eq!(again.status, 410, "{}", again.text());
    }
}

#[tokio::test]
async fn a_person_may_choose_and_change_their_mind() {
    let world = World::start().await;
    let link = world.app.link(json!({ "providers": ["GOOGLE", "OUTLOOK", "MAIL"] })).await;
    let person = Person::new();
    let choose = person.begin(&link).await;
    for way in ["choose:google", "choose:microsoft", "choose:imap"] {
        assert!(choose.has(&format!("button[value=\"alternative:{way}\"]")), "{way}: {}", choose.text());
    }
    for (typed, wrong) in [("ada", "#f-email-error, .error"), ("", ".error")] {
        let again = person.submit(&choose, &choose.sheet().with("email", typed)).await;
        assert!(again.has(wrong), "{typed:?}: {}", again.text());
    }
    let here = person.open(&world.app.url(&format!("/wizard/{}", link.id))).await;
    let leaving = person.submit(&here, &here.sheet().pressing("alternative:choose:google")).await;
    assert_eq!(host_of(&leaving), "google");
    // Back with the browser's button: the page offers another kind of account.
    let here = person.open(&world.app.url(&format!("/wizard/{}", link.id))).await;
    let choose = person.submit(&here, &here.sheet().pressing("alternative:choose")).await;
    let leaving = person.submit(&choose, &choose.sheet().pressing("alternative:choose:microsoft")).await;
    assert_eq!(host_of(&leaving), "microsoft");
    let identity = crate::parts::identity::Identity::shared(House::Microsoft);
    let back = identity.consent(&leaves_for(&leaving), BEN, &Choices::default()).await;
    let end = person.open(back.as_str()).await;
    assert!(succeeded(&end), "{}", end.text());
    assert_eq!(world.app.accounts().await[0]["type"], "OUTLOOK");
}
