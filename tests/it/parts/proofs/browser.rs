//! Proofs of the browser.

use crate::parts::browser::{Browser, Look, Size};
use crate::parts::sink::{Answer, Sink};

const PAGE: &str = r#"<!doctype html><html lang="en"><head><title>Proof</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  body { background: white } .dark { display: none } .narrow { display: none }
  @media (prefers-color-scheme: dark) { body { background: black; color: white } .dark { display: block } }
  @media (max-width: 400px) { .narrow { display: block } }
</style></head><body>
<p class="dark">it is dark</p><p class="narrow">it is narrow</p><p id="script">no script</p>
<form action="/next"><input name="mailbox" value="old"><button>Go on</button></form>
<div style="height: 3000px"></div><p>the end</p>
<script>document.getElementById("script").textContent = "a script ran"</script>
</body></html>"#;

#[tokio::test]
async fn a_browser_shows_a_page_fills_a_form_and_takes_a_picture() {
    let sink = Sink::start();
    sink.answer(Answer::page(PAGE));
    let browser = Browser::open(Look { languages: "de,en".to_owned(), ..Look::default() }).await;
    browser.goto(&sink.url("/start")).await;
    let text = browser.text().await;
    assert!(text.contains("a script ran") && !text.contains("dark") && !text.contains("narrow"), "{text}");
    assert!(sink.calls()[0].header("accept-language").starts_with("de"), "{:?}", sink.calls()[0]);

    browser.fill("mailbox", "ann@example.test").await;
    sink.answer(Answer::page("<p>thank you</p>"));
    browser.click("button").await;
    browser.wait_for_text("thank you").await;
    assert_eq!(browser.url().await, sink.url("/next?mailbox=ann%40example.test"));

    let picture = browser.screenshot("proof-desktop").await;
    assert_eq!(size(&picture).0, 1280);
}

#[tokio::test]
async fn a_phone_in_the_dark_without_scripts_is_just_that() {
    let sink = Sink::start();
    sink.answer(Answer::page(PAGE));
    let look = Look { size: Size::Phone, dark: true, javascript: false, ..Look::default() };
    let browser = Browser::open(look).await;
    browser.goto(&sink.url("/")).await;
    let text = browser.text().await;
    for part in ["it is dark", "it is narrow", "no script", "the end"] {
        assert!(text.contains(part), "{text}");
    }
    let (width, height) = size(&browser.screenshot("proof-phone-dark").await);
    assert!(width == 390 && height > 3000, "{width} by {height}");
    browser.resize(Size::Narrow).await;
    assert_eq!(size(&browser.screenshot("proof-narrow").await).0, 320);
}

#[tokio::test]
async fn a_browser_reports_what_a_content_security_policy_forbids() {
    let sink = Sink::start();
    let browser = Browser::open(Look::default()).await;
    sink.answer(Answer::page("<link rel=icon href=data:,><p>quiet</p>"));
    browser.goto(&sink.url("/")).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    sink.answer(Answer::page(PAGE).header("content-security-policy", "default-src 'none'"));
    browser.goto(&sink.url("/")).await;
    let complaints = browser.complaints().await;
    assert!(complaints.iter().any(|line| line.contains("Content Security Policy")), "{complaints:?}");
}

/// Width and height, from the header of a PNG file.
fn size(picture: &std::path::Path) -> (u32, u32) {
    let bytes = std::fs::read(picture).unwrap();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}
