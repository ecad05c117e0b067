//! The main job: a link, a person, a mailbox, a told backend.

use std::time::Duration;

use serde_json::json;

use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::person::Person;
use crate::parts::sink::Sink;

#[tokio::test]
async fn a_person_connects_a_mailbox_and_the_backend_is_told() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&[]);
    let sink = Sink::start();
    let link = app
        .link(json!({
            "name": "user_1234",
            "notify_url": sink.url("/callback?secret=1"),
            "success_redirect_url": "https://app.example.com/done?state=x",
        }))
        .await;
    let person = Person::new();
    let account = person.account(&app, &mailbox, &link).await;

    let calls = sink.wait_for(1, Duration::from_secs(10)).await;
    let expected = format!(r#"{{"status":"CREATION_SUCCESS","account_id":"{account}","name":"user_1234"}}"#);
    assert_eq!(String::from_utf8_lossy(&calls[0].body), expected);

    let read = app.api("GET", &format!("/v1/accounts/{account}"), None).await.json();
    assert_eq!(read["type"], "MAIL");
    assert_eq!(read["name"], ADDRESS);
    assert_eq!(read["connection_params"]["mail"]["imap_user"], ADDRESS);
    assert_eq!(read["sources"][0]["status"], "OK");

    let end = person.open(&link.url).await;
    let home = format!("https://app.example.com/done?state=x&account_id={account}");
    assert_eq!(end.attribute("a[href^=\"https://app.example.com\"]", "href"), Some(home));

    let everything = std::fs::read(app.data("vestibule.db")).unwrap();
    let log = std::fs::read(app.data("vestibule.db-wal")).unwrap_or_default();
    for secret in [PASSWORD, "user_1234", "callback?secret"] {
        for bytes in [&everything, &log] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in the database in clear");
        }
        assert!(!app.output().contains(secret), "{secret} is in the log");
    }
}
