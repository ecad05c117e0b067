//! The browser that finishes is the browser that started: cookies, foreign forms, takeovers, hosts, and what
//! everybody else gets to see.

use serde_json::json;

use super::walk::{go_on, mailbox, succeeded};
use crate::app::App;
use crate::app::http::send;
use crate::app::mailbox::ADDRESS;
use crate::app::person::Person;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test]
async fn a_form_from_another_site_is_refused_on_both_pages() {
    let app = mailbox().app(&[]);
    let link = app.link(json!({})).await;
    let person = Person::new();
    let welcome = person.open(&link.url).await;
    let own = app.url("");
    let foreign: [&[(&str, &str)]; 8] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
        &[("origin", &own), ("sec-fetch-site", "cross-site")],
        &[("origin", "null")],
        &[("origin", "null"), ("sec-fetch-site", "cross-site")],
        &[],
    ];
    // An attacker knows the link but not the cookie that forms are tied to.
    let token = welcome.sheet().fields.iter().find(|(name, _)| name == "form").unwrap().1.clone();
    for headers in foreign {
        let headers = [headers, &[FORM]].concat();
        for body in ["action=submit", "action=submit&form=", "action=submit&form=AAAA"] {
            let reply = person.send("POST", &link.url, &headers, body.as_bytes()).await.unwrap();
            assert_eq!(reply.status, 403, "{headers:?} {body}");
        }
        // The right token does not help a form that says it comes from elsewhere.
        let body = format!("action=submit&form={token}");
        let other = send("POST", &link.url, &headers, body.as_bytes()).await;
        assert_eq!(other.status, 403, "a token without its cookie: {headers:?}");
    }
    assert_eq!(app.session(&link.id).await["opened_at"], json!(null));
    let hidden = [FORM, ("origin", "null")];
    let reply = person.send("POST", &link.url, &hidden, format!("form={token}").as_bytes()).await.unwrap();
    assert_eq!(reply.status, 303, "our own form under no-referrer");

    let address = person.open(&link.url).await;
    for headers in foreign {
        let headers = [headers, &[FORM]].concat();
        let body = b"action=cancel&step=1&f.email=eve%40example.test";
        let reply = person.send("POST", &address.url, &headers, body).await.unwrap();
        assert_eq!(reply.status, 403, "{headers:?}");
        // The token of the first page is tied to another cookie.
        let body = format!("action=cancel&form={token}");
        let reply = person.send("POST", &address.url, &headers, body.as_bytes()).await.unwrap();
        assert_eq!(reply.status, 403, "{headers:?}");
    }
    let own_form = [FORM, ("origin", own.as_str())];
    let body = "action=submit&step=1&f.email=ada%40example.test";
    let reply = person.send("POST", &address.url, &own_form, body.as_bytes()).await.unwrap();
    assert_eq!(reply.status, 303, "an older browser that names our origin");
    assert_eq!(person.open(&link.url).await.step(), "servers");
}

#[tokio::test]
async fn cookies_are_host_only_and_out_of_reach_of_scripts() {
    for secure in [false, true] {
        let mut app = App::prepared(&[]);
        if secure {
            app.set("PUBLIC_URL", &app.url("").replace("http://", "https://"));
        }
        app.run();
        let link = app.link(json!({})).await;
        assert_eq!(link.url.starts_with("https://"), secure);
        let url = link.url.replace("https://", "http://");
        let person = Person::new();
        let welcome = person.open(&url).await;
        let claimed =
            person.send("POST", &url, &[FORM, ("sec-fetch-site", "same-origin")], b"").await.unwrap();
        for reply in [&welcome.reply, &claimed] {
            let cookie = reply.header("set-cookie");
            let parts: Vec<_> = cookie.split("; ").collect();
            for part in ["Path=/", "HttpOnly", "SameSite=Lax"] {
                assert!(parts.contains(&part), "{cookie}");
            }
            assert!(!cookie.to_ascii_lowercase().contains("domain="), "{cookie}");
            assert_eq!(parts.contains(&"Secure"), secure, "{cookie}");
            assert_eq!(cookie.starts_with("__Host-"), secure, "{cookie}");
        }
        assert!(claimed.header("set-cookie").contains("Max-Age="));
        // The link's secret is in no address behind the claim.
        let secret = url.rsplit('/').next().unwrap();
        assert!(!claimed.header("location").contains(secret));
        assert_eq!(welcome.reply.header("strict-transport-security").is_empty(), !secure);
    }
}

