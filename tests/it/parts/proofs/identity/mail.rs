//! Real mail servers that take the doubles' tokens, and no others.

use super::App;
use super::client::MAIL;
use crate::parts::certs::Leaf;
use crate::parts::dovecot::Dovecot;
use crate::parts::identity::{House, shared_ca};
use crate::parts::submission::Submission;
use crate::parts::wire::Wire;
use crate::parts::{READY, eventually};
use base64::Engine;

const ANN: &str = "ann.lee@example.com";
const IMAP: &str = "https://outlook.office.com/IMAP.AccessAsUser.All";

fn coded(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn xoauth2(user: &str, token: &str) -> String {
    coded(&format!("user={user}\x01auth=Bearer {token}\x01\x01"))
}

fn oauthbearer(user: &str, token: &str) -> String {
    coded(&format!("n,a={user},\x01host=localhost\x01port=993\x01auth=Bearer {token}\x01\x01"))
}

/// Signs in over IMAP; the challenge, when there is one, and the last line.
fn login(dovecot: &Dovecot, mechanism: &str, response: &str) -> (String, String) {
    let mut wire = Wire::tls(dovecot.tls(), "localhost", shared_ca()).unwrap();
    let greeting = wire.line().unwrap();
    assert!(greeting.contains(&format!("AUTH={mechanism}")), "{greeting}");
    let said = wire.ask(&format!("a AUTHENTICATE {mechanism} {response}"), &["a ", "+ "]).unwrap();
    let last = said.last().unwrap().clone();
    if !last.starts_with("+ ") {
        return (String::new(), last);
    }
    let end = if mechanism == "XOAUTH2" { "" } else { "AQ==" };
    let said = wire.ask(end, &["a "]).unwrap();
    (last, said.last().unwrap().clone())
}

#[tokio::test]
async fn dovecot_takes_the_doubles_tokens_and_no_forged_ones() {
    for (house, scope, asked) in [
        (House::Google, MAIL, "openid email https://mail.google.com/"),
        (
            House::Microsoft,
            IMAP,
            "openid email offline_access https://outlook.office.com/IMAP.AccessAsUser.All",
        ),
    ] {
        let app = App::at(house).await;
        let dovecot = Dovecot::start_with_tokens(shared_ca(), Leaf::Good, &[], app.identity, scope);
        dovecot.welcome(ANN);
        dovecot.set_password("bob@example.com", "secret");
        let tokens = app.tokens(&[("scope", asked)], ANN).await;
        let token = tokens["access_token"].as_str().unwrap();
        for (mechanism, response) in
            [("XOAUTH2", xoauth2(ANN, token)), ("OAUTHBEARER", oauthbearer(ANN, token))]
        {
            let (_, last) = login(&dovecot, mechanism, &response);
            assert!(last.starts_with("a OK"), "{house:?} {mechanism}: {last}\n{}", dovecot.log());
        }
        eventually("two logins", READY, || (dovecot.logins(ANN) == 2).then_some(()));

        let weak = app.tokens(&[("scope", "openid email")], ANN).await;
        let weak = weak["access_token"].as_str().unwrap();
        for (why, user, token) in [
            ("forged", ANN, "forged"),
            ("somebody else's", "bob@example.com", token),
            ("without the permission", ANN, weak),
        ] {
            for (mechanism, response) in
                [("XOAUTH2", xoauth2(user, token)), ("OAUTHBEARER", oauthbearer(user, token))]
            {
                let (challenge, last) = login(&dovecot, mechanism, &response);
                assert!(last.starts_with("a NO"), "{house:?} {mechanism} {why}: {last}");
                assert!(challenge.starts_with("+ "), "{why}: a reason comes first");
            }
        }
        // A password still works beside it, and an ended token does not.
        let mut wire = Wire::tls(dovecot.tls(), "localhost", shared_ca()).unwrap();
        wire.read_until(&["* OK"]).unwrap();
        wire.ask("a LOGIN bob@example.com secret", &["a OK"]).unwrap();
        app.identity.expire_access(&app.client, ANN).await;
        let (_, last) = login(&dovecot, "XOAUTH2", &xoauth2(ANN, token));
        assert!(last.starts_with("a NO"), "{last}");
    }
}

#[tokio::test]
async fn postfix_takes_them_through_dovecot() {
    let app = App::at(House::Google).await;
    let dovecot = Dovecot::start_with_tokens(shared_ca(), Leaf::Good, &[], app.identity, MAIL);
    let submission = Submission::start(shared_ca(), Leaf::Good, &dovecot);
    let tokens = app.tokens(&[("scope", "openid email https://mail.google.com/")], ANN).await;
    let mut wire = Wire::tls(submission.tls(), "localhost", shared_ca()).unwrap();
    wire.read_until(&["220 "]).unwrap();
    let offers = wire.ask("EHLO localhost", &["250 "]).unwrap();
    assert!(offers.iter().any(|line| line.contains("XOAUTH2")), "{offers:?}");
    let said = wire.ask(&format!("AUTH XOAUTH2 {}", xoauth2(ANN, "forged")), &["334", "535"]).unwrap();
    if said.last().unwrap().starts_with("334") {
        wire.ask("", &["535"]).unwrap();
    }
    let token = tokens["access_token"].as_str().unwrap();
    wire.ask(&format!("AUTH XOAUTH2 {}", xoauth2(ANN, token)), &["235"]).unwrap();
}
