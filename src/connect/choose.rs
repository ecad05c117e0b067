//! Which provider a person connects, where their link leaves more than one: by their address where that tells, and by
//! their own choice. The step that asks is the engine's own; what follows is the provider's.

use std::time::Duration;

use super::returns::Leaving;
use super::settle::Outcome;
use super::{Connect, Error, Result, SessionView, View, encode};
use crate::contract::{
    Action, Allowance, Alternative, Answer, Begin, Context, Field, FieldKind, Group, Next, State, Step,
    StepKind, Text, Trouble,
};
use crate::kernel::egress::MailExchange;
use crate::kernel::ids::SessionId;
use crate::kernel::secret::Secret;
use crate::kernel::words::Purpose;
use crate::store::{Attempt, Session};

/// What stands in for a provider's slug while none is chosen.
pub const CHOOSING: &str = "choose";
/// What an answer names that takes a provider: this and its slug. Nobody's own ways on begin so.
const TAKES: &str = "choose:";

/// How long whoever takes a domain's mail is looked up.
const LOOK_UP: Duration = Duration::from_secs(5);

/// The provider that an attempt is with.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) provider: String,
    /// The method's word.
    pub(super) method: String,
}

/// A first step.
pub(super) struct Begun {
    pub(super) step: Box<Step>,
    pub(super) state: State,
    pub(super) leaving: Leaving,
    pub(super) chosen: Chosen,
}

/// What an answer says about the provider.
pub(super) enum Choice {
    /// To be asked which.
    Ask,
    /// This one.
    Take(String),
    /// Whichever the address belongs to.
    ByAddress,
}

/// What an answer says about the provider, if it does.
pub(super) fn choice(session: &Session, attempt: &Attempt, answer: &Answer) -> Option<Choice> {
    if session.purpose == Purpose::Reconnect {
        return None;
    }
    match &answer.action {
        Action::Alternative(way) if way == CHOOSING && session.providers.len() > 1 => Some(Choice::Ask),
        Action::Alternative(way) => {
            let slug = way.strip_prefix(TAKES)?;
            session.providers.iter().find(|known| *known == slug).cloned().map(Choice::Take)
        }
        Action::Submit if attempt.provider == CHOOSING => Some(Choice::ByAddress),
        _ => None,
    }
}

/// Adds the way to another provider to a step, where the link leaves one.
pub(super) fn offer(session: &Session, step: &mut Step) {
    if session.providers.len() > 1 && session.purpose == Purpose::Create {
        step.alternatives.push(Alternative { name: CHOOSING.to_owned(), label: Text::key("choose.other") });
    }
}

impl Connect {
    /// Answers the step with this version by taking a provider, with an address where one is known. A session for one
    /// provider begins there anew.
    ///
    /// # Errors
    /// `NotFound("session")`, `Unavailable`.
    pub async fn take_provider(
        &self,
        id: &SessionId,
        cookie: Option<&str>,
        version: i64,
        slug: &str,
        email: Option<&str>,
    ) -> Result<(SessionView, View)> {
        let fields = email.map(|email| ("email".to_owned(), Secret::new(email))).into_iter().collect();
        let answer = Answer { action: Action::Alternative(format!("{TAKES}{slug}")), fields };
        self.answer(id, cookie, version, answer).await
    }

    /// The provider that a session begins with; `None` when the person has to say.
    pub(super) fn likely(&self, session: &Session, email: Option<&str>) -> Option<String> {
        match session.providers.as_slice() {
            [only] => Some(only.clone()),
            several => self.by_domain(several, &domain(email?)?),
        }
    }

    /// A provider's first step in this session.
    pub(super) async fn begin(
        &self,
        session: &Session,
        slug: &str,
        email: Option<String>,
        allowance: &Allowance,
    ) -> Result<Begun> {
        let request: super::Request = super::decode(&session.request)?;
        let provider = self.provider(slug)?;
        let method = *provider.about().methods.first().ok_or(Error::ProviderUnavailable)?;
        let target = self.target(session).await?;
        let begin = Begin { method, email, target, force_consent: request.force_consent };
        let leaving = self.leaving(slug, &session.id);
        let (mut step, state) = match provider.begin(&self.context(allowance, &leaving), begin).await {
            Ok(Next::Step { step, state }) => (step, state),
            Ok(_) => return Err(Error::internal("beginning", "the provider gave no step")),
            Err(trouble) => return Err(Error::internal("beginning", trouble)),
        };
        offer(session, &mut step);
        let method =
            encode(&method).map(|word| String::from_utf8_lossy(&word).trim_matches('"').to_owned())?;
        Ok(Begun { step, state, leaving, chosen: Chosen { provider: slug.to_owned(), method } })
    }

    /// The step that asks which provider it shall be.
    pub(super) fn begin_choosing(&self, session: &Session, email: Option<&str>) -> Begun {
        Begun {
            step: Box::new(self.ask_which(session, email, None)),
            state: State::default(),
            leaving: self.leaving(CHOOSING, &session.id),
            chosen: Chosen { provider: CHOOSING.to_owned(), method: CHOOSING.to_owned() },
        }
    }

