//! Proofs of the mail servers and their certificates.

use crate::parts::certs::{Ca, Leaf};
use crate::parts::dovecot::Dovecot;
use crate::parts::submission::Submission;
use crate::parts::wire::Wire;
use crate::parts::{READY, eventually};
use base64::Engine;
use std::net::SocketAddr;
use std::time::Instant;

const ANN: &str = "ann@example.test";

fn login(to: SocketAddr, ca: &Ca, password: &str) -> bool {
    let mut wire = Wire::tls(to, "localhost", ca).unwrap();
    wire.read_until(&["* OK"]).unwrap();
    let answer = wire.ask(&format!("a LOGIN {ANN} {password}"), &["a "]).unwrap();
    answer.last().unwrap().starts_with("a OK")
}

#[test]
fn dovecot_takes_the_right_password_over_tls_and_no_other() {
    let ca = Ca::new();
    let dovecot = Dovecot::start(&ca, Leaf::Good);
    dovecot.set_password(ANN, "first");
    assert!(login(dovecot.tls(), &ca, "first"));

    let refused = Instant::now();
    assert!(!login(dovecot.tls(), &ca, "wrong"));
    assert!(refused.elapsed().as_secs() < 3, "no penalty for a wrong password");

    // Same length, same second: the file must be read again all the same.
    dovecot.set_password(ANN, "other");
    assert!(!login(dovecot.tls(), &ca, "first"));
    assert!(login(dovecot.tls(), &ca, "other"));
    eventually("two of each", READY, || {
        ((dovecot.logins(ANN), dovecot.refusals(ANN)) == (2, 2)).then_some(())
    });

    dovecot.remove_user(ANN);
    assert!(!login(dovecot.tls(), &ca, "other"));
    eventually("a third refusal", READY, || (dovecot.refusals(ANN) == 3).then_some(()));
}

#[test]
fn dovecot_offers_starttls_and_refuses_a_login_without_it() {
    let ca = Ca::new();
    let dovecot = Dovecot::start(&ca, Leaf::Good);
    dovecot.set_password(ANN, "secret");
    let mut wire = Wire::plain(dovecot.starttls_strict()).unwrap();
    let greeting = wire.line().unwrap();
    assert!(greeting.contains("LOGINDISABLED") && greeting.contains("STARTTLS"), "{greeting}");
    wire.ask("a STARTTLS", &["a OK"]).unwrap();
    let mut wire = wire.upgrade("localhost", &ca).unwrap();
    let answer = wire.ask(&format!("b LOGIN {ANN} secret"), &["b "]).unwrap();
    assert!(answer.last().unwrap().starts_with("b OK"), "{answer:?}");
}

#[test]
fn dovecot_shows_delivered_mail_and_what_was_asked() {
    let ca = Ca::new();
    let dovecot = Dovecot::start(&ca, Leaf::Good);
    dovecot.set_password(ANN, "secret");
    dovecot.deliver(ANN, "From: bob@example.test\r\nSubject: hello\r\n\r\nhi\r\n");
    let mut wire = Wire::tls(dovecot.tls(), "localhost", &ca).unwrap();
    wire.read_until(&["* OK"]).unwrap();
    wire.ask(&format!("a LOGIN {ANN} secret"), &["a OK"]).unwrap();
    let answer = wire.ask("b SELECT INBOX", &["b "]).unwrap();
    assert!(answer.contains(&"* 1 EXISTS".to_owned()), "{answer:?}");
    wire.ask("c LOGOUT", &["c OK"]).unwrap();
    eventually("the record", READY, || dovecot.commands(ANN).contains("b SELECT INBOX").then_some(()));
}

#[test]
fn each_kind_of_certificate_is_what_it_says() {
    let ca = Ca::new();
    for (leaf, complaint) in [
        (Leaf::Expired, "Expired"),
        (Leaf::WrongName, "NotValidForName"),
        (Leaf::SelfSigned, "UnknownIssuer"),
    ] {
        let dovecot = Dovecot::start(&ca, leaf);
        let refused = Wire::tls(dovecot.tls(), "localhost", &ca).err().expect("a refusal");
        assert!(format!("{refused:?}").contains(complaint), "{leaf:?}: {refused:?}");
    }
}

#[test]
fn postfix_takes_mail_from_those_who_log_in_over_tls() {
    let ca = Ca::new();
    let dovecot = Dovecot::start(&ca, Leaf::Good);
    let submission = Submission::start(&ca, Leaf::Good, &dovecot);
    dovecot.set_password(ANN, "secret");
    let coded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let plain = |password: &str| format!("AUTH PLAIN {}", coded(&format!("\0{ANN}\0{password}")));

    let mut wire = Wire::tls(submission.tls(), "localhost", &ca).unwrap();
    wire.read_until(&["220 "]).unwrap();
    let offers = wire.ask("EHLO localhost", &["250 "]).unwrap();
    assert!(offers.contains(&"250-AUTH PLAIN LOGIN".to_owned()), "{offers:?}");
    let start = Instant::now();
    assert!(wire.ask(&plain("wrong"), &["535"]).is_ok());
    assert!(start.elapsed().as_secs() < 3, "no penalty for a wrong password");
    assert!(wire.ask(&plain("secret"), &["235"]).is_ok());
    wire.ask(&format!("MAIL FROM:<{ANN}>"), &["250"]).unwrap();
    wire.ask("RCPT TO:<bob@example.test>", &["250"]).unwrap();
    wire.ask("DATA", &["354"]).unwrap();
    wire.ask("Subject: hi\r\n\r\nhello\r\n.", &["250"]).unwrap();
    eventually("the record", READY, || (submission.accepted(ANN) == 1).then_some(()));

    let mut wire = Wire::plain(submission.starttls()).unwrap();
    wire.read_until(&["220 "]).unwrap();
    let offers = wire.ask("EHLO localhost", &["250 "]).unwrap();
    assert!(!offers.iter().any(|offer| offer.contains("AUTH")), "{offers:?}");
    wire.ask("STARTTLS", &["220"]).unwrap();
    let mut wire = wire.upgrade("localhost", &ca).unwrap();
    wire.ask("EHLO localhost", &["250 "]).unwrap();
    wire.ask("AUTH LOGIN", &["334"]).unwrap();
    wire.ask(&coded(ANN), &["334"]).unwrap();
    wire.ask(&coded("secret"), &["235"]).unwrap();
}
