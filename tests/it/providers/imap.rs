//! The provider for mailboxes against a real Dovecot and a real Postfix: what connects, what is refused and
//! how, and what the servers saw of it.

use crate::parts::certs::{Ca, Leaf};
use crate::parts::dovecot::Dovecot;
use crate::parts::front::Front;
use crate::parts::submission::Submission;
use crate::parts::{READY, eventually, free_port, own_addresses};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use vestibule::contract::{
    Action, Allowance, Answer, Begin, Connected, Context, Method, Next, Profile, Provider, Returns, State,
    Step, Target,
};
use vestibule::kernel::clock::Clock;
use vestibule::kernel::egress::{Egress, Setup};
use vestibule::kernel::random::Random;
use vestibule::kernel::secret::Secret;
use vestibule::providers::catalogue;

const ANN: &str = "ann@example.test";
const PASSWORD: &str = "correct \"horse\" \\ naïve";

/// A person at the wizard, without the wizard.
pub(super) struct Person {
    provider: Arc<dyn Provider>,
    cx: Context,
    pub(super) step: Option<Step>,
    state: State,
    pub(super) connected: Option<Connected>,
}

impl Person {
    pub(super) async fn arrive(ca: &Ca, target: Option<Target>) -> Self {
        let file = ca.file();
        let allow = vec!["127.0.0.0/8".parse().unwrap()];
        let setup = Setup { allow, extra_ca_file: Some(&file), ..Setup::default() };
        let egress = Egress::new(setup).unwrap();
        let ports: Vec<i64> = (1..=65_535).collect();
        let section: toml::Table = toml::Table::from_iter([
            ("ports".to_owned(), ports.into()),
            ("connect_seconds".to_owned(), 5.into()),
        ]);
        let provider = catalogue(&BTreeMap::from([("imap".to_owned(), section)])).unwrap().built.remove(0);
        let allowance = Allowance::new(0, 0).granting(100);
        let cx = Context {
            egress,
            clock: Clock::system(),
            random: Random::system(),
            allowance,
            returns: Returns::default(),
        };
        let begin = Begin { method: Method::Password, email: None, target, force_consent: false };
        let next = provider.begin(&cx, begin).await.unwrap();
        let mut person = Self { provider, cx, step: None, state: State::default(), connected: None };
        person.note(next);
        person
    }

    fn note(&mut self, next: Next) {
        match next {
            Next::Step { step, state } => (self.step, self.state) = (Some(*step), state),
            Next::Connected(connected) => (self.step, self.connected) = (None, Some(*connected)),
            Next::Unfit { .. } | Next::Holding { .. } | Next::Failed(_) => panic!("it ended: {next:?}"),
        }
    }

    async fn act(&mut self, action: Action, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), Secret::new(*text))).collect();
        let answer = Answer { action, fields };
        let next = self.provider.answer(&self.cx, self.state.clone(), answer).await.unwrap();
        self.note(next);
    }

    pub(super) async fn submit(&mut self, fields: &[(&str, &str)]) {
        self.act(Action::Submit, fields).await;
    }

    /// The step shown and what it says was wrong.
    pub(super) fn told(&self) -> (&str, Option<&str>) {
        self.step.as_ref().map_or(("connected", None), |step| (step.name.as_str(), step.refusal()))
    }

    /// Goes as far as the password.
    async fn name_servers(&mut self, imap: (SocketAddr, &str), smtp: (SocketAddr, &str)) {
        self.name_servers_of(ANN, imap, smtp).await;
    }

    /// The same for another address, which is also the sign-in name.
    pub(super) async fn name_servers_of(
        &mut self,
        address: &str,
        imap: (SocketAddr, &str),
        smtp: (SocketAddr, &str),
    ) {
        self.submit(&[("email", address)]).await;
        self.type_servers(address, imap, smtp).await;
    }

    /// From the form for servers to the password.
    pub(super) async fn type_servers(
        &mut self,
        login: &str,
        imap: (SocketAddr, &str),
        smtp: (SocketAddr, &str),
    ) {
        assert_eq!(self.told(), ("servers", None));
        let (imap_port, smtp_port) = (imap.0.port().to_string(), smtp.0.port().to_string());
        let (imap_host, smtp_host) = (imap.0.ip().to_string(), smtp.0.ip().to_string());
        let fields = [
            ("imap_host", imap_host.as_str()),
            ("imap_port", &imap_port),
            ("imap_encryption", imap.1),
            ("smtp_host", &smtp_host),
            ("smtp_port", &smtp_port),
            ("smtp_encryption", smtp.1),
            ("login", login),
        ];
        self.submit(&fields).await;
        assert_eq!(self.told(), ("password", None));
    }
}

