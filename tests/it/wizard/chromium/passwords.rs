//! Passwords that are not taken, and a mailbox that reads but does not send.

use serde_json::json;

use super::{Walk, accounts, desktop, phone};
use crate::app::mailbox::{ADDRESS, Mailbox};
use crate::parts::eventually;
use crate::parts::{READY, free_port};

#[tokio::test]
async fn a_wrong_password_is_said_beside_its_field_and_the_right_one_works() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let link = app.link(json!({})).await;
    let walk = Walk::start(phone(), "phone-dark").await;
    walk.until_password(&mailbox, &link).await;
    walk.fill("password", "not the one").await;
    walk.press("submit").await;

    walk.says(&["The mail server did not accept this", &mailbox.dovecot.tls().to_string()]).await;
    walk.see("password-wrong").await;
    assert_eq!(walk.value("password").await, "");
    assert_eq!(walk.attribute("[name=\"f.password\"]", "aria-invalid").await, "true");
    assert_eq!(walk.attribute("[name=\"f.password\"]", "aria-describedby").await, "f-password-error");
    assert_eq!(walk.run("return document.activeElement.name").await, "f.password");
    assert!(walk.browser.client().title().await.unwrap().starts_with("Please check"));
    assert_eq!(accounts(&app).await, 0);
    eventually("the refusal in the log", READY, || (mailbox.dovecot.refusals(ADDRESS) == 1).then_some(()));

    walk.browser.click(".reveal-button").await;
    assert_eq!(walk.attribute("[name=\"f.password\"]", "type").await, "text");
    walk.finish().await;
    walk.says(&["Your mailbox is connected"]).await;
    walk.does_not_say(&["Back to"]).await;
    walk.see("success-no-way-home").await;
    assert_eq!(accounts(&app).await, 1);
}

/// A mailbox whose servers were typed with a port for sending where nobody answers; ends on the step `sending`.
async fn reads_but_does_not_send(walk: &Walk, mailbox: &Mailbox) -> crate::app::App {
    let dead = free_port();
    let settings = mailbox.settings();
    let ports = settings.iter().find(|(name, _)| name.ends_with("PORTS")).expect("the ports");
    let app = mailbox.app(&[("PROVIDERS__IMAP__PORTS", &format!("{},{dead}", ports.1))]);
    let link = app.link(json!({ "name": "user_1" })).await;
    walk.until_servers(&link).await;
    walk.fill_servers(mailbox).await;
    walk.fill("smtp_port", &dead.to_string()).await;
    walk.press("submit").await;
    walk.finish().await;
    walk.says(&["Reading works", &format!("We could not connect to 127.0.0.1:{dead}")]).await;
    assert_eq!(walk.value("smtp_host").await, "127.0.0.1");
    assert_eq!(walk.value("smtp_port").await, dead.to_string());
    assert_eq!(accounts(&app).await, 0);
    app
}

#[tokio::test]
async fn settings_for_sending_can_be_corrected_without_typing_the_password_again() {
    let mailbox = Mailbox::start();
    let walk = Walk::start(phone(), "phone-dark").await;
    let app = reads_but_does_not_send(&walk, &mailbox).await;
    walk.see("sending").await;
    // The right port, but not how it speaks.
    walk.fill("smtp_port", &mailbox.submission.starttls().port().to_string()).await;
    walk.press("submit").await;
    walk.says(&["does not encrypt from the start"]).await;
    walk.see("sending-encryption").await;
    walk.choose("smtp_encryption", "starttls").await;
    walk.press("submit").await;
    walk.says(&["Your mailbox is connected"]).await;
    walk.does_not_say(&["not sent"]).await;
    assert_eq!(accounts(&app).await, 1);
}

#[tokio::test]
async fn a_person_may_go_on_without_sending_and_is_told_so() {
    let mailbox = Mailbox::start();
    let walk = Walk::start(desktop(), "desktop-light").await;
    let app = reads_but_does_not_send(&walk, &mailbox).await;
    walk.see("sending").await;
    walk.press("alternative:receive_only").await;
    walk.says(&["Your mailbox is connected", "can be read but not sent"]).await;
    walk.see("success-receive-only").await;
    assert_eq!(accounts(&app).await, 1);
}

#[tokio::test]
async fn providers_with_rules_of_their_own_say_them_before_anything_is_typed() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let walk = Walk::start(phone(), "phone-dark").await;
    walk.begin(&app.link(json!({})).await).await;
    for (address, page, words) in [
        ("ada@outlook.com", "outlook", "no longer lets other services sign in with a password"),
        ("ada@proton.me", "proton", "does not let outside services"),
    ] {
        walk.fill("email", address).await;
        walk.press("submit").await;
        walk.says(&[words]).await;
        walk.see(page).await;
        // The way on is another address, in the field with the cursor.
        assert_eq!(walk.value("email").await, address);
        assert_eq!(walk.run("return document.activeElement.name").await, "f.email");
    }
    walk.fill("email", "ada@gmail.com").await;
    walk.press("submit").await;
    walk.says(&["app password", "imap.gmail.com:993", "smtp.gmail.com"]).await;
    walk.see("gmail").await;
    let help = walk.attribute("a.out", "href").await;
    assert!(help.starts_with("https://") && help.contains("google"), "{help}");
    assert_eq!(walk.attribute("a.out", "target").await, "_blank");
    assert!(walk.attribute("a.out", "rel").await.contains("noopener"));
    // Servers can be seen and changed, and the way back to the address is open.
    walk.press("alternative:servers").await;
    assert_eq!(walk.value("imap_host").await, "imap.gmail.com");
    walk.press("alternative:address").await;
    assert_eq!(walk.value("email").await, "ada@gmail.com");
}

#[tokio::test]
async fn an_address_that_is_none_is_said_beside_its_field() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.begin(&app.link(json!({ "email": "ada" })).await).await;
    assert_eq!(walk.value("email").await, "ada");
    walk.press("submit").await;
    walk.says(&["name@example.com"]).await;
    walk.see("address-wrong").await;
    walk.fill("email", ADDRESS).await;
    walk.press("submit").await;
    for name in ["imap_host", "smtp_host"] {
        walk.fill(name, "https://mail.example.test/").await;
    }
    walk.fill("imap_port", "22").await;
    walk.press("submit").await;
    walk.says(&["3 things need a second look", "without https://", "Please use one of these ports"]).await;
    walk.see("servers-wrong").await;
    assert_eq!(walk.value("login").await, ADDRESS);
    assert_eq!(walk.value("imap_port").await, "22");
}
