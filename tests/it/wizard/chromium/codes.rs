//! Codes on the screen, read off it as a camera would and used at the stand-in: with scripts the page follows by itself, and
//! without them by loading again; on a phone the other way comes first.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{Walk, desktop, phone};
use crate::app::App;
use crate::live::nodes::two_nodes_at;
use crate::live::{House, LABEL, PHONE, telegram};
use crate::parts::browser::Look;
use crate::parts::front::Front;
use crate::parts::postgres::schema;
use crate::parts::whatsapp::Whatsapp;
use crate::parts::{READY, eventually_async, local};

/// What the QR code in a picture says, if there is one.
fn read(picture: &Path) -> Option<String> {
    let file = std::io::BufReader::new(std::fs::File::open(picture).expect("a picture"));
    let mut decoder = png::Decoder::new(file);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().expect("a picture");
    let mut pixels = vec![0; reader.output_buffer_size().expect("its size")];
    let info = reader.next_frame(&mut pixels).expect("its pixels");
    let (width, samples) = (info.width as usize, info.color_type.samples());
    let grey = |x: usize, y: usize| pixels[(y * width + x) * samples];
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, info.height as usize, grey);
    image.detect_grids().first().and_then(|grid| grid.decode().ok()).map(|(_, text)| text)
}

/// Waits for the code on the screen and reads it.
async fn on_show(walk: &Walk, name: &str) -> String {
    walk.until("#live .qr").await;
    eventually_async("a code that can be read", READY, async || read(&walk.browser.screenshot(name).await))
        .await
}

/// The same, and scans it with somebody's phone.
async fn scanned(walk: &Walk, house: &House, name: &str) {
    let text = on_show(walk, name).await;
    house.double.scan(PHONE, &text).await.expect("a scan");
}

async fn whole_way(look: Look, name: &str) {
    let house = House::start();
    let walk = Walk::start(look, name).await;
    let link = house.link(json!({ "name": "user_1" })).await;
    walk.browser.goto(&link.url).await;
    walk.press("submit").await;
    walk.until("#live .qr").await;
    walk.says(&["WhatsApp"]).await;
    walk.see("qr").await;
    scanned(&walk, &house, &format!("qr-read-{name}")).await;
    walk.until(".sign-good").await;
    walk.see("qr-connected").await;
    assert_eq!(house.app.accounts().await.len(), 1);
}

#[tokio::test]
async fn a_code_is_read_off_a_desk_s_screen_and_the_page_goes_on_by_itself() {
    whole_way(desktop(), "desktop-light").await;
}

#[tokio::test]
async fn a_code_is_read_off_a_dark_screen_without_scripts() {
    whole_way(Look { javascript: false, dark: true, ..desktop() }, "desktop-dark-plain").await;
}

#[tokio::test]
async fn a_code_that_is_renewed_takes_the_place_of_the_one_before() {
    let house = House::with(&[("PROVIDERS__WHATSAPP__TEST_CODE_SECONDS", "4")]);
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.browser.goto(&house.link(json!({})).await.url).await;
    walk.press("submit").await;
    walk.until("#live .qr").await;
    // Something of the page's own that a page loaded anew would not have.
    walk.run("window.stands = true").await;
    let first = read(&walk.browser.screenshot("qr-renewed-first").await).expect("a code");
    let second = another(&walk, "qr-renewed", &first).await;
    assert_eq!(walk.run("return window.stands === true").await, true, "only the code was exchanged");
    house.double.scan(PHONE, &second).await.expect("a scan");
    walk.until(".sign-good").await;
}

/// Waits for another code than the one on the screen before.
async fn another(walk: &Walk, name: &str, before: &str) -> String {
    eventually_async("another code", READY, async || {
        read(&walk.browser.screenshot(name).await).filter(|text| text != before)
    })
    .await
}

