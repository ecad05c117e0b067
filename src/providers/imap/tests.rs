//! The provider as the engine uses it: steps in and out, no network.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::contract::{Action, Allowance, Method, Profile, Returns, Step, Target, Text};
use crate::kernel::clock::Clock;
use crate::kernel::egress::{Egress, Setup};
use crate::kernel::random::Random;
use crate::kernel::secret::Secret;

struct Wizard {
    provider: Arc<dyn Provider>,
    cx: Context,
    /// Every step seen, to compare with the strings.
    step: Step,
    state: State,
}

impl Wizard {
    async fn begin(section: &str, begin: Begin) -> Self {
        let mut section = Section::new("imap", section.parse().unwrap());
        let provider = build(&mut section).unwrap().unwrap();
        assert!(section.finish().is_empty());
        // An address that is never asked: these tests must not reach any network.
        let setup = Setup { name_server: Some("127.0.0.1:9".parse().unwrap()), ..Setup::default() };
        let egress = Egress::new(setup).unwrap();
        let allowance = Allowance::new(0, 0).granting(100);
        let cx = Context {
            egress,
            clock: Clock::system(),
            random: Random::system(),
            allowance,
            returns: Returns::default(),
        };
        let Ok(Next::Step { step, state }) = provider.begin(&cx, begin).await else { panic!("no step") };
        let wizard = Self { provider, cx, step: *step, state };
        wizard.check();
        wizard
    }

    async fn fresh() -> Self {
        Self::begin("", Begin { method: Method::Password, email: None, target: None, force_consent: false })
            .await
    }

    async fn repairing(details: serde_json::Value) -> Self {
        let details: BTreeMap<_, _> = serde_json::from_value(details).unwrap();
        let profile = Profile { label: "ada@example.org".into(), details, note: None };
        let target = Some(Target { identity: "mail.example.org/ada".into(), profile });
        Self::begin("", Begin { method: Method::Password, email: None, target, force_consent: false }).await
    }

    async fn act(&mut self, action: Action, fields: &[(&str, &str)]) -> Result<Next, Trouble> {
        let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), Secret::new(*text))).collect();
        let next = self.provider.answer(&self.cx, self.state.clone(), Answer { action, fields }).await?;
        if let Next::Step { step, state } = &next {
            (self.step, self.state) = (*step.clone(), state.clone());
            self.check();
        }
        Ok(next)
    }

    async fn submit(&mut self, fields: &[(&str, &str)]) -> &Step {
        self.act(Action::Submit, fields).await.unwrap();
        &self.step
    }

    async fn turn(&mut self, way: &str) -> &Step {
        self.act(Action::Alternative(way.into()), &[]).await.unwrap();
        &self.step
    }

    /// What holds for every step: its words exist and get their values, and no secret is in it.
    fn check(&self) {
        let strings = &self.provider.about().strings["en"];
        for text in texts(&self.step) {
            let key = text.key.strip_prefix("imap.").unwrap();
            let sentence = strings.get(key).unwrap_or_else(|| panic!("no words for {key}")).as_str().unwrap();
            for name in sentence.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()) {
                assert!(text.args.contains_key(name), "{key} lacks {name}");
            }
        }
        let shown = serde_json::to_string(&self.step).unwrap() + &format!("{:?}{:?}", self.step, self.state);
        assert!(!shown.contains("hunter2"), "{shown}");
        serde_json::from_str::<Step>(&serde_json::to_string(&self.step).unwrap()).unwrap();
    }

    fn value(&self, field: &str) -> &str {
        let field = self.step.fields.iter().find(|known| known.name == field).unwrap();
        field.value.as_deref().unwrap_or_default()
    }

    fn error(&self, field: &str) -> &str {
        let field = self.step.fields.iter().find(|known| known.name == field).unwrap();
        field.error.as_ref().map_or("", |error| error.key.as_str())
    }

    fn facts(&self) -> Vec<&str> {
        self.step.facts.iter().map(|fact| fact.value.as_str()).collect()
    }

    fn ways(&self) -> Vec<&str> {
        self.step.alternatives.iter().map(|way| way.name.as_str()).collect()
    }
}