struct Mail {
    ca: Ca,
    dovecot: Dovecot,
    submission: Submission,
}

impl Mail {
    fn start() -> Self {
        Self::with(Leaf::Good)
    }

    fn with(leaf: Leaf) -> Self {
        let ca = Ca::new();
        let dovecot = Dovecot::start(&ca, leaf);
        dovecot.set_password(ANN, PASSWORD);
        let submission = Submission::start(&ca, leaf, &dovecot);
        Self { ca, dovecot, submission }
    }

    async fn person(&self, implicit: bool) -> Person {
        let mut person = Person::arrive(&self.ca, None).await;
        if implicit {
            person.name_servers((self.dovecot.tls(), "tls"), (self.submission.tls(), "tls")).await;
        } else {
            let imap = self.dovecot.starttls_strict();
            person.name_servers((imap, "starttls"), (self.submission.starttls(), "starttls")).await;
        }
        person
    }
}

#[tokio::test]
async fn a_mailbox_is_connected_over_both_kinds_of_encryption() {
    let mail = Mail::start();
    for (implicit, word) in [(true, "tls"), (false, "starttls")] {
        let mut person = mail.person(implicit).await;
        person.submit(&[("password", PASSWORD)]).await;
        assert_eq!(person.told(), ("connected", None));
        let connected = person.connected.unwrap();
        assert_eq!(connected.profile.label, ANN);
        assert_eq!(connected.profile.text("imap_encryption"), word);
        assert_eq!(connected.profile.text("smtp_encryption"), word);
        let host = connected.profile.text("imap_host");
        assert_eq!(connected.identity, format!("{host}/{ANN}"));
        assert!(!format!("{connected:?}").contains("horse"));
    }
    eventually("two sign-ins", READY, || (mail.dovecot.logins(ANN) == 2).then_some(()));
    assert_eq!(mail.dovecot.refusals(ANN), 0);
    assert!(mail.dovecot.commands(ANN).contains("EXAMINE INBOX"));
    assert_eq!(mail.submission.accepted(ANN), 0, "nothing is sent");
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_may_be_corrected() {
    let mail = Mail::start();
    let mut person = mail.person(true).await;
    person.submit(&[("password", "wrong")]).await;
    assert_eq!(person.told(), ("password", Some("credentials_invalid")));
    eventually("the refusal", READY, || (mail.dovecot.refusals(ANN) > 0).then_some(()));
    assert_eq!(mail.dovecot.refusals(ANN), 1);
    person.submit(&[("password", PASSWORD)]).await;
    assert_eq!(person.told(), ("connected", None));
}

#[tokio::test]
async fn sending_that_fails_is_corrected_or_left_out() {
    let mail = Mail::start();
    let closed = SocketAddr::from(([127, 0, 0, 1], free_port()));
    for receive_only in [true, false] {
        let mut person = Person::arrive(&mail.ca, None).await;
        person.name_servers((mail.dovecot.tls(), "tls"), (closed, "tls")).await;
        person.submit(&[("password", PASSWORD)]).await;
        assert_eq!(person.told(), ("sending", Some("connect_refused")));
        if receive_only {
            person.act(Action::Alternative("receive_only".into()), &[]).await;
            let connected = person.connected.unwrap();
            assert_eq!(connected.profile.details["receive_only"], json!(true));
            assert!(!connected.profile.details.contains_key("smtp_host"));
            continue;
        }
        let port = mail.submission.starttls().port().to_string();
        let mut fields = vec![
            ("smtp_host", "127.0.0.1"),
            ("smtp_port", &port),
            ("smtp_encryption", "starttls"),
            ("smtp_login", ANN),
            ("smtp_password", "wrong"),
        ];
        person.submit(&fields).await;
        assert_eq!(person.told(), ("sending", Some("credentials_invalid")));
        fields.pop();
        person.submit(&fields).await;
        assert_eq!(person.told(), ("connected", None));
    }
    // Reading was proved once per person, however often sending was tried.
    eventually("two sign-ins", READY, || (mail.dovecot.logins(ANN) == 2).then_some(()));
}

#[tokio::test]
async fn the_wrong_kind_of_encryption_leads_back_to_the_servers() {
    let mail = Mail::start();
    let mut person = Person::arrive(&mail.ca, None).await;
    person.name_servers((mail.dovecot.starttls_strict(), "tls"), (mail.submission.tls(), "tls")).await;
    person.submit(&[("password", PASSWORD)]).await;
    assert_eq!(person.told(), ("servers", Some("tls_not_spoken")));

    let mut person = Person::arrive(&mail.ca, None).await;
    person.name_servers((mail.dovecot.tls(), "starttls"), (mail.submission.tls(), "tls")).await;
    person.submit(&[("password", PASSWORD)]).await;
    assert_eq!(person.told(), ("servers", Some("server_silent")));

    let mut person = Person::arrive(&mail.ca, None).await;
    person.name_servers((mail.submission.tls(), "tls"), (mail.dovecot.tls(), "tls")).await;
    person.submit(&[("password", PASSWORD)]).await;
    assert_eq!(person.told(), ("servers", Some("protocol_error")));
    assert_eq!(mail.dovecot.logins(ANN), 0);
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_named_and_no_password_is_sent() {
    for (leaf, code) in [
        (Leaf::Expired, "tls_certificate_expired"),
        (Leaf::WrongName, "tls_certificate_wrong_name"),
        (Leaf::SelfSigned, "tls_certificate_unknown_issuer"),
    ] {
        let mail = Mail::with(leaf);
        let mut person = mail.person(true).await;
        person.submit(&[("password", PASSWORD)]).await;
        assert_eq!(person.told(), ("servers", Some(code)));
        let mut person = mail.person(false).await;
        person.submit(&[("password", PASSWORD)]).await;
        assert_eq!(person.told(), ("servers", Some(code)));
        assert_eq!(mail.dovecot.logins(ANN) + mail.dovecot.refusals(ANN), 0);
    }
}

#[tokio::test]
async fn an_account_is_repaired_with_its_new_password_and_keeps_its_identity() {
    let mail = Mail::start();
    let mut person = mail.person(true).await;
    person.submit(&[("password", PASSWORD)]).await;
    let first = person.connected.unwrap();
    mail.dovecot.set_password(ANN, "the new one");
    let profile: Profile = first.profile.clone();
    let target = Target { identity: first.identity.clone(), profile };
    let mut person = Person::arrive(&mail.ca, Some(target)).await;
    assert_eq!(person.told(), ("password", None));
    person.submit(&[("password", PASSWORD)]).await;
    assert_eq!(person.told(), ("password", Some("credentials_invalid")));
    person.submit(&[("password", "the new one")]).await;
    let again = person.connected.unwrap();
    assert_eq!((again.identity, again.profile), (first.identity, first.profile));
}

#[tokio::test]
async fn when_no_more_connections_are_left_for_sending_reading_is_kept() {
    let mail = Mail::start();
    let mut person = mail.person(true).await;
    person.cx.allowance = Allowance::new(0, 0).granting(1);
    person.submit(&[("password", PASSWORD)]).await;
    assert_eq!(person.told(), ("sending", Some("too_many_connects")));
    person.act(Action::Alternative("receive_only".into()), &[]).await;
    assert_eq!(person.told(), ("connected", None));
}

/// An address at which connections to port 465 come to nothing: its queue of waiting ones is full.
async fn swallowed(address: Ipv4Addr) -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 465).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let mut waiting = Vec::new();
    loop {
        let connect = TcpSocket::new_v4().unwrap().connect((address, 465).into());
        match tokio::time::timeout(Duration::from_millis(300), connect).await {
            Ok(stream) => waiting.push(stream.unwrap()),
            Err(_) => return (listener, waiting),
        }
    }
}

#[tokio::test]
async fn a_port_that_networks_close_is_named_when_the_other_one_answers() {
    let mail = Mail::start();
    let [address] = own_addresses();
    let _full = swallowed(address).await;
    let mut person = Person::arrive(&mail.ca, None).await;
    let smtp = SocketAddr::from((address, 465));
    person.name_servers((mail.dovecot.tls(), "tls"), (smtp, "tls")).await;
    person.submit(&[("password", PASSWORD)]).await;
    assert_eq!(person.told(), ("sending", Some("timeout")));

    let _other = Front::at((address, 587).into(), mail.submission.starttls());
    let again = [
        ("smtp_host", &*address.to_string()),
        ("smtp_port", "465"),
        ("smtp_encryption", "tls"),
        ("smtp_login", ANN),
    ];
    person.submit(&again).await;
    assert_eq!(person.told(), ("sending", Some("port_blocked")));
    let advice = person.step.as_ref().unwrap().notice.as_ref().unwrap().advice.as_ref().unwrap();
    assert_eq!(advice.args["port"], "587");
}
