//! The step `password`: where it will be sent, which password it must be, and then the password.

use crate::contract::{Field, FieldKind, Notice, Step, Text};

use super::super::address::readable;
use super::super::servers::Servers;
use super::super::table::{Rule, System};
use super::form::{alternative, asking, fact, pages, say, step};

/// What the step shows.
#[derive(Debug)]
pub struct PasswordStep<'a> {
    /// The address.
    pub address: &'a str,
    /// Where the password will be sent.
    pub servers: &'a Servers,
    /// The mail system, when it is a known one.
    pub system: Option<&'a System>,
    /// Whether an account that exists is being repaired.
    pub repairs: bool,
    /// Why the password does not do.
    pub error: Option<Text>,
    /// What became of the last answer.
    pub notice: Option<Notice>,
}

impl PasswordStep<'_> {
    /// Draws it. The field is always empty: a password is never shown again, not even to whoever typed it.
    pub fn draw(self) -> Step {
        let rule = asking(self.system);
        let title = if self.repairs { say("password.title_repair") } else { say("password.title") };
        let submit = if self.repairs { say("submit.repair") } else { say("submit.connect") };
        let mut step = step("password", title.with("address", readable(self.address)), submit);
        step.intro = Some(self.worded("password.intro", rule));
        step.facts.push(fact(say("fact.reading"), self.servers.imap.to_string()));
        let imap_login = &self.servers.imap.login;
        match &self.servers.smtp {
            Some(smtp) if smtp.login != *imap_login => {
                step.facts.push(fact(say("fact.login_reading"), imap_login));
                step.facts.push(fact(say("fact.sending"), smtp.to_string()));
                step.facts.push(fact(say("fact.login_sending"), &smtp.login));
            }
            Some(smtp) => {
                step.facts.push(fact(say("fact.sending"), smtp.to_string()));
                step.facts.push(fact(say("fact.login"), imap_login));
            }
            None => step.facts.push(fact(say("fact.login"), imap_login)),
        }
        let mut field = Field::new("password", FieldKind::Password, self.worded("password.label", rule));
        // What a password manager has for this address was saved on these very pages, so an app password is what it has.
        field.autocomplete = Some("current-password".to_owned());
        field.error = self.error.clone();
        step.username = Some(imap_login.clone());
        step.fields.push(field);
        if let Some(system) = self.system {
            step.help = pages(system);
        }
        // The likelier slip comes first.
        if !self.repairs {
            step.alternatives.push(alternative("address", say("way.address")));
        }
        step.alternatives.push(alternative("servers", say("way.servers")));
        step.notice = self.notice;
        step
    }

    /// A sentence that exists once per password rule.
    fn worded(&self, stem: &str, rule: Rule) -> Text {
        let text = say(&format!("{stem}.{}", rule.as_str()));
        match self.system {
            Some(system) => text.with("provider", &system.name),
            None => text,
        }
    }
}