#[tokio::test]
async fn a_page_that_is_loaded_again_and_one_in_another_tab_show_the_step_with_a_code_that_works() {
    let house = House::with(&[("PROVIDERS__WHATSAPP__TEST_CODE_SECONDS", "8")]);
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.begin(&house.link(json!({})).await).await;
    let shown = on_show(&walk, "qr-loaded-again").await;
    let client = walk.browser.client();
    let step = "return document.querySelector('#answer input[name=step]').value";
    let version = walk.run(step).await;
    client.refresh().await.expect("the page once more");
    walk.until("#live .qr").await;
    assert_eq!(walk.run(step).await, version, "nothing began anew");
    // The next tab holds the session by the same cookie.
    let (first, url) = (client.window().await.expect("a tab"), walk.browser.url().await);
    let second = client.new_window(true).await.expect("another tab").handle;
    client.switch_to_window(second).await.expect("it is in front");
    walk.browser.resize(desktop().size).await;
    walk.browser.goto(&url).await;
    walk.until("#live .qr").await;
    assert_eq!(walk.run(step).await, version, "nothing began anew");
    assert_eq!(house.double.log("registration").await.len(), 1, "one conversation for all of them");
    // Both follow: the code is renewed under one tab, and the scan leads the other to its end, too.
    let renewed = another(&walk, "qr-second-tab", &shown).await;
    house.double.scan(PHONE, &renewed).await.expect("a scan");
    walk.until(".sign-good").await;
    client.switch_to_window(first).await.expect("it is in front");
    walk.until(".sign-good").await;
    assert_eq!(house.app.accounts().await.len(), 1);
}

#[tokio::test]
async fn a_page_that_hears_no_events_asks_for_the_next_code_by_itself() {
    let walk = Walk::start(desktop(), "desktop-light").await;
    // A proxy lets none through; a browser has none.
    for without in ["Network.setBlockedURLs", "Page.addScriptToEvaluateOnNewDocument"] {
        let house = House::with(&[("PROVIDERS__WHATSAPP__TEST_CODE_SECONDS", "5")]);
        walk.browser.devtools("Network.enable", json!({})).await;
        let how = json!({ "urls": ["*/events"], "source": "delete window.EventSource" });
        walk.browser.devtools(without, how).await;
        walk.begin(&house.link(json!({})).await).await;
        let first = on_show(&walk, "qr-asked-first").await;
        walk.run("window.stands = true").await;
        let second = another(&walk, "qr-asked", &first).await;
        assert_eq!(walk.run("return window.stands === true").await, true, "only the code was exchanged");
        house.double.scan(PHONE, &second).await.expect("a scan");
        walk.until(".sign-good").await;
        walk.browser.devtools("Network.setBlockedURLs", json!({ "urls": [] })).await;
    }
}

/// Something on the way opens the stream and lets nothing through.
#[tokio::test]
async fn a_page_whose_stream_is_open_and_mute_looks_by_itself() {
    let house = House::start();
    let walk = Walk::start(desktop(), "desktop-light").await;
    let mute = "window.EventSource = class extends EventTarget {
        constructor() { super(); this.readyState = 1; setTimeout(() => this.dispatchEvent(new Event('open'))); }
    }";
    walk.browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": mute })).await;
    walk.begin(&house.link(json!({})).await).await;
    let code = on_show(&walk, "qr-mute").await;
    house.double.scan(PHONE, &code).await.expect("a scan");
    // Long before the code on show would have run out.
    eventually_async("the end", Duration::from_secs(45), async || walk.has(".sign-good").await.then_some(()))
        .await;
}

/// What a page fetches may have been drawn just before the code came that the stream speaks of, or be lost on its way.
#[tokio::test]
async fn a_page_whose_look_was_in_vain_looks_again() {
    let double = Whatsapp::start();
    let at = double.endpoint().split('/').nth(2).expect("a host").parse().expect("an address");
    let front = Front::start(at);
    front.hold();
    let endpoint = format!("ws://{}/ws/chat", front.address());
    let mut own = double.variables();
    own.push(("PROVIDERS__WHATSAPP__TEST_ENDPOINT".to_owned(), endpoint));
    let own: Vec<_> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let app = App::with(&own);
    let walk = Walk::start(desktop(), "desktop-light").await;
    // The first answer that has a code comes as the one before it, the second not at all.
    let vain = "const real = window.fetch;
        let [codes, before] = [0, undefined];
        window.fetch = async (...asked) => {
            const reply = await real(...asked);
            const text = await reply.clone().text();
            if (!text.includes('class=\"qr\"')) {
                before = text;
                return reply;
            }
            codes += 1;
            window.codes = codes;
            if (codes === 1) return new Response(before ?? document.documentElement.outerHTML);
            if (codes === 2) throw new TypeError('lost');
            return reply;
        };";
    walk.browser.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": vain })).await;
    walk.begin(&app.link(json!({ "providers": ["WHATSAPP"] })).await).await;
    walk.until("#live").await;
    assert!(!walk.has("#live .qr").await, "there is no code yet");
    front.release();
    walk.until("#live .qr").await;
    assert_eq!(walk.run("return window.codes").await, 3, "two looks were in vain");
}