    fn ask_which(&self, session: &Session, email: Option<&str>, wrong: Option<&str>) -> Step {
        let offered = self.catalogue.iter().filter(|one| session.providers.contains(&one.about().slug));
        let with_mail = offered.clone().any(|one| one.about().groups.contains(&Group::Mailing));
        let mut address = Field::new("email", FieldKind::Email, Text::key("choose.email"));
        address.value = email.map(str::to_owned);
        address.autocomplete = Some("email".to_owned());
        address.error = wrong.map(|key| Text::key(format!("choose.{key}")));
        let ways = offered.map(|one| {
            let slug = &one.about().slug;
            Alternative { name: format!("{TAKES}{slug}"), label: Text::key(format!("{slug}.name")) }
        });
        let mut step =
            Step::new(StepKind::Choose, CHOOSING, Text::key("choose.title"), Text::key("choose.submit"));
        step.intro = Some(Text::key(if with_mail { "choose.intro" } else { "choose.intro_plain" }));
        step.fields = if with_mail { vec![address] } else { Vec::new() };
        step.alternatives = ways.collect();
        step
    }

    /// What a choice comes to: the provider's first step, answered with the address where it asks for nothing else.
    pub(super) async fn choose(
        &self,
        session: &Session,
        choice: Choice,
        answer: &Answer,
        allowance: &Allowance,
    ) -> std::result::Result<Outcome, Trouble> {
        let typed = Some(answer.text("email")).filter(|text| !text.is_empty());
        let ask = |wrong| {
            let mut begun = self.begin_choosing(session, typed);
            begun.step = Box::new(self.ask_which(session, typed, wrong));
            Ok(outcome(begun))
        };
        let slug = match choice {
            Choice::Ask => return ask(None),
            Choice::Take(slug) => slug,
            Choice::ByAddress => {
                let Some(domain) = typed.and_then(domain) else {
                    return ask(Some("email_invalid"));
                };
                match self.detect(session, &domain).await {
                    Some(slug) => slug,
                    None => return ask(Some("email_unknown")),
                }
            }
        };
        let broken = |error: Error| {
            tracing::error!(error = %error, "a provider could not begin");
            Trouble::bug("beginning")
        };
        let mut begun =
            self.begin(session, &slug, typed.map(str::to_owned), allowance).await.map_err(broken)?;
        let asks_only = matches!(begun.step.fields.as_slice(), [field] if field.kind == FieldKind::Email);
        if let (Some(typed), true) = (typed, asks_only) {
            let name = begun.step.fields[0].name.clone();
            let fields = [(name, Secret::new(typed))].into();
            let cx: Context = self.context(allowance, &begun.leaving);
            let provider = self.provider(&slug).map_err(broken)?;
            let answer = Answer { action: Action::Submit, fields };
            // What else it may say is said again when the person answers.
            if let Next::Step { mut step, state } = provider.answer(&cx, begun.state.clone(), answer).await? {
                offer(session, &mut step);
                (begun.step, begun.state) = (step, state);
            }
        }
        Ok(outcome(begun))
    }

    /// The provider that an address of this domain belongs to: by the domain, by who takes its mail, and else the one
    /// that takes any mailbox.
    async fn detect(&self, session: &Session, domain: &str) -> Option<String> {
        if let Some(slug) = self.by_domain(&session.providers, domain) {
            return Some(slug);
        }
        let exchange = tokio::time::timeout(LOOK_UP, self.cx.egress.mail_exchange(domain)).await;
        // Nobody could say in time: the one that takes any mailbox looks again, and says what it tried.
        let hosts = match exchange {
            Ok(Ok(MailExchange::Hosts(hosts))) => hosts,
            _ => Vec::new(),
        };
        let offered = || self.catalogue.iter().filter(|one| session.providers.contains(&one.about().slug));
        let takes = |endings: &[String]| {
            hosts.iter().any(|host| endings.iter().any(|ending| host.ends_with(ending.as_str())))
        };
        let found = offered().find(|one| takes(&one.about().detects.exchanges));
        let any = || {
            offered().find(|one| {
                let (about, detects) = (one.about(), &one.about().detects);
                about.groups.contains(&Group::Mailing)
                    && detects.domains.is_empty()
                    && detects.exchanges.is_empty()
            })
        };
        found.or_else(any).map(|one| one.about().slug.clone())
    }

    fn by_domain(&self, among: &[String], domain: &str) -> Option<String> {
        let knows = |slug: &&String| {
            self.provider(slug)
                .is_ok_and(|one| one.about().detects.domains.iter().any(|known| known == domain))
        };
        among.iter().find(knows).cloned()
    }
}

fn outcome(begun: Begun) -> Outcome {
    let Begun { step, state, leaving, chosen } = begun;
    let (leaving, chosen) = (Some(leaving), Some(chosen));
    Outcome::Step { step, state, leaving, release: None, chosen, stands: false }
}

/// An address's domain in ASCII; `None` for what is no address.
fn domain(address: &str) -> Option<String> {
    let (local, domain) = address.trim().rsplit_once('@')?;
    let domain = idna::domain_to_ascii(domain.trim_end_matches('.')).ok()?;
    let whole = !local.is_empty() && domain.contains('.') && !domain.contains(char::is_whitespace);
    whole.then_some(domain)
}

#[cfg(test)]
mod tests {
    use super::domain;

    #[test]
    fn an_address_gives_its_domain_in_ascii() {
        assert_eq!(domain(" Ada@Example.COM. ").as_deref(), Some("example.com"));
        assert_eq!(domain("\"a@b\"@bücher.example").as_deref(), Some("xn--bcher-kva.example"));
        for wrong in ["", "ada", "@example.com", "ada@", "ada@localhost", "ada@exa mple.com"] {
            assert_eq!(domain(wrong), None, "{wrong}");
        }
    }
}
