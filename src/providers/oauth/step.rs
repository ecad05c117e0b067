//! The step `sign_in` as the person sees it, and the words for what did not work.

use crate::contract::{Fact, Help, Notice, Step, StepKind, Text, Tone};

use super::refusal::Refusal;
use super::scopes::Scope;

/// The step's name.
pub const SIGN_IN: &str = "sign_in";

/// Who speaks.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    /// The provider's slug, which its words stand under.
    pub slug: &'static str,
    /// What people call it.
    pub name: &'static str,
}

impl Voice {
    /// One of its sentences.
    pub fn say(self, key: &str) -> Text {
        Text::key(format!("{}.{key}", self.slug)).with("provider", self.name)
    }

    /// The step that leads to the provider's pages; its address is added on departure.
    pub fn sign_in(self, repairs: Option<&str>, refusal: Option<Refusal>) -> Step {
        let title = match repairs {
            Some(account) => self.say("sign_in.title_repair").with("account", account),
            None => self.say("sign_in.title"),
        };
        let submit = if refusal.is_some() { self.say("submit.again") } else { self.say("submit.sign_in") };
        let mut step = Step::new(StepKind::Redirect, SIGN_IN, title, submit);
        step.intro = Some(self.say("sign_in.intro"));
        step.notice = refusal.map(|refusal| self.notice(refusal));
        step.help = vec![Help::new(self.say("help.error_page"))];
        step
    }

    /// Words for what did not work.
    pub fn notice(self, refusal: Refusal) -> Notice {
        let class = refusal.class.as_str();
        Notice {
            code: refusal.code.to_owned(),
            tone: Tone::Refused,
            text: self.say(&format!("trouble.{class}")),
            advice: Some(self.say(&format!("advice.{class}"))),
        }
    }

    /// What was not allowed though it is needed.
    pub fn missing(self, scopes: &[Scope]) -> Vec<Fact> {
        let label = |scope: &Scope| self.say(&format!("missing.{}", scope.need.as_str()));
        scopes.iter().map(|scope| Fact { label: label(scope), value: scope.name.clone() }).collect()
    }
}