#[tokio::test]
async fn a_session_moves_to_another_browser_five_times_and_inherits_nothing() {
    let app = mailbox().app(&[]);
    let link = app.link(json!({})).await;
    let mut holder = Person::new();
    let password = holder.until_password(mailbox(), &link).await;
    for moved in 1..=5 {
        let next = Person::new();
        let elsewhere = next.open(&link.url).await;
        assert_eq!(elsewhere.reply.status, 409);
        let unticked = next.submit(&elsewhere, &elsewhere.sheet()).await;
        assert_eq!(unticked.reply.status, 409, "without the tick nothing moves");
        let step = next.submit(&elsewhere, &elsewhere.sheet().raw("takeover", "yes")).await;
        assert_eq!(step.step(), "address", "move {moved}: {}", step.text());
        assert!(!step.reply.text().contains(ADDRESS), "nothing is inherited");
        // The one before is out, whatever it sends.
        let out = holder.open(&password.url).await;
        assert_eq!(out.reply.status, 409, "{}", out.text());
        let out = holder.submit(&password, &password.sheet().with("password", "x")).await;
        assert_eq!(out.reply.status, 409);
        holder = next;
    }
    let sixth = Person::new();
    let refused = sixth.open(&link.url).await;
    assert_eq!((refused.reply.status, refused.has("form")), (409, false), "{}", refused.text());
    let headers = [FORM, ("sec-fetch-site", "same-origin")];
    assert_eq!(sixth.send("POST", &link.url, &headers, b"takeover=yes").await.unwrap().status, 409);
    let end = go_on(&holder, mailbox(), &link.url, &mut || panic!("no answer")).await;
    assert!(succeeded(&end));
}

#[tokio::test]
async fn nobody_without_the_cookie_sees_identity_account_or_the_way_home() {
    let app = mailbox().app(&[]);
    let link = app
        .link(json!({
            "name": "user_7",
            "success_redirect_url": "https://secret-home.example.com/done",
            "failure_redirect_url": "https://secret-home.example.com/failed",
        }))
        .await;
    let person = Person::new();
    let password = person.until_password(mailbox(), &link).await;
    let stranger = Person::new();
    let mut shown = vec![stranger.open(&link.url).await, stranger.open(&password.url).await];
    shown.push(stranger.submit(&password, &password.sheet().with("password", "x")).await);
    let end = go_on(&person, mailbox(), &link.url, &mut || panic!("no answer")).await;
    assert!(end.text().contains(ADDRESS));
    let account = app.session(&link.id).await["account_id"].as_str().unwrap().to_owned();
    shown.push(stranger.open(&link.url).await);
    shown.push(stranger.open(&password.url).await);
    shown.push(stranger.submit(&password, &password.sheet().with("password", "x")).await);
    // A cookie of another session of this server is no better.
    let other = Person::new();
    other.begin(&app.link(json!({})).await).await;
    shown.push(other.open(&password.url).await);
    shown.push(other.open(&link.url).await);
    for seen in shown {
        assert!((403..=410).contains(&seen.reply.status), "{}", seen.reply.status);
        let everything = format!("{:?} {}", seen.reply.headers, seen.reply.text());
        for secret in [ADDRESS, &account, "secret-home.example.com/done", "user_7"] {
            assert!(!everything.contains(secret), "{secret} at {}: {}", seen.url, seen.text());
        }
    }
}

#[tokio::test]
async fn other_hosts_are_not_served_and_forwarded_ones_are_not_believed() {
    let app = App::start();
    let link = app.link(json!({})).await;
    let own = app.address().to_string();
    for host in ["evil.example", "127.0.0.1", "127.0.0.1:1", "", "evil.example@127.0.0.1"] {
        for url in [&link.url, &app.url("/v1/accounts"), &app.url("/wizard/ses_x"), &app.url("/nothing")] {
            let reply = send("GET", url, &[("host", host)], b"").await;
            assert_eq!(reply.status, 421, "{host}: {url}");
        }
    }
    let spoofed = [
        ("host", own.as_str()),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-forwarded-proto", "https"),
    ];
    let reply = send("GET", &link.url, &spoofed, b"").await;
    assert_eq!(reply.status, 200);
    assert!(!format!("{:?} {}", reply.headers, reply.text()).contains("evil.example"));
    let body = json!({
        "type": "create", "providers": ["MAIL"], "api_url": app.url("/v1"), "expiresOn": crate::app::in_an_hour(),
    });
    let headers = [&spoofed[..], &[("x-api-key", app.key()), ("content-type", "application/json")]].concat();
    let made =
        send("POST", &app.url("/v1/hosted/accounts/link"), &headers, body.to_string().as_bytes()).await;
    assert!(made.json()["url"].as_str().unwrap().starts_with(&app.url("/connect/")));
}