#[tokio::test]
async fn a_page_outlives_its_server_and_shows_the_next_one_s_code() {
    let mut house = House::start();
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.browser.goto(&house.link(json!({})).await.url).await;
    walk.press("submit").await;
    walk.until("#live .qr").await;
    let first = read(&walk.browser.screenshot("qr-outlived-first").await).expect("a code");
    house.app.kill();
    house.app.run();
    let second = another(&walk, "qr-outlived", &first).await;
    assert!(
        house.double.scan(PHONE, &first).await.is_err(),
        "what nobody talks about any more links nothing"
    );
    house.double.scan(PHONE, &second).await.expect("a scan");
    walk.until(".sign-good").await;
    assert_eq!(house.app.accounts().await.len(), 1);
}

#[tokio::test]
async fn a_page_outlives_the_node_that_watches_and_shows_the_other_one_s_code() {
    let (double, schema, front) = (Whatsapp::start(), schema(), Front::start(local(9)));
    let (mut first, second) = two_nodes_at(&double.variables(), &schema.url(), Some(&front));
    let link = first.link(json!({ "providers": ["WHATSAPP"] })).await;
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.browser.goto(&link.url).await;
    walk.press("submit").await;
    let shown = on_show(&walk, "qr-node-first").await;
    first.kill();
    front.aim(second.address());
    let fresh = eventually_async("another code", Duration::from_secs(60), async || {
        read(&walk.browser.screenshot("qr-node").await).filter(|text| *text != shown)
    })
    .await;
    assert!(double.scan(PHONE, &shown).await.is_err(), "what nobody listens to links nothing");
    double.scan(PHONE, &fresh).await.expect("a scan");
    walk.until(".sign-good").await;
    assert_eq!(second.accounts().await.len(), 1);
}

#[tokio::test]
async fn on_a_phone_the_code_to_type_comes_first() {
    let house = House::start();
    let walk = Walk::start(phone(), "phone-dark").await;
    walk.browser.goto(&house.link(json!({})).await.url).await;
    walk.press("submit").await;
    walk.until("#live .qr").await;
    walk.see("qr").await;
    let order = "const at = (css) => document.querySelector(css).getBoundingClientRect();
        return at('button[value=\"alternative:pairing_code\"]').bottom < at('#live .qr').top";
    assert_eq!(walk.run(order).await, true);
    walk.press("alternative:pairing_code").await;
    walk.see("pairing-phone").await;
    walk.fill("phone", LABEL).await;
    walk.press("submit").await;
    walk.until("#live .typed").await;
    walk.see("pairing-code").await;
    let typed = walk.run("return document.querySelector('#live .typed code').innerText").await;
    let typed: String = typed.as_str().expect("a code").split_whitespace().collect();
    house.double.type_code(PHONE, &typed).await.expect("a typed code");
    walk.until(".sign-good").await;
}

/// From a fresh link to a connected account whose owner has to type a password.
async fn telegram(look: Look, name: &str) {
    let account = json!({ "dc": 3, "password": telegram::PASSWORD, "hint": "battery" });
    let house = telegram::House::start(account).await;
    let walk = Walk::start(look, name).await;
    walk.begin(&house.link(json!({})).await).await;
    let text = on_show(&walk, &format!("telegram-read-{name}")).await;
    assert!(text.starts_with("tg://login?token="));
    walk.says(&["Telegram"]).await;
    walk.see("telegram-qr").await;
    house.double.scan(&text, telegram::ADA).await;
    walk.until("[name=\"f.password\"]").await;
    walk.says(&["battery"]).await;
    walk.see("telegram-password").await;
    walk.fill("password", "wrong").await;
    walk.press("submit").await;
    walk.until("[name=\"f.password\"][aria-invalid=true]").await;
    walk.see("telegram-password-wrong").await;
    walk.fill("password", telegram::PASSWORD).await;
    walk.press("submit").await;
    walk.until(".sign-good").await;
    walk.says(&[telegram::ADA]).await;
    walk.see("telegram-connected").await;
    assert_eq!(house.app.accounts().await.len(), 1);
}

#[tokio::test]
async fn a_telegram_code_is_read_off_the_screen_and_the_password_typed_behind_it() {
    telegram(desktop(), "desktop-light").await;
}

#[tokio::test]
async fn a_telegram_code_is_read_off_a_dark_phone_without_scripts() {
    telegram(Look { javascript: false, ..phone() }, "phone-dark-plain").await;
}