fn texts(step: &Step) -> Vec<Text> {
    // By way of JSON, so that no text is forgotten when a step gets a new part.
    fn gather(value: &serde_json::Value, found: &mut Vec<Text>) {
        if let Ok(text) = serde_json::from_value::<Text>(value.clone()) {
            return found.push(text);
        }
        match value {
            serde_json::Value::Array(values) => values.iter().for_each(|value| gather(value, found)),
            serde_json::Value::Object(values) => values.values().for_each(|value| gather(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    gather(&serde_json::to_value(step).unwrap(), &mut found);
    found
}

fn details() -> serde_json::Value {
    json!({
        "address": "ada@example.org",
        "imap_host": "mail.example.org", "imap_port": 993, "imap_user": "ada", "imap_encryption": "tls",
        "smtp_host": "out.example.org", "smtp_port": 587, "smtp_user": "ada@example.org",
        "smtp_encryption": "starttls",
    })
}

#[tokio::test]
async fn an_address_at_a_known_provider_leads_straight_to_the_password() {
    let mut wizard = Wizard::fresh().await;
    assert_eq!(wizard.step.name, "address");
    wizard.submit(&[("email", " Ada@GMAIL.com ")]).await;
    assert_eq!(wizard.step.name, "password");
    assert_eq!(wizard.facts(), ["imap.gmail.com:993", "smtp.gmail.com:465", "Ada@gmail.com"]);
    assert_eq!(wizard.step.intro.as_ref().unwrap().key, "imap.password.intro.app_password");
    let urls: Vec<_> = wizard.step.help.iter().filter_map(|help| help.url.as_deref()).collect();
    assert!(urls.contains(&"https://myaccount.google.com/apppasswords"), "{urls:?}");
    assert_eq!(wizard.ways(), ["address", "servers"]);
    assert_eq!(wizard.step.fields[0].autocomplete.as_deref(), Some("current-password"));
    assert_eq!(wizard.step.username.as_deref(), Some("Ada@gmail.com"));
}

#[tokio::test]
async fn sign_in_names_that_differ_are_both_shown() {
    let mut wizard = Wizard::fresh().await;
    wizard.submit(&[("email", "ada@icloud.com")]).await;
    let expected = ["imap.mail.me.com:993", "ada", "smtp.mail.me.com:587", "ada@icloud.com"];
    assert_eq!(wizard.facts(), expected);
}

#[tokio::test]
async fn the_hint_fills_the_field_and_nothing_else() {
    let email = Some("ada@gmail.com".to_owned());
    let wizard =
        Wizard::begin("", Begin { method: Method::Password, email, target: None, force_consent: false })
            .await;
    assert_eq!((wizard.step.name.as_str(), wizard.value("email")), ("address", "ada@gmail.com"));
}

#[tokio::test]
async fn addresses_that_no_password_opens_say_so_and_ask_for_another() {
    let mut wizard = Wizard::fresh().await;
    for (address, code) in [
        ("ada@outlook.com", "oauth_required"),
        ("ada@hotmail.de", "oauth_required"),
        ("ada@proton.me", "provider_unsupported"),
        ("ada@tuta.com", "provider_unsupported"),
        ("ada@hey.com", "provider_unsupported"),
    ] {
        wizard.submit(&[("email", address)]).await;
        assert_eq!((wizard.step.name.as_str(), wizard.step.refusal()), ("address", Some(code)), "{address}");
        assert_eq!(wizard.value("email"), address);
        assert_eq!(wizard.ways(), ["servers"], "whoever knows better may say so");
        assert!(wizard.step.notice.as_ref().unwrap().advice.is_some());
    }
    assert_eq!(wizard.submit(&[("email", "ada@gmx.de")]).await.name, "password");
}

#[tokio::test]
async fn what_is_no_address_is_shown_again_with_its_reason() {
    let mut wizard = Wizard::fresh().await;
    for (typed, error) in [
        ("", "imap.error.address_missing"),
        ("ada", "imap.error.address_invalid"),
        ("ada@nowhere", "imap.error.address_domain"),
        (&*format!("{}@example.org", "a".repeat(70)), "imap.error.address_too_long"),
    ] {
        wizard.submit(&[("email", typed)]).await;
        assert_eq!((wizard.error("email"), wizard.value("email")), (error, typed));
    }
    wizard.submit(&[]).await;
    assert_eq!(wizard.error("email"), "imap.error.address_missing");
}

#[tokio::test]
async fn an_unknown_domain_gets_a_guess_that_says_it_is_one() {
    let mut wizard = Wizard::fresh().await;
    wizard.submit(&[("email", "ada@münchen.example")]).await;
    assert_eq!(wizard.step.name, "servers");
    assert_eq!(wizard.step.intro.as_ref().unwrap().key, "imap.servers.intro_guess");
    assert_eq!(wizard.value("imap_host"), "imap.xn--mnchen-3ya.example");
    assert_eq!((wizard.value("imap_port"), wizard.value("imap_encryption")), ("993", "tls"));
    assert_eq!((wizard.value("smtp_port"), wizard.value("smtp_encryption")), ("465", "tls"));
    assert_eq!(wizard.value("login"), "ada@xn--mnchen-3ya.example");
    assert_eq!(wizard.turn("address").await.name, "address");
    assert_eq!(wizard.value("email"), "ada@xn--mnchen-3ya.example");
}

#[tokio::test]
async fn servers_are_checked_and_shown_before_the_password_is_asked() {
    let mut wizard = Wizard::fresh().await;
    wizard.submit(&[("email", "ada@example.org")]).await;
    let wrong = [
        ("imap_host", "https://imap.example.org"),
        ("imap_port", "25"),
        ("smtp_host", "smtp.example.org:465"),
        ("smtp_port", "x"),
        ("login", ""),
    ];
    wizard.submit(&wrong).await;
    assert_eq!(wizard.error("imap_host"), "imap.error.host_is_url");
    assert_eq!(wizard.error("imap_port"), "imap.error.port");
    assert_eq!(wizard.error("smtp_host"), "imap.error.host_has_port");
    assert_eq!(wizard.error("smtp_port"), "imap.error.port");
    assert_eq!(wizard.error("login"), "imap.error.login_missing");
    assert_eq!(wizard.value("imap_host"), "https://imap.example.org");
    let allowed = &wizard.step.fields[1].error.as_ref().unwrap().args["ports"];
    assert_eq!(allowed, "143, 993, 465, 587");
    let right = [
        ("imap_host", "Mail.Example.org."),
        ("imap_port", "143"),
        ("imap_encryption", "starttls"),
        ("smtp_host", "192.0.2.7"),
        ("smtp_port", "587"),
        ("login", "ada"),
    ];
    wizard.submit(&right).await;
    assert_eq!(wizard.step.name, "password");
    assert_eq!(wizard.facts(), ["mail.example.org:143", "192.0.2.7:587", "ada"]);
    wizard.turn("servers").await;
    assert_eq!((wizard.value("imap_encryption"), wizard.value("smtp_encryption")), ("starttls", "starttls"));
}

#[tokio::test]
async fn servers_of_a_system_that_takes_no_password_are_refused_before_one_is_typed() {
    let mut wizard = Wizard::fresh().await;
    wizard.submit(&[("email", "ada@example.org")]).await;
    let fields = [
        ("imap_host", "outlook.office365.com"),
        ("imap_port", "993"),
        ("smtp_host", "smtp.office365.com"),
        ("smtp_port", "587"),
        ("login", "ada@example.org"),
    ];
    assert_eq!(wizard.submit(&fields).await.refusal(), Some("oauth_required"));
    assert_eq!(wizard.step.name, "servers");
}

#[tokio::test]
async fn a_large_provider_behind_an_own_domain_brings_its_password_rule() {
    let mut wizard = Wizard::fresh().await;
    wizard.submit(&[("email", "ada@example.org")]).await;
    let fields = [
        ("imap_host", "imap.gmail.com"),
        ("imap_port", "993"),
        ("smtp_host", "smtp.gmail.com"),
        ("smtp_port", "465"),
        ("login", "ada@example.org"),
    ];
    let step = wizard.submit(&fields).await;
    assert_eq!(step.intro.as_ref().unwrap().key, "imap.password.intro.app_password");
}

#[tokio::test]
async fn passwords_that_cannot_be_sent_are_refused_without_asking_anybody() {
    let mut wizard = Wizard::fresh().await;
    wizard.submit(&[("email", "ada@gmx.de")]).await;
    for (typed, error) in [
        ("", "imap.error.password_missing"),
        ("hunter2\r\nA1 LOGOUT", "imap.error.password_unusable"),
        ("hunter2\0", "imap.error.password_unusable"),
        (&*"hunter2".repeat(200), "imap.error.password_unusable"),
    ] {
        wizard.submit(&[("password", typed)]).await;
        assert_eq!(wizard.error("password"), error);
        assert_eq!(wizard.value("password"), "");
    }
}

#[tokio::test]
async fn an_account_is_repaired_with_its_own_servers_and_sign_in_names() {
    let mut wizard = Wizard::repairing(details()).await;
    assert_eq!(wizard.step.name, "password");
    assert_eq!(wizard.step.title.key, "imap.password.title_repair");
    assert_eq!(wizard.step.title.args["address"], "ada@example.org");
    let expected = ["mail.example.org:993", "ada", "out.example.org:587", "ada@example.org"];
    assert_eq!(wizard.facts(), expected);
    assert_eq!(wizard.ways(), ["servers"]);
    wizard.turn("servers").await;
    assert_eq!(wizard.ways(), ["password"]);
    assert!(wizard.step.fields.iter().all(|field| field.name != "login"));
    let fields = [
        ("imap_host", "mail.example.org"),
        ("imap_port", "143"),
        ("smtp_host", "new.example.org"),
        ("smtp_port", "465"),
        ("login", "eve"),
    ];
    wizard.submit(&fields).await;
    let expected = ["mail.example.org:143", "ada", "new.example.org:465", "ada@example.org"];
    assert_eq!(wizard.facts(), expected);
    assert!(wizard.act(Action::Alternative("address".into()), &[]).await.is_err());
}

#[tokio::test]
async fn an_account_that_only_receives_may_stay_so_when_it_is_repaired() {
    let mut details = details();
    details["receive_only"] = json!(true);
    let mut wizard = Wizard::repairing(details).await;
    assert_eq!(wizard.facts(), ["mail.example.org:993", "ada"]);
    wizard.turn("servers").await;
    wizard.submit(&[("imap_host", "mail.example.org"), ("imap_port", "993")]).await;
    assert_eq!(wizard.facts(), ["mail.example.org:993", "ada"]);
}

#[tokio::test]
async fn an_account_nobody_noted_the_servers_of_starts_with_its_address() {
    let wizard = Wizard::repairing(json!({})).await;
    assert_eq!((wizard.step.name.as_str(), wizard.value("email")), ("address", "ada@example.org"));
}

#[tokio::test]
async fn a_port_the_operator_closed_is_named_before_anything_is_asked() {
    let begin = Begin { method: Method::Password, email: None, target: None, force_consent: false };
    let mut wizard = Wizard::begin("ports = '993,587'", begin).await;
    wizard.submit(&[("email", "ada@gmail.com")]).await;
    assert_eq!((wizard.step.name.as_str(), wizard.error("smtp_port")), ("servers", "imap.error.port"));
    wizard.turn("address").await;
    wizard.submit(&[("email", "ada@example.org")]).await;
    assert_eq!((wizard.value("imap_port"), wizard.value("smtp_port")), ("993", "587"));
}

#[tokio::test]
async fn sending_is_asked_again_with_its_faults_and_may_be_left_out() {
    let mut wizard = Wizard::fresh().await;
    let imap = outcome::servers(&serde_json::from_value(json!({"label": "", "details": details()})).unwrap());
    let at = place::At::Sending { imap: imap.unwrap().imap, password: Secret::new("hunter2") };
    wizard.state = Place { repairs: false, address: "ada@example.org".into(), at }.store().unwrap();
    wizard.submit(&[("smtp_host", "a b"), ("smtp_port", "25"), ("smtp_password", "hunter2\n")]).await;
    assert_eq!(wizard.step.name, "sending");
    assert_eq!(wizard.error("smtp_host"), "imap.error.host_invalid");
    assert_eq!(wizard.error("smtp_port"), "imap.error.port");
    assert_eq!(wizard.error("smtp_login"), "imap.error.login_missing");
    assert_eq!(wizard.error("smtp_password"), "imap.error.password_unusable");
    let fields = [("smtp_host", "smtp.office365.com"), ("smtp_port", "587"), ("smtp_login", "ada")];
    assert_eq!(wizard.submit(&fields).await.refusal(), Some("oauth_required"));
    assert_eq!(wizard.ways(), ["receive_only", "address"]);
    let next = wizard.act(Action::Alternative("receive_only".into()), &[]).await.unwrap();
    assert!(matches!(next, Next::Connected(connected) if connected.identity == "mail.example.org/ada"));
}

#[tokio::test]
async fn what_no_form_of_ours_sends_is_trouble_and_never_a_panic() {
    let mut wizard = Wizard::fresh().await;
    for way in ["address", "receive_only", "password", "nonsense", ""] {
        let trouble = wizard.act(Action::Alternative(way.into()), &[]).await.unwrap_err();
        assert_eq!(trouble.code, "no_such_alternative");
    }
    for state in
        [json!(null), json!({}), json!({"version": "2"}), json!({"version": "1", "at": {"step": "x"}})]
    {
        wizard.state = State(state);
        let trouble = wizard.act(Action::Submit, &[("email", "ada@gmail.com")]).await.unwrap_err();
        assert_eq!(trouble.code, "state_unreadable");
    }
}
