//! Pages of mail and of codes as people have set their browsers up, in the looks in which no other walk sees all of them: a
//! dark desk, from the right on a dark phone, the longest words in the narrowest window, text twice as large, the system's
//! few colours.

use serde_json::json;

use super::{Walk, desktop, narrow, phone};
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::live;
use crate::parts::browser::Look;
use crate::parts::dnsmasq::Dnsmasq;
use crate::parts::free_port;

fn looks() -> [(Look, &'static str); 5] {
    let spoken = |look: Look, tag: &str| Look { languages: tag.to_owned(), ..look };
    [
        (Look { dark: true, ..desktop() }, "desktop-dark"),
        (spoken(phone(), "ar"), "phone-dark-ar"),
        (spoken(narrow(), "de"), "narrow-de"),
        (Look { large: true, ..phone() }, "phone-large"),
        (Look { forced: true, ..desktop() }, "desktop-forced"),
    ]
}

#[tokio::test]
async fn every_page_of_mail_stands_in_every_look() {
    let mailbox = Mailbox::start();
    // A domain that takes mail and says nothing else, so that everything is tried in vain.
    let names = Dnsmasq::start(&["mx-host=harbour-mail.net,mx.harbour-mail.net,10".to_owned()]);
    let dead = free_port();
    let settings = mailbox.settings();
    let ports = settings.iter().find(|(name, _)| name.ends_with("PORTS")).expect("the ports");
    let app = mailbox.app(&[
        ("PROVIDERS__IMAP__PORTS", &format!("{},{dead}", ports.1)),
        ("DNS_SERVER", &names.address().to_string()),
    ]);
    for (look, name) in looks() {
        let walk = Walk::start(look, name).await;
        walk.begin(&app.link(json!({ "user_label": "Ada Lovelace" })).await).await;
        walk.see("mail-tour-address").await;
        for (address, page) in
            [("ada", "wrong"), ("ada@outlook.com", "elsewhere"), ("ada@gmail.com", "app-password")]
        {
            walk.fill("email", address).await;
            walk.press("submit").await;
            walk.see(&format!("mail-tour-{page}")).await;
        }
        walk.press("alternative:address").await;
        walk.fill("email", "ada@harbour-mail.net").await;
        walk.press("submit").await;
        walk.browser.click("details.tried summary").await;
        walk.see("mail-tour-tried").await;
        walk.fill("imap_host", "https://x/").await;
        walk.fill("smtp_host", "https://y/").await;
        walk.press("submit").await;
        walk.see("mail-tour-servers-wrong").await;
        walk.fill_servers(&mailbox).await;
        walk.fill("smtp_port", &dead.to_string()).await;
        walk.press("submit").await;
        walk.see("mail-tour-password").await;
        walk.fill("password", "wrong").await;
        walk.press("submit").await;
        walk.see("mail-tour-password-wrong").await;
        walk.fill("password", PASSWORD).await;
        walk.press("submit").await;
        walk.see("mail-tour-sending").await;
        walk.press("alternative:receive_only").await;
        walk.see("mail-tour-success").await;
    }
    assert_eq!(app.accounts().await.len(), looks().len());
    assert!(mailbox.dovecot.logins(ADDRESS) >= looks().len());
}

#[tokio::test]
async fn every_page_of_codes_stands_in_every_look() {
    let whatsapp = live::House::start();
    let account = json!({ "dc": 1, "password": live::telegram::PASSWORD, "hint": "battery" });
    let telegram = live::telegram::House::start(account).await;
    for (look, name) in looks() {
        let walk = Walk::start(look, name).await;
        walk.browser.goto(&whatsapp.link(json!({})).await.url).await;
        walk.press("submit").await;
        walk.until("#live .qr").await;
        walk.see("code-tour-whatsapp").await;
        walk.press("alternative:pairing_code").await;
        walk.fill("phone", "12").await;
        walk.press("submit").await;
        walk.see("code-tour-whatsapp-phone").await;
        walk.fill("phone", live::LABEL).await;
        walk.press("submit").await;
        walk.until("#live .typed").await;
        walk.see("code-tour-whatsapp-typed").await;

        walk.begin(&telegram.link(json!({})).await).await;
        walk.until("#live .qr").await;
        walk.see("code-tour-telegram").await;
        walk.press("alternative:phone_code").await;
        walk.fill("phone", "12").await;
        walk.press("submit").await;
        walk.see("code-tour-telegram-phone").await;
        walk.fill("phone", live::telegram::ADA).await;
        walk.press("submit").await;
        walk.see("code-tour-telegram-code").await;
        let sent = telegram.double.code(live::telegram::ADA).await;
        walk.fill("code", if sent == "00000" { "00001" } else { "00000" }).await;
        walk.press("submit").await;
        walk.see("code-tour-telegram-code-wrong").await;
        walk.fill("code", &sent).await;
        walk.press("submit").await;
        walk.see("code-tour-telegram-password").await;
    }
}
