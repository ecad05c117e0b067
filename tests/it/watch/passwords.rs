//! Mailboxes: looked at by signing in, broken by another password, healed when the old one is back.

use serde_json::{Value, json};

use super::{events, file, kinds, often, shown, status, until, until_looked_at, until_status};
use crate::app::App;
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::person::Person;
use crate::parts::certs::{Ca, Leaf};
use crate::parts::dns::{Answer, Dns};
use crate::parts::dovecot::Dovecot;
use crate::parts::submission::Submission;
use crate::parts::{READY, eventually, eventually_async};

async fn connected(mailbox: &Mailbox, settings: &[(&str, &str)]) -> (App, String) {
    let app = mailbox.app(&often(settings));
    let link = app.link(json!({})).await;
    let account = Person::new().account(&app, mailbox, &link).await;
    (app, account)
}

#[tokio::test]
async fn another_password_breaks_a_mailbox_at_the_second_refusal_and_the_old_one_heals_it() {
    let mailbox = Mailbox::start();
    let (app, account) = connected(&mailbox, &[]).await;
    let first = shown(&app, &account).await;
    let looked = until_looked_at(&app, &account, &first).await;
    assert_eq!((status(&looked), &looked["cause"]), ("OK", &Value::Null));
    eventually("a login of the watch", READY, || (mailbox.dovecot.logins(ADDRESS) >= 2).then_some(()));
    let before = mailbox.dovecot.refusals(ADDRESS);
    mailbox.dovecot.set_password(ADDRESS, "another one");
    let broken = until_status(&app, &account, "CREDENTIALS").await;
    assert_eq!(
        (&broken["cause"], &broken["user_action"]),
        (&json!("credentials_invalid"), &json!("reconnect"))
    );
    eventually("two refusals", READY, || (mailbox.dovecot.refusals(ADDRESS) >= before + 2).then_some(()));
    mailbox.dovecot.set_password(ADDRESS, PASSWORD);
    let healed = until_status(&app, &account, "OK").await;
    assert_eq!((&healed["cause"], &healed["user_action"]), (&Value::Null, &Value::Null));
    assert_eq!(kinds(&app, &account).await, ["account.connected", "account.broken", "account.healed"]);
    let told = events(&file(&app), &account).await;
    let cause = json!({ "provider": "imap", "status": "CREDENTIALS", "cause": "credentials_invalid" });
    assert_eq!((&told[1].1, &told[2].1), (&cause, &json!({ "provider": "imap", "status": "OK" })));
}

#[tokio::test]
async fn after_an_outage_another_password_still_has_to_be_refused_twice() {
    const NAME: &str = "mail.doubt.test";
    let (ca, dns) = (Ca::new(), Dns::start());
    let dovecot = Dovecot::start_named(&ca, Leaf::Good, &[NAME]);
    dovecot.set_password(ADDRESS, PASSWORD);
    let submission = Submission::start_named(&ca, Leaf::Good, &dovecot, &[NAME]);
    let mailbox = Mailbox { submission, dovecot, ca };
    let here = || Answer::one([127, 0, 0, 1]);
    dns.answer(NAME, here());
    let app = mailbox.app(&[
        ("DNS_SERVER", &dns.address().to_string()),
        ("CHECKS__PASSWORDS_SECONDS", "2"),
        ("CHECKS__BROKEN_SECONDS", "600"),
        ("CHECKS__ERROR_AFTER_SECONDS", "3"),
    ]);
    let mut body = crate::callers::imports::mailbox(&mailbox);
    for server in ["imap", "smtp"] {
        body["credentials"][server]["host"] = json!(NAME);
    }
    let account = crate::callers::imports::imported(&app, &body).await;
    dns.answer(NAME, Answer::Fails);
    let error = until_status(&app, &account, "ERROR").await;
    assert_eq!(error["user_action"], "wait");
    mailbox.dovecot.set_password(ADDRESS, "another one");
    let before = mailbox.dovecot.refusals(ADDRESS);
    dns.answer(NAME, here());
    let broken = until_status(&app, &account, "CREDENTIALS").await;
    assert_eq!(broken["cause"], "credentials_invalid");
    assert_eq!(mailbox.dovecot.refusals(ADDRESS) - before, 2, "it was asked a second time before");
    let told = events(&file(&app), &account).await;
    let told: Vec<_> = told.iter().map(|(kind, facts)| (&**kind, facts["status"].as_str())).collect();
    let broken = |status| ("account.broken", Some(status));
    assert_eq!(told, [("account.connected", None), broken("ERROR"), broken("CREDENTIALS")]);
}

#[tokio::test]
async fn one_refusal_that_passes_is_no_news() {
    let mailbox = Mailbox::start();
    // The second try comes five seconds after the first.
    let (app, account) = connected(&mailbox, &[("CHECKS__PASSWORDS_SECONDS", "60")]).await;
    let app = {
        // Due at once after this restart with shorter pauses, and then only in a minute.
        let mut app = app;
        app.stop();
        super::due_now(&file(&app)).await;
        mailbox.dovecot.set_password(ADDRESS, "another one");
        app.run();
        app
    };
    let doubted = until(&app, &account, "a doubt", |shown| shown["cause"] == "credentials_invalid").await;
    assert_eq!((status(&doubted), &doubted["user_action"]), ("OK", &json!("wait")));
    mailbox.dovecot.set_password(ADDRESS, PASSWORD);
    let well = until(&app, &account, "no doubt", |shown| shown["cause"] == Value::Null).await;
    assert_eq!(status(&well), "OK");
    assert_eq!(kinds(&app, &account).await, ["account.connected"]);
}

#[tokio::test]
async fn a_mail_server_that_is_away_breaks_nothing_and_is_left_alone_after_a_while() {
    let mailbox = Mailbox::start();
    let (app, account) = connected(&mailbox, &[("METRICS_LISTEN", "127.0.0.1:0")]).await;
    let Mailbox { dovecot, submission, ca } = mailbox;
    drop((dovecot, submission));
    let troubled = until(&app, &account, "trouble", |shown| shown["cause"] == "connect_refused").await;
    assert_eq!((status(&troubled), &troubled["user_action"]), ("OK", &json!("wait")));
    eventually_async("silence", READY, async || {
        (kinds(&app, &account).await == ["account.connected"]).then_some(())
    })
    .await;
    drop(ca);
}
