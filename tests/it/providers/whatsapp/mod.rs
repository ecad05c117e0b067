//! The provider for WhatsApp against the stand-in for it, without the engine: what is shown while a step stands, what
//! links, what does not and by what name, and what the stand-in saw of it.

mod codes;
mod ends;
mod later;
mod links;
mod passkeys;

use crate::parts::whatsapp::Whatsapp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use vestibule::contract::{
    Action, Allowance, Answer, Begin, Code, Connected, Context, Conversation, Heard, Method, Next, Provider,
    Returns, State, Step, Target,
};
use vestibule::kernel::clock::Clock;
use vestibule::kernel::egress::{Egress, Setup};
use vestibule::kernel::random::Random;
use vestibule::kernel::secret::Secret;
use vestibule::providers::catalogue;

const PHONE: &str = "4915112345678";
const LABEL: &str = "+4915112345678";

/// The provider as an operator has set it up, and the stand-in that it leads to.
struct House {
    double: Whatsapp,
    provider: Arc<dyn Provider>,
    cx: Context,
}

impl House {
    fn new() -> Self {
        Self::with(Whatsapp::start(), json!({}), None)
    }

    /// With settings besides those that lead to the stand-in; null takes one away.
    fn set(more: Value) -> Self {
        Self::with(Whatsapp::start(), more, None)
    }

    fn with(double: Whatsapp, more: Value, ca: Option<&Path>) -> Self {
        let mut settings = json!({
            "enabled": true,
            "test_endpoint": double.endpoint(),
            "test_root": double.root(),
        });
        for (name, value) in more.as_object().expect("settings") {
            settings[name] = value.clone();
        }
        let settings = settings.as_object().expect("settings").iter().filter(|(_, value)| !value.is_null());
        let section = settings.map(|(name, value)| (name.clone(), toml::Value::try_from(value).unwrap()));
        let sections = BTreeMap::from([("whatsapp".to_owned(), toml::Table::from_iter(section))]);
        let offer = catalogue(&sections).unwrap();
        assert!(!offer.stand_ins.is_empty());
        let provider = offer.built.into_iter().find(|one| one.about().slug == "whatsapp").unwrap();
        let allow = vec!["127.0.0.0/8".parse().unwrap()];
        let egress = Egress::new(Setup { allow, extra_ca_file: ca, ..Setup::default() }).unwrap();
        let cx = Context {
            egress,
            clock: Clock::system(),
            random: Random::system(),
            allowance: Allowance::new(0, 0).granting(100),
            returns: Returns::default(),
        };
        Self { double, provider, cx }
    }

    async fn begin(&self) -> Person<'_> {
        self.begin_with(Method::Qr, None).await
    }

    async fn begin_with(&self, method: Method, target: Option<Target>) -> Person<'_> {
        let begin = Begin { method, email: None, target, force_consent: false };
        let next = self.provider.begin(&self.cx, begin).await.unwrap();
        let mut person = Person {
            house: self,
            step: None,
            state: State::default(),
            code: None,
            connected: None,
            talk: None,
        };
        person.note(next);
        person
    }

    /// Somebody who has linked their account.
    async fn connected(&self) -> Connected {
        let mut person = self.begin().await;
        let code = person.code().await;
        self.double.scan(PHONE, &code).await.unwrap();
        person.until("connected").await;
        person.connected.unwrap()
    }
}

/// A person at the wizard, without the wizard: what the engine does is done here in its simplest form.
struct Person<'a> {
    house: &'a House,
    step: Option<Step>,
    state: State,
    code: Option<Code>,
    connected: Option<Connected>,
    talk: Option<Box<dyn Conversation>>,
}

impl Person<'_> {
    fn note(&mut self, next: Next) {
        self.code = None;
        match next {
            Next::Step { step, state } | Next::Holding { step, state, .. } => {
                if !step.live {
                    self.talk = None;
                }
                (self.step, self.state) = (Some(*step), state);
            }
            Next::Connected(connected) => (self.step, self.connected) = (None, Some(*connected)),
            Next::Unfit { .. } | Next::Failed(_) => panic!("it ended: {next:?}"),
        }
    }

    /// The conversation of the step on show, which may be another process's.
    fn converse(&mut self) {
        let talk = self.house.provider.converse(&self.house.cx, self.state.clone());
        self.talk = Some(talk.unwrap_or_else(|trouble| panic!("{trouble}: {:?}", self.step)));
    }

    /// The process is killed: only what was stored is left.
    fn killed(&mut self) {
        (self.talk, self.code) = (None, None);
    }

    /// Hears one thing.
    async fn hear(&mut self) {
        if self.talk.is_none() {
            self.converse();
        }
        let heard = tokio::time::timeout(Duration::from_secs(30), self.talk.as_mut().unwrap().next()).await;
        match heard.expect("something in time").unwrap() {
            Heard::Code(code) => self.code = Some(code),
            Heard::Next(next) => self.note(next),
        }
    }

    /// Hears until a step is on show, or the account is connected.
    async fn until(&mut self, name: &str) {
        while self.told().0 != name {
            self.hear().await;
        }
    }

    /// What the code says that is on show.
    async fn code(&mut self) -> String {
        while self.code.is_none() {
            self.hear().await;
        }
        self.code.as_ref().unwrap().value.clone()
    }

    async fn act(&mut self, action: Action, fields: &[(&str, &str)]) {
        let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), Secret::new(*text))).collect();
        let (house, state) = (self.house, self.state.clone());
        let next = house.provider.answer(&house.cx, state, Answer { action, fields }).await.unwrap();
        self.note(next);
        if let Some(talk) = &mut self.talk {
            talk.answered(self.state.clone());
        }
    }

    async fn submit(&mut self, fields: &[(&str, &str)]) {
        self.act(Action::Submit, fields).await;
    }

    async fn way(&mut self, name: &str) {
        let offered = self.step.as_ref().unwrap().alternatives.iter().any(|way| way.name == name);
        assert!(offered, "{name}: {:?}", self.step);
        self.act(Action::Alternative(name.to_owned()), &[]).await;
    }

    /// Goes to a pairing code for the usual phone.
    async fn pair(&mut self) -> String {
        self.way("pairing_code").await;
        assert_eq!(self.told(), ("phone", None));
        self.submit(&[("phone", "+49 151 1234-5678")]).await;
        assert_eq!(self.told(), ("pairing_code", None));
        self.code().await
    }

    /// The step shown and what it says was wrong.
    fn told(&self) -> (&str, Option<&str>) {
        self.step.as_ref().map_or(("connected", None), |step| (step.name.as_str(), step.refusal()))
    }

    /// What the step says good to know.
    fn notice(&self) -> &str {
        self.step.as_ref().unwrap().notice.as_ref().map_or("", |notice| &notice.code)
    }
}
