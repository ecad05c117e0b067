//! The provider for Telegram beside the stand-in for its data centres: codes that are scanned, what comes of the account
//! afterwards, and what the data centres saw of it.

use crate::parts::telegram::{Telegram, way_out};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use vestibule::contract::{
    Action, Actor, Allowance, Answer, Begin, Checked, Code, Connected, Context, Conversation, Heard, Method,
    Next, Provider, Returns, State, Step, StepKind, Target,
};
use vestibule::kernel::clock::{Clock, Millis};
use vestibule::kernel::random::Random;
use vestibule::kernel::secret::Secret;
use vestibule::providers::catalogue;

const ADA: &str = "+447700900123";
const PASSWORD: &str = "correct horse naïve";

/// A person at the wizard, without the wizard.
pub(super) struct Person {
    pub(super) provider: Arc<dyn Provider>,
    pub(super) cx: Context,
    pub(super) step: Option<Step>,
    state: State,
    talk: Option<Box<dyn Conversation>>,
    pub(super) connected: Option<Connected>,
    ahead: Arc<AtomicI64>,
}

impl Person {
    pub(super) async fn arrive(double: &Telegram, method: Method, target: Option<Target>) -> Self {
        Self::with(double, method, target, &[]).await
    }

    pub(super) async fn with(
        double: &Telegram,
        method: Method,
        target: Option<Target>,
        more: &[(&str, toml::Value)],
    ) -> Self {
        let mut settings = double.settings();
        settings.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        let offer = catalogue(&BTreeMap::from([("telegram".to_owned(), settings)])).unwrap();
        assert_eq!(offer.stand_ins.len(), 2, "whoever starts the server must know");
        let provider = offer.built.into_iter().find(|built| built.about().slug == "telegram").unwrap();
        let ahead = Arc::new(AtomicI64::new(0));
        let (system, jump) = (Clock::system(), ahead.clone());
        let cx = Context {
            egress: way_out(),
            clock: Clock::new(move || Millis(system.now().0 + jump.load(Ordering::Relaxed))),
            random: Random::system(),
            allowance: Allowance::new(0, 0).granting(100),
            returns: Returns::default(),
        };
        let begin = Begin { method, email: None, target, force_consent: false };
        let next = provider.begin(&cx, begin).await.unwrap();
        let (state, step) = (State::default(), None);
        let mut person = Self { provider, cx, step, state, talk: None, connected: None, ahead };
        person.note(next);
        person
    }

    fn note(&mut self, next: Next) {
        match next {
            Next::Step { step, state } | Next::Holding { step, state, .. } => {
                match &mut self.talk {
                    Some(talk) if step.live => talk.answered(state.clone()),
                    talk => {
                        *talk = step.live.then(|| self.provider.converse(&self.cx, state.clone()).unwrap());
                    }
                }
                (self.step, self.state) = (Some(*step), state);
            }
            Next::Connected(connected) => {
                (self.step, self.talk, self.connected) = (None, None, Some(*connected));
            }
            Next::Unfit { .. } | Next::Failed(_) => panic!("it ended: {next:?}"),
        }
    }

    /// Lets time pass.
    pub(super) fn wait(&self, span: Duration) {
        self.ahead.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(super) async fn act(&mut self, action: Action, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), Secret::new(*text))).collect();
        let next =
            self.provider.answer(&self.cx, self.state.clone(), Answer { action, fields }).await.unwrap();
        self.note(next);
    }

    pub(super) async fn submit(&mut self, fields: &[(&str, &str)]) {
        self.act(Action::Submit, fields).await;
    }

    pub(super) async fn turn(&mut self, way: &str) {
        self.act(Action::Alternative(way.to_owned()), &[]).await;
    }

    /// What is heard next; a step or an account is noted.
    pub(super) async fn hear(&mut self) -> Option<Code> {
        let talk = self.talk.as_mut().expect("a conversation");
        let heard = tokio::time::timeout(Duration::from_secs(30), talk.next()).await.expect("in time");
        match heard.unwrap() {
            Heard::Code(code) => Some(code),
            Heard::Next(next) => {
                self.note(next);
                None
            }
        }
    }

    /// The next code.
    pub(super) async fn see(&mut self) -> Code {
        self.hear().await.unwrap_or_else(|| panic!("{:?}", self.step))
    }

    /// The step shown and what it says was wrong.
    pub(super) fn told(&self) -> (&str, Option<&str>) {
        self.step.as_ref().map_or(("connected", None), |step| (step.name.as_str(), step.refusal()))
    }

    /// Scans until that leads on.
    pub(super) async fn link(double: &Telegram, phone: &str) -> Self {
        let mut person = Self::arrive(double, Method::Qr, None).await;
        let code = person.see().await;
        double.scan(&code.value, phone).await;
        assert_eq!(person.hear().await.map(|_| ()), None);
        person
    }
}

