//! Addresses, names and passwords in other letters than ASCII's, tried against real servers: SASL carries them as UTF-8,
//! and names are looked up, and certificates checked, in ASCII.

use serde_json::json;

use super::imap::Person;
use crate::app::App;
use crate::app::person::Person as Visitor;
use crate::parts::certs::{Ca, Leaf};
use crate::parts::dnsmasq::Dnsmasq;
use crate::parts::dovecot::Dovecot;
use crate::parts::front::Front;
use crate::parts::own_addresses;
use crate::parts::submission::Submission;
use crate::parts::{READY, eventually};

const PASSWORD: &str = "пароль 密码 \"naïve\" 🦊";

#[tokio::test]
async fn addresses_and_passwords_in_other_letters_sign_in_for_reading_and_for_sending() {
    let ca = Ca::new();
    let dovecot = Dovecot::start(&ca, Leaf::Good);
    let submission = Submission::start(&ca, Leaf::Good, &dovecot);
    for (typed, login) in [
        ("büro@example.test", "büro@example.test"),
        ("用户@例え.test", "用户@例え.test"),
        ("用户＠例え。test", "用户@例え.test"),
        ("用户@xn--r8jz45g.test", "用户@例え.test"),
        // Without other letters before the @, the domain is the one that every mail system knows.
        ("ada@例え.test", "ada@xn--r8jz45g.test"),
    ] {
        dovecot.set_password(login, PASSWORD);
        for (imap, smtp) in [
            ((dovecot.tls(), "tls"), (submission.tls(), "tls")),
            ((dovecot.starttls_strict(), "starttls"), (submission.starttls(), "starttls")),
        ] {
            let mut person = Person::arrive(&ca, None).await;
            person.submit(&[("email", typed)]).await;
            let step = person.step.as_ref().unwrap();
            let offered = step.fields.iter().find(|field| field.name == "login").unwrap();
            assert_eq!(offered.value.as_deref(), Some(login), "{typed}");
            person.type_servers(login, imap, smtp).await;
            person.submit(&[("password", "пароль")]).await;
            assert_eq!(person.told(), ("password", Some("credentials_invalid")), "{typed}");
            person.submit(&[("password", PASSWORD)]).await;
            assert_eq!(person.told(), ("connected", None), "{typed}");
            let connected = person.connected.unwrap();
            assert_eq!(connected.profile.label, login);
            assert_eq!(connected.profile.text("smtp_user"), login);
        }
        let seen = || (dovecot.log().matches(&format!("Login: user=<{login}>")).count() >= 2).then_some(());
        eventually("the sign-ins", READY, seen);
    }
}

#[tokio::test]
async fn the_servers_of_a_domain_in_other_letters_are_found_under_its_ascii_name() {
    let [mail] = own_addresses();
    let ascii = idna::domain_to_ascii("häfen-post.net").unwrap();
    let (imap, smtp) = (format!("imap.{ascii}"), format!("smtp.{ascii}"));
    let ca = Ca::new();
    let names = [imap.as_str(), smtp.as_str()];
    let dovecot = Dovecot::start_named(&ca, Leaf::Good, &names);
    let submission = Submission::start_named(&ca, Leaf::Good, &dovecot, &names);
    let _fronts =
        [(993, dovecot.tls()), (465, submission.tls())].map(|(port, to)| Front::at((mail, port).into(), to));
    let records = names.map(|name| format!("host-record={name},{mail}"));
    let dns = Dnsmasq::start(&records);
    let app = App::with(&[
        ("DNS_SERVER", &dns.address().to_string()),
        ("EXTRA_CA_FILE", &ca.file().display().to_string()),
        ("PROVIDERS__IMAP__SETTINGS_DATABASE", ""),
    ]);
    let login = "büro@häfen-post.net";
    dovecot.set_password(login, PASSWORD);
    let mut identities = Vec::new();
    for typed in [login.to_owned(), "büro@HÄFEN-POST.net".to_owned(), format!("büro@{ascii}")] {
        let visitor = Visitor::new();
        let begun = visitor.begin(&app.link(json!({ "name": "one" })).await).await;
        let password = visitor.submit(&begun, &begun.sheet().with("email", &typed)).await;
        assert_eq!(password.step(), "password", "{}", password.text());
        let text = password.text();
        assert!(text.contains(login) && text.contains(&format!("{imap}:993")), "{text}");
        let end = visitor.submit(&password, &password.sheet().with("password", PASSWORD)).await;
        assert_eq!(end.reply.status, 200, "{}", end.text());
        assert!(end.text().contains(login), "{}", end.text());
        identities.extend(app.accounts().await.into_iter().map(|account| account["id"].clone()));
    }
    identities.dedup();
    assert_eq!(identities.len(), 1, "however the domain is written, it is the same mailbox");
}
