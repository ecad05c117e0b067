//! The step `address`: which mail address.

use crate::contract::{FieldKind, Notice, Step, Text, Tone};

use super::super::address::BadAddress;
use super::super::servers;
use super::super::table::{Rule, System};
use super::form::{alternative, filled, page, say, step};

/// Why an address cannot be connected with any password.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere<'a>(pub &'a System);

/// What the step shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct AddressStep<'a> {
    /// What the field holds.
    pub typed: &'a str,
    /// Why that does not do.
    pub error: Option<BadAddress>,
    /// Why its mail system does not do.
    pub elsewhere: Option<Elsewhere<'a>>,
    /// Why its domain does not do.
    pub no_mail: Option<NoMail>,
}

/// Why a domain cannot be where somebody has a mailbox.
#[derive(Clone, Copy, Debug)]
pub enum NoMail {
    /// There is no such domain.
    NoDomain,
    /// It says that it takes no mail.
    Refuses,
}

impl AddressStep<'_> {
    /// Draws it.
    pub fn draw(self) -> Step {
        let mut step = step("address", say("address.title"), say("submit.next"));
        step.intro = Some(say("address.intro"));
        let mut field = filled("email", FieldKind::Email, say("field.email"), self.typed);
        field.autocomplete = Some("email".to_owned());
        field.error = self.error.map(reason);
        step.fields.push(field);
        if let Some(Elsewhere(system)) = self.elsewhere {
            step.notice = Some(elsewhere(system));
            step.help
                .extend(page(say("help.about").with("provider", &system.name), system.pages.about.as_ref()));
        }
        if let Some(no_mail) = self.no_mail {
            let domain = self.typed.rsplit('@').next().unwrap_or_default();
            let (code, text, advice) = match no_mail {
                NoMail::NoDomain => {
                    ("domain_unknown", say("elsewhere.no_domain"), say("elsewhere.no_domain_advice"))
                }
                NoMail::Refuses => {
                    ("domain_takes_no_mail", say("elsewhere.no_mail"), say("elsewhere.no_mail_advice"))
                }
            };
            step.notice = Some(Notice {
                code: code.to_owned(),
                tone: Tone::Refused,
                text: text.with("domain", servers::readable(domain)),
                advice: Some(advice),
            });
        }
        // Whatever is known or found: who knows the servers may say so.
        step.alternatives.push(alternative("servers", say("way.servers")));
        step
    }
}

fn reason(bad: BadAddress) -> Text {
    match bad {
        BadAddress::Missing => say("error.address_missing"),
        BadAddress::Invalid => say("error.address_invalid"),
        BadAddress::Domain => say("error.address_domain"),
        BadAddress::TooLong => say("error.address_too_long"),
    }
}

fn elsewhere(system: &System) -> Notice {
    let (code, text, advice) = match system.rule {
        Rule::OauthOnly => {
            ("oauth_required", say("elsewhere.oauth_only"), say("elsewhere.oauth_only_advice"))
        }
        Rule::Unsupported | Rule::Normal | Rule::AppPassword | Rule::AuthCode | Rule::SeparatePassword => {
            ("provider_unsupported", say("elsewhere.unsupported"), say("elsewhere.unsupported_advice"))
        }
    };
    Notice {
        code: code.to_owned(),
        tone: Tone::Refused,
        text: text.with("provider", &system.name),
        advice: Some(advice.with("provider", &system.name)),
    }
}