#[tokio::test]
async fn a_scanned_code_connects_and_an_independent_client_goes_on_from_there() {
    let double = Telegram::start(500);
    let names = json!({ "dc": 2, "first_name": "Ada", "last_name": "Lovelace", "username": "countess" });
    let account = double.account(ADA, names).await;
    let mut person = Person::arrive(&double, Method::Qr, None).await;
    let step = person.step.clone().unwrap();
    assert_eq!((step.kind, step.live, step.code), (StepKind::Qr, true, None));
    let began = Instant::now();
    let code = person.see().await;
    println!("the first code after {:?}", began.elapsed());
    assert!(code.value.starts_with("tg://login?token="));
    let left = code.expires_at.unwrap().since(person.cx.clock.now());
    assert!((25..=31).contains(&left.as_secs()), "{left:?}");
    double.scan(&code.value, ADA).await;
    let scanned = Instant::now();
    assert!(person.hear().await.is_none());
    assert!(scanned.elapsed() < Duration::from_secs(10), "it is told, and does not wait for the code's end");
    let connected = person.connected.take().unwrap();
    let id = account["id"].as_str().map_or_else(|| account["id"].to_string(), str::to_owned);
    assert_eq!((&*connected.identity, &*connected.profile.label), (&*id, ADA));
    let text = |name: &str| connected.profile.text(name).to_owned();
    assert_eq!((text("username"), text("name")), ("countess".to_owned(), "Ada Lovelace".to_owned()));
    let key = connected.secret.0["session"]["auth_key"].as_str().unwrap();
    assert!(!format!("{connected:?}").contains(key));
    let devices = double.devices(ADA).await;
    assert_eq!((devices.len(), &devices[0]["device_model"]), (1, &json!("Vestibule")));

    let credentials = person.provider.credentials(&connected.secret, &connected.profile).unwrap().value;
    assert_eq!((&credentials["type"], &credentials["dc_id"]), (&json!("telegram_session"), &json!(2)));
    assert_eq!(credentials["address"], double.address(2));
    let said = double.telethon(credentials["telethon"].as_str().unwrap());
    assert_eq!((said["id"].to_string(), &said["username"]), (id, &json!("countess")));
    assert_eq!(said["devices"], 1, "the same device, by another name");
}

#[tokio::test]
async fn a_password_is_asked_for_with_its_hint_and_a_wrong_one_is_told() {
    let double = Telegram::start(500);
    for dc in [2, 3] {
        let phone = format!("+44770090012{dc}");
        double.account(&phone, json!({ "dc": dc, "password": PASSWORD, "hint": "battery" })).await;
        let mut person = Person::link(&double, &phone).await;
        assert_eq!(person.told(), ("password", None));
        let step = person.step.clone().unwrap();
        assert!(!step.live && step.asks_secret());
        assert_eq!(step.fields[0].help.as_ref().unwrap().args["hint"], "battery");
        assert_eq!(step.fields[0].autocomplete.as_deref(), Some("current-password"));
        person.submit(&[("password", "wrong")]).await;
        assert_eq!(person.told(), ("password", Some("password_invalid")));
        person.submit(&[("password", "")]).await;
        assert_eq!(person.told(), ("password", Some("password_missing")));
        let flood = json!({ "method": "auth.checkPassword", "error": "FLOOD_WAIT_600" });
        double.tell("/failures", flood).await;
        person.submit(&[("password", PASSWORD)]).await;
        assert_eq!(person.told(), ("password", Some("rate_limited")));
        let advice = person.step.as_ref().unwrap().notice.as_ref().unwrap().advice.clone().unwrap();
        assert_eq!((&*advice.key, &*advice.args["n"]), ("telegram.advice.wait_minutes", "10"));
        person.submit(&[("password", PASSWORD)]).await;
        assert_eq!(person.told(), ("connected", None));
        assert_eq!(double.devices(&phone).await.len(), 1);
    }
}

#[tokio::test]
async fn a_person_at_another_data_centre_is_followed_there_however_long_that_takes() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 3 })).await;
    let person = Person::link(&double, ADA).await;
    assert_eq!(person.connected.unwrap().secret.0["session"]["dc"], 3);

    // The key is not known there for a moment.
    let race = json!({ "method": "auth.importLoginToken", "error": "AUTH_KEY_UNREGISTERED" });
    double.tell("/failures", race).await;
    let person = Person::link(&double, ADA).await;
    assert_eq!(person.told(), ("connected", None));

    // The token has ended by then, so the next code comes from there.
    let late = json!({ "method": "auth.importLoginToken", "error": "AUTH_TOKEN_EXPIRED" });
    double.tell("/failures", late).await;
    let mut person = Person::arrive(&double, Method::Qr, None).await;
    let code = person.see().await;
    double.scan(&code.value, ADA).await;
    let again = person.see().await;
    double.scan(&again.value, ADA).await;
    assert!(person.hear().await.is_none());
    assert_eq!(person.told(), ("connected", None));
}

