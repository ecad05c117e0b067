//! Servers that are not there, or are not who they say: the person reads why in a sentence, and no password leaves.

use serde_json::json;

use super::{Walk, accounts, desktop, phone, untouched};
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::parts::certs::Leaf;
use crate::parts::dns::{Answer, Dns};
use crate::parts::{READY, eventually, free_port};

#[tokio::test]
async fn servers_that_are_not_there_are_said_so_and_can_be_corrected() {
    let mailbox = Mailbox::start();
    let dns = Dns::start();
    dns.answer("imap.example.test", Answer::Missing);
    let dead = free_port();
    let settings = mailbox.settings();
    let ports = settings.iter().find(|(name, _)| name.ends_with("PORTS")).expect("the ports");
    let app = mailbox.app(&[
        ("PROVIDERS__IMAP__PORTS", &format!("{},{dead}", ports.1)),
        ("DNS_SERVER", &dns.address().to_string()),
    ]);
    let walk = Walk::start(phone(), "phone-dark").await;
    // The guess is taken as it stands, and there is no such host.
    walk.until_servers(&app.link(json!({})).await).await;
    walk.press("submit").await;
    walk.see("guess-taken").await;
    walk.finish().await;
    walk.says(&["There is no server at imap.example.test:993", "typing mistakes"]).await;
    walk.see("host-missing").await;
    assert_eq!(walk.value("imap_host").await, "imap.example.test");

    walk.fill_servers(&mailbox).await;
    walk.fill("imap_port", &dead.to_string()).await;
    walk.press("submit").await;
    walk.finish().await;
    walk.says(&[&format!("We could not connect to 127.0.0.1:{dead}"), "the port"]).await;
    walk.see("port-refused").await;

    // The port for STARTTLS, spoken to as if it were the other.
    walk.fill("imap_port", &mailbox.dovecot.starttls().port().to_string()).await;
    walk.press("submit").await;
    walk.finish().await;
    walk.says(&["does not encrypt from the start"]).await;
    assert!(untouched(&mailbox), "{}", mailbox.dovecot.log());
    assert_eq!(accounts(&app).await, 0);

    walk.choose("imap_encryption", "starttls").await;
    walk.press("submit").await;
    walk.finish().await;
    walk.says(&["Your mailbox is connected"]).await;
    assert_eq!(accounts(&app).await, 1);
    // Dovecot writes a moment late: once it tells of this sign-in, it has told of all before.
    eventually("the sign-in in the log", READY, || (mailbox.dovecot.logins(ADDRESS) > 0).then_some(()));
    assert_eq!((mailbox.dovecot.logins(ADDRESS), mailbox.dovecot.refusals(ADDRESS)), (1, 0));
}

/// A server with this certificate is refused in these words, before any password is sent.
async fn refused(leaf: Leaf, page: &str, words: &[&str]) {
    let mailbox = Mailbox::with(leaf);
    let app = mailbox.app(&[]);
    let walk = Walk::start(desktop(), "desktop-light").await;
    walk.until_password(&mailbox, &app.link(json!({})).await).await;
    walk.finish().await;
    walk.says(words).await;
    walk.does_not_say(&[PASSWORD]).await;
    walk.see(page).await;
    assert_eq!(walk.value("imap_port").await, mailbox.dovecot.tls().port().to_string());
    assert!(walk.has("button[value=\"alternative:address\"]").await);
    // Trying again is a way on too, once whoever runs the server has mended it.
    walk.press("submit").await;
    assert_eq!(walk.value("password").await, "");
    walk.press("cancel").await;
    walk.press("cancel").await;
    walk.see_status(&format!("{page}-cancelled"), 410).await;
    assert!(untouched(&mailbox), "{}", mailbox.dovecot.log());
}

#[tokio::test]
async fn an_expired_certificate_gets_no_password() {
    refused(Leaf::Expired, "certificate-expired", &["has expired", "needs to renew it"]).await;
}

#[tokio::test]
async fn a_certificate_for_another_name_gets_no_password() {
    refused(Leaf::WrongName, "certificate-name", &["belongs to a server with another name"]).await;
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_gets_no_password() {
    refused(Leaf::SelfSigned, "certificate-issuer", &["We cannot verify the certificate"]).await;
}
