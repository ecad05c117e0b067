//! The provider for mailboxes against Cyrus and Courier, which greet, offer and refuse in other words than Dovecot.

use std::net::SocketAddr;

use super::imap::Person;
use crate::parts::certs::{Ca, Leaf};
use crate::parts::courier::Courier;
use crate::parts::cyrus::Cyrus;
use crate::parts::dovecot::Dovecot;
use crate::parts::eavesdropper::Eavesdropper;
use crate::parts::submission::Submission;
use crate::parts::{READY, eventually};

const ADDRESS: &str = "ann@example.test";
const PASSWORD: &str = "correct \"horse\" \\ naïve";

/// Where one kind of server is read, and a submission server for the same person.
struct Mail<'a> {
    ca: &'a Ca,
    tls: SocketAddr,
    starttls: SocketAddr,
    submission: Submission,
    /// Knows the passwords for the submission server.
    _dovecot: Dovecot,
}

impl<'a> Mail<'a> {
    fn new(ca: &'a Ca, tls: SocketAddr, starttls: SocketAddr) -> Self {
        let dovecot = Dovecot::start(ca, Leaf::Good);
        dovecot.set_password(ADDRESS, PASSWORD);
        let submission = Submission::start(ca, Leaf::Good, &dovecot);
        Self { ca, tls, starttls, submission, _dovecot: dovecot }
    }

    /// Somebody who has come as far as the password.
    async fn person(&self, imap: (SocketAddr, &str)) -> Person {
        let mut person = Person::arrive(self.ca, None).await;
        person.name_servers_of(ADDRESS, imap, (self.submission.tls(), "tls")).await;
        person
    }

    async fn connects_and_refuses(&self) {
        for imap in [(self.tls, "tls"), (self.starttls, "starttls")] {
            let mut person = self.person(imap).await;
            person.submit(&[("password", "wrong")]).await;
            assert_eq!(person.told(), ("password", Some("credentials_invalid")), "{imap:?}");
            let field = &person.step.as_ref().unwrap().fields[0];
            assert_eq!((field.name.as_str(), field.error.is_some()), ("password", true));
            person.submit(&[("password", PASSWORD)]).await;
            assert_eq!(person.told(), ("connected", None), "{imap:?}");
        }
    }

    async fn never_signs_in_without_tls(&self) {
        let wire = Eavesdropper::start(self.starttls, None);
        let mut person = self.person((wire.address(), "starttls")).await;
        person.submit(&[("password", PASSWORD)]).await;
        assert_eq!(person.told(), ("connected", None));
        assert_eq!(wire.clear(), ["V1 CAPABILITY", "V2 STARTTLS"]);

        let wire = Eavesdropper::start(self.starttls, Some("STARTTLS"));
        let mut person = self.person((wire.address(), "starttls")).await;
        person.submit(&[("password", PASSWORD)]).await;
        assert_eq!(person.told(), ("servers", Some("tls_not_offered")));
        assert_eq!(wire.clear(), ["V1 CAPABILITY"]);

        let mut person = self.person((self.starttls, "tls")).await;
        person.submit(&[("password", PASSWORD)]).await;
        assert_eq!(person.told(), ("servers", Some("tls_not_spoken")));
    }
}

#[tokio::test]
async fn a_mailbox_at_a_cyrus_is_connected_and_a_wrong_password_is_named() {
    let ca = Ca::new();
    let cyrus = Cyrus::start(&ca);
    cyrus.set_password(ADDRESS, PASSWORD);
    let mail = Mail::new(&ca, cyrus.tls(), cyrus.starttls());
    mail.connects_and_refuses().await;
    mail.never_signs_in_without_tls().await;
}

#[tokio::test]
async fn a_mailbox_at_a_courier_is_connected_and_a_wrong_password_is_named() {
    let ca = Ca::new();
    let courier = Courier::start(&ca);
    courier.set_password(ADDRESS, PASSWORD);
    let mail = Mail::new(&ca, courier.tls(), courier.starttls());
    mail.connects_and_refuses().await;
    mail.never_signs_in_without_tls().await;
    let seen = |what: &str| courier.log().matches(what).count();
    eventually("three sign-ins", READY, || (seen("LOGIN, user=ann@example.test") == 3).then_some(()));
    assert_eq!(seen("LOGIN FAILED"), 2, "each wrong password was tried once");
}