#[tokio::test]
async fn codes_are_renewed_by_the_end_that_telegram_names_until_nobody_seems_to_come() {
    let double = Telegram::start(500);
    double.account(ADA, json!({})).await;
    double.tell("/settings", json!({ "tokenMs": 3000 })).await;
    let mut person = Person::arrive(&double, Method::Qr, None).await;
    let one = person.see().await;
    let two = person.see().await;
    assert_ne!(one.value, two.value);
    assert!(one.expires_at.unwrap() < two.expires_at.unwrap());
    // One that is gone is of no use to anybody, and the step stands.
    double.tell("/expire", json!({ "url": two.value })).await;
    let (status, _) = double.ask("POST", "/scan", &json!({ "url": two.value, "phone": ADA })).await;
    assert_eq!(status, 409);
    person.see().await;

    person.wait(Duration::from_secs(601));
    assert!(person.hear().await.is_none());
    assert_eq!(person.told(), ("ended", None));
    assert!(!person.step.as_ref().unwrap().live);
    person.submit(&[]).await;
    assert_eq!(person.told(), ("qr", None));
    let code = person.see().await;
    double.scan(&code.value, ADA).await;
    assert!(person.hear().await.is_none());
    assert_eq!(person.told(), ("connected", None));
}

#[tokio::test]
async fn a_clock_that_is_wrong_makes_no_code_live_longer_or_shorter() {
    let double = Telegram::start(500);
    for wrong in [Duration::from_secs(86_400), Duration::ZERO] {
        let mut person = Person::arrive(&double, Method::Qr, None).await;
        person.wait(wrong);
        person.submit(&[]).await;
        let code = person.see().await;
        let left = code.expires_at.unwrap().since(person.cx.clock.now());
        assert!((25..=31).contains(&left.as_secs()), "{left:?}");
    }
}

#[tokio::test]
async fn a_conversation_survives_being_dropped_at_its_awaits_and_cut_off_and_ends_with_its_owner() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 2 })).await;
    let mut person = Person::arrive(&double, Method::Qr, None).await;
    let mut talk = person.talk.take().unwrap();
    let mut code = None;
    for _ in 0..10_000 {
        match tokio::time::timeout(Duration::from_millis(1), talk.next()).await {
            Err(_) => {}
            Ok(heard) => {
                code = Some(heard.unwrap());
                break;
            }
        }
    }
    let Some(Heard::Code(_)) = code else { panic!("{code:?}") };
    assert_eq!(double.asked("auth.exportLoginToken").await, 1, "what was begun went on");
    // The connection ends; the next code comes over another.
    double.tell("/drop", json!({})).await;
    let Heard::Code(code) = talk.next().await.unwrap() else { panic!("no code") };
    double.scan(&code.value, ADA).await;
    let heard = talk.next().await.unwrap();
    assert!(matches!(heard, Heard::Next(Next::Connected(_))), "{heard:?}");
    drop(talk);

    let mut person = Person::arrive(&double, Method::Qr, None).await;
    person.see().await;
    drop(person);
    let all_ended = async || double.log().await.iter().all(|one| !one["until"].is_null()).then_some(());
    crate::parts::eventually_async("the end of the connections", Duration::from_secs(10), all_ended).await;
}

#[tokio::test]
async fn a_data_centre_that_is_silent_or_refuses_is_not_waited_for() {
    let double = Telegram::start(500);
    let soon = [("call_seconds", toml::Value::from(1))];
    for at in ["auth.exportLoginToken", "connect"] {
        double.tell("/silences", json!({ "at": at })).await;
        let mut person = Person::with(&double, Method::Qr, None, &soon).await;
        let began = Instant::now();
        assert!(person.hear().await.is_none());
        assert_eq!(person.told(), ("ended", Some("provider_unavailable")), "{at}");
        assert!(began.elapsed() < Duration::from_secs(5));
        double.ask("DELETE", "/silences", &Value::Null).await;
        // The person asks for another code.
        person.submit(&[]).await;
        person.see().await;
    }
    double.tell("/failures", json!({ "method": "auth.exportLoginToken", "error": "FLOOD_WAIT_90" })).await;
    let mut person = Person::arrive(&double, Method::Qr, None).await;
    assert!(person.hear().await.is_none());
    assert_eq!(person.told(), ("ended", Some("rate_limited")));
    // Blocked, or too old for Telegram: the same page with other words.
    for (error, notice) in
        [("USER_DEACTIVATED_BAN", "phone_banned"), ("UPDATE_APP_TO_LOGIN", "client_outdated")]
    {
        double.tell("/failures", json!({ "method": "auth.exportLoginToken", "error": error })).await;
        person.submit(&[]).await;
        assert!(person.hear().await.is_none());
        assert_eq!(person.told(), ("ended", Some(notice)));
    }
    person.submit(&[]).await;
    person.see().await;
}

