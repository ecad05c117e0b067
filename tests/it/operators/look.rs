//! The operator's own look: logo, colours and support, checked before anything starts and shown to people; and how the
//! code that a person quotes leads the operator to what happened.

use serde_json::{Value, json};

use crate::app::person::Person;
use crate::app::{App, http};
use crate::parts::browser::{Browser, Look};
use crate::parts::scratch::Scratch;

/// A logo that would do harm wherever it ran.
const LOGO: &str = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 240 48'><script>document.title='ran'</script>\
    <rect width='48' height='48' rx='12' fill='#7a1fa2'/><circle cx='24' cy='24' r='11' fill='#fff'/>\
    <text x='60' y='33' font-family='sans-serif' font-size='26' font-weight='700' fill='#7a1fa2'>Northwind</text></svg>";

fn logo(folder: &Scratch, name: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, LOGO.replace("#7a1fa2", if name == "dark" { "#e1b8f5" } else { "#7a1fa2" }))
        .unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_look_that_cannot_be_read_is_refused_with_the_way_out() {
    let folder = Scratch::new("look");
    let text = folder.join("logo.txt");
    std::fs::write(&text, "no picture").unwrap();
    let app = App::prepared(&[
        ("ACCENT", "#ffcc00"),
        ("ACCENT_DARK", "blue"),
        ("LOGO_FILE", &text.display().to_string()),
        ("SUPPORT_CONTACT", "help@acme.example"),
    ]);
    let (worked, _, said) = app.cli(&["config", "check"]);
    assert!(!worked, "{said}");
    for part in [
        "accent: #ffcc00 has a contrast of",
        "is the nearest that has it",
        "accent_dark: blue is no colour",
        "logo_file: ",
        "neither a PNG nor an SVG",
        "support_contact: must begin with mailto:, so write mailto:help@acme.example",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

#[tokio::test]
async fn the_operator_s_logo_and_colours_are_what_people_see() {
    let folder = Scratch::new("look");
    let app = App::with(&[
        ("ACCENT", "#7a1fa2"),
        ("LOGO_FILE", &logo(&folder, "light")),
        ("LOGO_DARK_FILE", &logo(&folder, "dark")),
        ("SUPPORT_CONTACT", "https://help.acme.example/mail"),
    ]);
    let link = app.link(json!({ "user_label": "Ada Lovelace" })).await;
    let mut seen = Vec::new();
    for (dark, name) in [(false, "branded-desktop-light"), (true, "branded-desktop-dark")] {
        let browser = Browser::open(Look { dark, ..Look::default() }).await;
        browser.goto(&link.url).await;
        let told = "const image = document.querySelector('header img');
            return [image.complete && image.clientWidth > 100 && image.clientHeight === 36, image.currentSrc, image.alt, document.title,
                getComputedStyle(document.querySelector('main .button')).backgroundColor]";
        let told = browser.client().execute(told, Vec::new()).await.expect("a page");
        assert_eq!((&told[0], &told[2]), (&Value::Bool(true), &Value::from("Acme CRM")), "{told}");
        assert_ne!(told[3], "ran");
        browser.screenshot(name).await;
        assert_eq!(browser.complaints().await, Vec::<String>::new());
        seen.push((told[1].as_str().unwrap().to_owned(), told[4].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen[0].1, "rgb(122, 31, 162)");
    assert!(seen[0].0 != seen[1].0 && seen[0].1 != seen[1].1, "{seen:?}");
    // Opened by itself, the file runs nothing.
    let file = http::send("GET", &seen[0].0, &[], b"").await;
    assert_eq!((file.status, file.header("content-type")), (200, "image/svg+xml"));
    assert_eq!(file.header("x-content-type-options"), "nosniff");
    let policy = file.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    assert!(file.header("cache-control").contains("immutable"));
    let browser = Browser::open(Look::default()).await;
    browser.goto(&seen[0].0).await;
    assert_ne!(browser.client().title().await.unwrap(), "ran");
}

/// The code on a page.
fn quoted(page: &str) -> String {
    let code = page.split("<code dir=\"ltr\">").nth(1).expect("a code");
    code.split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_code_on_a_page_leads_to_its_session_or_to_its_line_in_the_log() {
    let app = App::with(&[("SUPPORT_CONTACT", "mailto:help@acme.example"), ("LOG", "info")]);
    let link = app.link(json!({})).await;
    let reply = app.api("DELETE", &format!("/v1/hosted/accounts/link/{}", link.id), None).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let over = Person::new().open(&link.url).await.reply.text();
    let code = quoted(&over);
    assert!(over.contains("mailto:help@acme.example?subject="), "{over}");
    // As it was heard on the phone.
    let (worked, shown, said) = app.cli(&["sessions", "show", &code.to_lowercase().replace('-', " ")]);
    assert!(worked, "{said}");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["id"], &shown["reference"]), (&json!(link.id), &json!(code)));
    let line = app.output().lines().find(|line| line.contains(&code)).map(str::to_owned).expect("a line");
    assert!(line.contains(&link.id) && line.contains("revoked"), "{line}");

    // No session: the log alone knows.
    let unknown = http::send("GET", &app.url("/connect/not-a-link"), &[], b"").await;
    let code = quoted(&unknown.text());
    let (worked, _, said) = app.cli(&["sessions", "show", &code]);
    assert!(!worked && said.contains("no session has the reference"), "{said}");
    let line = app.output().lines().find(|line| line.contains(&code)).map(str::to_owned).expect("a line");
    assert!(line.contains(unknown.header("x-request-id")) && line.contains("unknown_link"), "{line}");
    let (worked, _, said) = app.cli(&["sessions", "show", "nowhere"]);
    assert!(!worked && said.contains("7Q4K-M2XD"), "{said}");
}
