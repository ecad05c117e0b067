//! Scanners spend nothing: whatever opens, previews or even submits a link, the person still connects.

use scraper::{Html, Selector};
use serde_json::json;
use url::form_urlencoded::Serializer;

use super::walk::{go_on, mailbox, succeeded};
use crate::app::http::send;
use crate::app::person::Person;
use crate::app::{App, Link};
use crate::parts::browser::{Browser, Look};

/// Connects as a person who does what the pages ask, taking the link over when somebody else holds it.
async fn the_person_connects(app: &App, link: &Link) {
    let person = Person::new();
    let seen = person.open(&link.url).await;
    if seen.reply.status == 409 {
        let step = person.submit(&seen, &seen.sheet().raw("takeover", "yes")).await;
        assert_eq!(step.step(), "address", "{}", step.text());
    }
    let end = go_on(&person, mailbox(), &link.url, &mut || panic!("no answer")).await;
    assert!(succeeded(&end));
    assert_eq!(app.session(&link.id).await["status"], "CONNECTED");
}

async fn assert_unopened(app: &App, link: &Link) {
    let session = app.session(&link.id).await;
    assert_eq!((&session["status"], &session["opened_at"]), (&json!("OPEN"), &json!(null)));
}

#[tokio::test]
async fn requests_that_no_person_made_spend_nothing() {
    let app = mailbox().app(&[]);
    let link = app.link(json!({})).await;
    for (method, name, value, status) in [
        ("GET", "user-agent", "scanner", 200),
        ("HEAD", "user-agent", "scanner", 200),
        ("OPTIONS", "user-agent", "scanner", 405),
        ("PUT", "user-agent", "scanner", 405),
        ("GET", "sec-purpose", "prefetch;prerender", 503),
        ("GET", "purpose", "prefetch", 503),
        ("GET", "x-moz", "prefetch", 503),
        ("GET", "x-purpose", "preview", 503),
    ] {
        let reply = send(method, &link.url, &[(name, value)], b"").await;
        assert_eq!(reply.status, status, "{method} {name}: {value}");
    }
    // HEAD tells nothing: a wrong link looks the same.
    assert_eq!(send("HEAD", &app.url("/connect/wrong"), &[], b"").await.status, 200);
    assert_unopened(&app, &link).await;
    the_person_connects(&app, &link).await;
}

#[tokio::test]
async fn a_browser_that_runs_scripts_but_presses_nothing_spends_nothing() {
    let app = mailbox().app(&[]);
    let link = app.link(json!({})).await;
    let browser = Browser::open(Look::default()).await;
    for _ in 0..2 {
        browser.goto(&link.url).await;
        assert!(!browser.text().await.is_empty());
    }
    assert_unopened(&app, &link).await;
    the_person_connects(&app, &link).await;
}

/// Submits every form of the page at an address as it stands, over and over, with and without the first button.
async fn submit_everything(scanner: &Person, url: &str) {
    for pressing in [false, true] {
        let mut here = url.to_owned();
        for _ in 0..6 {
            let seen = scanner.open(&here).await;
            for (action, fields) in forms(&seen.reply.text(), pressing) {
                let target = url::Url::parse(&seen.url).unwrap().join(&action).unwrap();
                let body = Serializer::new(String::new()).extend_pairs(&fields).finish();
                let headers = [
                    ("content-type", "application/x-www-form-urlencoded"),
                    ("sec-fetch-site", "same-origin"),
                ];
                let reply = scanner.send("POST", target.as_str(), &headers, body.as_bytes()).await.unwrap();
                if reply.status == 303 {
                    here = target.join(reply.header("location")).unwrap().to_string();
                }
            }
        }
    }
}

fn forms(page: &str, pressing: bool) -> Vec<(String, Vec<(String, String)>)> {
    let page = Html::parse_document(page);
    let (form, field) = (Selector::parse("form").unwrap(), Selector::parse("input").unwrap());
    let button = Selector::parse("button[name]").unwrap();
    page.select(&form)
        .map(|form| {
            let mut fields: Vec<_> = form
                .select(&field)
                .filter(|input| input.attr("type") != Some("checkbox") || input.attr("checked").is_some())
                .filter_map(|input| Some((input.attr("name")?, input.attr("value").unwrap_or_default())))
                .collect();
            if let (true, Some(button)) = (pressing, form.select(&button).next()) {
                fields.push((button.attr("name").unwrap(), button.attr("value").unwrap_or_default()));
            }
            let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            (form.attr("action").unwrap_or_default().to_owned(), fields.into_iter().map(own).collect())
        })
        .collect()
}

#[tokio::test]
async fn a_scanner_that_submits_forms_before_the_person_does_not_keep_them_out() {
    let app = mailbox().app(&[]);
    let link = app.link(json!({})).await;
    submit_everything(&Person::new(), &link.url).await;
    assert_eq!(app.session(&link.id).await["status"], "OPEN");
    the_person_connects(&app, &link).await;
}

#[tokio::test]
async fn a_scanner_that_submits_forms_meanwhile_cannot_end_a_live_attempt() {
    let app = mailbox().app(&[]);
    let link = app.link(json!({})).await;
    let person = Person::new();
    let password = person.until_password(mailbox(), &link).await;
    submit_everything(&Person::new(), &link.url).await;
    submit_everything(&Person::new(), &password.url).await;
    let here = person.open(&link.url).await;
    assert_eq!((here.reply.status, here.step()), (200, "password"), "{}", here.text());
    let end = go_on(&person, mailbox(), &link.url, &mut || panic!("no answer")).await;
    assert!(succeeded(&end));
    // Nor can it undo what is done.
    submit_everything(&Person::new(), &link.url).await;
    assert!(succeeded(&person.open(&link.url).await));
}