#[tokio::test]
async fn an_account_is_watched_and_only_words_about_its_session_break_it() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 2 })).await;
    let soon = [("call_seconds", toml::Value::from(1))];
    let checker = Person::with(&double, Method::Qr, None, &soon).await;
    let check = async |person: &Person| {
        checker.provider.check(&checker.cx, person.connected.as_ref().unwrap().secret.clone()).await
    };
    let refused =
        |cause: &str, sure| Checked::Refused { cause: cause.to_owned(), actor: Actor::Person, sure };

    let person = Person::link(&double, ADA).await;
    assert_eq!(check(&person).await, Ok(Checked::Fine));
    double.tell("/silences", json!({ "at": "updates.getState" })).await;
    assert_eq!(check(&person).await.unwrap_err().code, "timeout");
    double.ask("DELETE", "/silences", &Value::Null).await;
    double.tell("/failures", json!({ "method": "updates.getState", "error": "FLOOD_WAIT_9" })).await;
    assert_eq!(check(&person).await.unwrap_err().code, "rate_limited");
    for error in ["SESSION_REVOKED", "AUTH_KEY_UNREGISTERED"] {
        let person = Person::link(&double, ADA).await;
        double.tell("/revoke", json!({ "phone": ADA, "error": error })).await;
        let cause = if error == "SESSION_REVOKED" { "session_revoked" } else { "signed_out" };
        assert_eq!(check(&person).await, Ok(refused(cause, true)));
    }
    let duplicated = json!({ "method": "updates.getState", "error": "AUTH_KEY_DUPLICATED", "code": 406 });
    double.tell("/failures", duplicated).await;
    let person = Person::link(&double, ADA).await;
    assert_eq!(check(&person).await, Ok(refused("session_duplicated", true)));
    // A data centre that does not know the key is believed only when it says so again.
    double.tell("/forget", json!({ "phone": ADA })).await;
    assert_eq!(check(&person).await, Ok(refused("auth_key_unknown", false)));
}

#[tokio::test]
async fn giving_back_signs_out_and_what_is_signed_out_already_is_fine() {
    let double = Telegram::start(500);
    double.account(ADA, json!({ "dc": 2 })).await;
    let person = Person::link(&double, ADA).await;
    let secret = person.connected.as_ref().unwrap().secret.clone();
    assert!(person.provider.revokes());
    for _ in 0..2 {
        person.provider.revoke(&person.cx, secret.clone()).await.unwrap();
        assert_eq!(double.devices(ADA).await.len(), 0);
    }
    double.tell("/failures", json!({ "method": "auth.logOut", "error": "INTERNAL", "code": 500 })).await;
    let person = Person::link(&double, ADA).await;
    let secret = person.connected.as_ref().unwrap().secret.clone();
    let trouble = person.provider.revoke(&person.cx, secret.clone()).await.unwrap_err();
    assert_eq!(trouble.code, "provider_unavailable");
    person.provider.revoke(&person.cx, secret).await.unwrap();
}

#[tokio::test]
async fn the_settings_are_tried_with_a_code_that_nobody_sees() {
    let double = Telegram::start(500);
    let person = Person::arrive(&double, Method::Qr, None).await;
    assert_eq!(person.provider.try_settings(&person.cx).await, []);
    let hash = "0123456789abcdef0123456789abcdef";
    double.tell("/apis", json!({ "id": 77, "hash": hash, "published": true })).await;
    for (id, code) in [(77, "config_api_id_published"), (78, "config_api_id_invalid")] {
        let other = [("api_id", toml::Value::from(id)), ("api_hash", hash.into())];
        let mut person = Person::with(&double, Method::Qr, None, &other).await;
        let found = person.provider.try_settings(&person.cx).await;
        assert_eq!(found.iter().map(|one| (one.code, one.fatal)).collect::<Vec<_>>(), [(code, true)]);
        assert!(person.hear().await.is_none());
        assert_eq!(person.told(), ("ended", Some("misconfigured")), "{code}");
    }
}
