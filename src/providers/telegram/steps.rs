//! The steps as the person sees them. What is shown is decided here; where it leads is decided elsewhere.

use std::time::Duration;

use crate::contract::{
    Actor, Alternative, Field, FieldKind, Help, Next, Notice, State, Step, StepKind, Text, Tone, Trouble,
};

use super::outcome::Held;
use super::place::{At, Place, Sent};

/// One of this provider's sentences.
pub fn say(key: &str) -> Text {
    Text::key(format!("telegram.{key}"))
}

/// What was wrong with an answer.
#[derive(Clone, Debug, Default)]
pub struct Wrong {
    /// With its field.
    pub field: Option<Text>,
    /// With something else.
    pub notice: Option<Notice>,
}

impl Wrong {
    /// With the field.
    pub fn field(key: &str) -> Self {
        Self { field: Some(say(key)), notice: None }
    }

    /// With something else, by its code.
    pub fn notice(code: &str) -> Self {
        Self { field: None, notice: Some(notice(code)) }
    }

    /// With what is not about the person.
    pub fn trouble(trouble: &Trouble) -> Self {
        match trouble.code {
            "client_outdated" => Wrong::notice("client_outdated"),
            _ if trouble.actor == Actor::Operator => Wrong::notice("misconfigured"),
            _ => Wrong::notice("provider_unavailable"),
        }
    }

    /// Too much was asked in a short time. Waiting that long helps; zero when nobody says how long.
    pub fn wait(wait: Duration) -> Self {
        let minutes = wait.as_secs().div_ceil(60);
        let mut notice = notice("rate_limited");
        notice.advice = Some(match minutes {
            0 => say("advice.rate_limited"),
            1..=90 => say("advice.wait_minutes").with("n", minutes.to_string()),
            _ => say("advice.wait_hours").with("n", minutes.div_ceil(60).to_string()),
        });
        Self { field: None, notice: Some(notice) }
    }
}

fn notice(code: &str) -> Notice {
    // That a code is still on its way is nobody's mistake.
    let tone = if code == "code_wait" { Tone::Info } else { Tone::Refused };
    Notice {
        code: code.to_owned(),
        tone,
        text: say(&format!("trouble.{code}")),
        advice: Some(say(&format!("advice.{code}"))),
    }
}

/// The codes of all notices.
#[cfg(test)]
pub const NOTICES: &[&str] = &[
    "rate_limited",
    "phone_banned",
    "no_account",
    "code_not_sent",
    "code_unsuitable",
    "client_outdated",
    "misconfigured",
    "provider_unavailable",
    "payment_required",
    "code_expired",
    "code_wait",
    "sign_in_expired",
    "throttled",
];

impl Place {
    /// Shows where the person stands.
    ///
    /// # Errors
    /// None that could happen; see [`Place::store`].
    pub fn show(self, wrong: Wrong) -> Result<Next, Trouble> {
        let mut step = match &self.at {
            At::Qr { .. } => self.qr(),
            At::Ended => self.ended(wrong.notice.as_ref()),
            At::Phone => self.ask_phone(),
            At::Code(sent) => self.ask_code(sent),
            At::Password { hint, .. } => self.ask_password(hint.as_deref()),
        };
        if let Some(field) = step.fields.first_mut() {
            field.error = wrong.field;
        }
        step.notice = wrong.notice;
        let held = match &self.at {
            At::Password { session, .. } => Some(Held { session: session.clone() }),
            _ => None,
        };
        let (step, state) = (Box::new(step), self.store()?);
        Ok(match held {
            Some(held) => Next::Holding { step, state, secret: State::of(&held)? },
            None => Next::Step { step, state },
        })
    }

    fn title(&self, key: &str) -> Text {
        match &self.repairs {
            Some(account) => say(&format!("{key}_repair")).with("account", account),
            None => say(key),
        }
    }

    fn qr(&self) -> Step {
        let mut step = Step::new(StepKind::Qr, "qr", self.title("qr.title"), say("submit.new_code"));
        step.intro = Some(say("qr.intro"));
        step.live = true;
        step.phone_title = Some(self.title("qr.title_phone"));
        step.help = vec![Help::new(say("help.scan")), Help::new(say("help.undo"))];
        step.alternatives = vec![way("phone_code", "way.phone_code")];
        step
    }

    /// There are no codes: nobody scanned one, or a notice says why.
    fn ended(&self, refused: Option<&Notice>) -> Step {
        let title = if refused.is_some() { say("ended.title_refused") } else { say("ended.title") };
        let submit = match refused.map(|notice| notice.code.as_str()) {
            // With this one, a new code would end the same way.
            Some("phone_banned") => say("way.other_account"),
            Some("client_outdated" | "misconfigured") => say("submit.again"),
            _ => say("submit.new_code"),
        };
        let mut step = Step::new(StepKind::Form, "ended", title, submit);
        step.intro = refused.is_none().then(|| say("ended.intro"));
        step.alternatives = vec![way("phone_code", "way.phone_code")];
        step
    }

    fn ask_phone(&self) -> Step {
        let mut step = Step::new(StepKind::Form, "phone", self.title("phone.title"), say("submit.send_code"));
        step.intro = Some(say("phone.intro"));
        step.help = vec![Help::new(say("help.undo"))];
        let mut field = Field::new("phone", FieldKind::Phone, say("field.phone"));
        field.help = Some(say("field.phone_help"));
        field.value = Some(self.phone.clone()).filter(|phone| !phone.is_empty());
        field.autocomplete = Some("tel".to_owned());
        step.fields.push(field);
        step.alternatives = vec![way("qr", "way.qr")];
        step
    }

    fn ask_code(&self, sent: &Sent) -> Step {
        let mut step = Step::new(StepKind::Form, "code", say("code.title"), say("submit.sign_in"));
        let intro = say(&format!("code.intro.{}", sent.way.as_str()));
        step.intro = Some(intro.with("phone", &self.phone).with("to", &sent.to));
        let mut field = Field::new("code", FieldKind::Code, say("field.code"));
        field.autocomplete = Some("one-time-code".to_owned());
        step.fields.push(field);
        step.alternatives =
            vec![way("resend", "way.resend"), way("phone_code", "way.other_phone"), way("qr", "way.qr")];
        step
    }

    fn ask_password(&self, hint: Option<&str>) -> Step {
        let mut step = Step::new(StepKind::Form, "password", say("password.title"), say("submit.sign_in"));
        step.intro = Some(say("password.intro"));
        step.help = vec![Help::new(say("help.forgotten"))];
        let mut field = Field::new("password", FieldKind::Password, say("field.password"));
        field.help = hint.map(|hint| say("field.password_hint").with("hint", hint));
        field.autocomplete = Some("current-password".to_owned());
        step.fields.push(field);
        step.username = Some(self.phone.clone()).filter(|phone| !phone.is_empty());
        step.alternatives = vec![way("qr", "way.again")];
        step
    }
}

fn way(name: &str, key: &str) -> Alternative {
    Alternative { name: name.to_owned(), label: say(key) }
}
