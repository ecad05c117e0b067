//! Where each answer leads. Every refusal ends in a step with a way on; an error is only what no form of
//! ours can send.

mod sending;
mod tries;

use tokio::time::{Duration, Instant};

use crate::contract::{
    Action, Answer, Begin, Connected, Context, Failure, Next, Notice, Text, Tried, Trouble,
};

use super::address::{Address, BadAddress};
use super::config::Config;
use super::discover::{self, Found, Outcome, Search};
use super::given::{Given, usable};
use super::outcome::{self, Key};
use super::place::{At, Place};
use super::refusal::{Code, Refusal};
use super::servers::{self, Encryption, Server, Servers};
use super::steps::{
    AddressStep, Elsewhere, NoMail, PasswordStep, Problems, ServersStep, Typed, form::say, notice,
    two_step_notice,
};
use super::table::{Rule, Table};

/// An answer may take a minute; this leaves a little for whoever called us.
const ANSWER_BUDGET: Duration = Duration::from_secs(55);

/// One answer on its way to the next step.
pub struct Walk<'a> {
    /// The way out and the rest.
    pub cx: &'a Context,
    /// The settings.
    pub config: &'a Config,
    /// The known mail systems.
    pub table: &'a Table,
    /// When the answer came.
    pub since: Instant,
}

type Led = Result<Next, Trouble>;

impl Walk<'_> {
    /// The first step.
    pub fn begin(&self, begin: Begin) -> Led {
        let hint = begin.email.unwrap_or_default().chars().take(320).collect();
        let Some(target) = begin.target else { return ask_address(hint, AddressStep::default()) };
        match outcome::servers(&target.profile) {
            Some(servers) => {
                let address = Some(target.profile.text("address")).filter(|known| !known.is_empty());
                let address = address.unwrap_or(&target.profile.label).to_owned();
                self.ask_password(Place { repairs: true, address, at: At::Address }, servers, false)
            }
            // An account whose servers nobody noted down: the person tells us again.
            None => ask_address(target.profile.label, AddressStep::default()),
        }
    }

    /// What follows from an answer.
    pub async fn answer(&self, place: Place, answer: Answer) -> Led {
        match (place.at.clone(), &answer.action) {
            (At::Address, Action::Submit) => self.address_given(answer.text("email")).await,
            (At::Address, Action::Alternative(way)) if way == "servers" => self.by_hand(place, &answer),
            (At::Servers { known }, Action::Submit) => self.servers_given(place, known, &answer),
            (At::Password { servers, by_hand }, Action::Submit) => {
                self.password_given(place, servers, by_hand, &answer).await
            }
            (At::Sending { imap, password }, Action::Submit) => {
                self.sending_given(place, imap, password, &answer).await
            }
            (At::Servers { known: Some(known) }, Action::Alternative(way)) if way == "password" => {
                self.ask_password(place, known, false)
            }
            (At::Password { servers, .. }, Action::Alternative(way)) if way == "servers" => {
                let typed = Typed::of(&servers);
                ask_servers(place, Some(servers), &typed, Asking::default())
            }
            (At::Sending { imap, password }, Action::Alternative(way)) if way == "receive_only" => {
                finish(&place.address, Key { server: imap, password }, None)
            }
            (At::Servers { .. } | At::Password { .. } | At::Sending { .. }, Action::Alternative(way))
                if way == "address" && !place.repairs =>
            {
                ask_address(place.address, AddressStep::default())
            }
            (_, Action::Alternative(_)) => Err(Trouble::bug("no_such_alternative")),
            // Nobody is ever sent away from here.
            (_, Action::Returned | Action::Decided { .. }) => Err(Trouble::bug("no_such_answer")),
        }
    }

    async fn address_given(&self, typed: &str) -> Led {
        let address = match Address::parse(typed) {
            Ok(address) => address,
            Err(bad) => return wrong_address(typed, bad),
        };
        let text = address.to_string();
        let place = Place { repairs: false, address: text.clone(), at: At::Address };
        let elsewhere = |system| {
            let step = AddressStep { elsewhere: Some(Elsewhere(system)), ..AddressStep::default() };
            ask_address(text.clone(), step)
        };
        let no_mail =
            |why| ask_address(text.clone(), AddressStep { no_mail: Some(why), ..AddressStep::default() });
        if let Some(system) = self.table.by_domain(&address.domain) {
            return match (system.rule, system.servers(&address)) {
                (Rule::OauthOnly | Rule::Unsupported, _) | (_, None) => elsewhere(system),
                (_, Some(servers)) => self.ask_password(place, servers, false),
            };
        }
        let found = if self.config.discover {
            Box::pin(Search::new(self.cx, self.config, self.table, &address).run()).await
        } else {
            Found::Nothing(Vec::new())
        };
        match found {
            Found::Servers(servers) => self.ask_password(place, servers, false),
            Found::Elsewhere(system) => elsewhere(system),
            Found::NoMail => no_mail(NoMail::Refuses),
            Found::NoDomain => no_mail(NoMail::NoDomain),
            Found::Nothing(tried) => {
                let domain = servers::readable(&address.domain);
                let typed = Typed::of(&self.guess(&address));
                let tried = tried.iter().map(|one| tell(one, &domain)).collect();
                ask_servers(place, None, &typed, Asking { guessed: true, tried, ..Asking::default() })
            }
        }
    }

    /// Straight to the form for servers, with the usual names for the address as it was typed.
    fn by_hand(&self, place: Place, answer: &Answer) -> Led {
        let typed = Some(answer.text("email")).filter(|typed| !typed.is_empty()).unwrap_or(&place.address);
        match Address::parse(typed) {
            Ok(address) => {
                let guess = Typed::of(&self.guess(&address));
                let place = Place { address: address.to_string(), ..place };
                ask_servers(place, None, &guess, Asking { guessed: true, ..Asking::default() })
            }
            // Which mailbox it is must be known: the account is called by it.
            Err(bad) => wrong_address(typed, bad),
        }
    }

    /// The names most mail systems choose.
    fn guess(&self, address: &Address) -> Servers {
        let server = |host: &str, usual: u16, other: u16| {
            let port = if self.config.permits(other) && !self.config.permits(usual) { other } else { usual };
            let host = format!("{host}.{}", address.domain);
            Server { host, port, encryption: Encryption::usual(port), login: address.to_string() }
        };
        Servers { imap: server("imap", 993, 143), smtp: Some(server("smtp", 465, 587)) }
    }

    fn servers_given(&self, place: Place, known: Option<Servers>, answer: &Answer) -> Led {
        let typed = Typed::from(answer, ServersStep::FIELDS);
        let mut problems = Problems::new();
        let imap_login = match &known {
            Some(known) if place.repairs => known.imap.login.clone(),
            _ => typed.login("login", &mut problems),
        };
        // Some systems want another name for sending; it stays while the one it belongs to does.
        let same = known.as_ref().filter(|known| known.imap.login == imap_login);
        let smtp_login = same.and_then(|known| known.smtp.as_ref()).map_or(&imap_login, |smtp| &smtp.login);
        let imap = typed.server("imap", &imap_login, &self.config.ports, &mut problems);
        let smtp = match typed.get("smtp_host") {
            "" if receives_only(place.repairs, known.as_ref()) => None,
            _ => typed.server("smtp", smtp_login, &self.config.ports, &mut problems),
        };
        let (Some(imap), true) = (imap, problems.is_empty()) else {
            return ask_servers(place, known, &typed, Asking { problems, ..Asking::default() });
        };
        for server in [Some(&imap), smtp.as_ref()].into_iter().flatten() {
            if self.table.by_host(&server.host).is_some_and(|system| system.rule == Rule::OauthOnly) {
                let notice = Some(notice(Code::OauthRequired.into(), server));
                return ask_servers(place, known, &typed, Asking { notice, ..Asking::default() });
            }
        }
        self.ask_password(place, Servers { imap, smtp }, true)
    }

    /// The step `password`; the step `servers` instead when a port is not one we may use.
    fn ask_password(&self, place: Place, servers: Servers, by_hand: bool) -> Led {
        let all = [Some(&servers.imap), servers.smtp.as_ref()];
        if all.into_iter().flatten().all(|server| self.config.permits(server.port)) {
            return self.show_password(place, servers, by_hand, Refused::default());
        }
        let typed = Typed::of(&servers);
        let mut problems = Problems::new();
        for (leg, server) in [("imap", Some(&servers.imap)), ("smtp", servers.smtp.as_ref())] {
            if let Some(server) = server {
                typed.server(leg, &server.login, &self.config.ports, &mut problems);
            }
        }
        ask_servers(place, Some(servers), &typed, Asking { problems, ..Asking::default() })
    }

    fn show_password(&self, place: Place, servers: Servers, by_hand: bool, refused: Refused) -> Led {
        let step = PasswordStep {
            address: &place.address,
            servers: &servers,
            system: self.table.by_host(&servers.imap.host),
            repairs: place.repairs,
            error: refused.error,
            notice: refused.notice,
        };
        let step = Box::new(step.draw());
        Ok(Next::Step { step, state: Place { at: At::Password { servers, by_hand }, ..place }.store()? })
    }

    async fn password_given(&self, place: Place, servers: Servers, by_hand: bool, answer: &Answer) -> Led {
        let system = self.table.by_host(&servers.imap.host);
        let given = match usable(answer.secret("password")) {
            Ok(Some(given)) => given,
            Ok(None) => return self.refuse_password(place, servers, by_hand, say("error.password_missing")),
            Err(error) => return self.refuse_password(place, servers, by_hand, error),
        };
        let given = Given::at(system, given);
        if let Err(refusal) = self.read(&servers.imap, &given.password).await {
            return self.reading_refused(place, servers, by_hand, given.refused(refusal));
        }
        let password = given.password;
        let Some(smtp) = servers.smtp.clone() else {
            return finish(&place.address, Key { server: servers.imap, password }, None);
        };
        let same = Given::at(self.table.by_host(&smtp.host), password.clone());
        match self.send(&smtp, &same.password).await {
            Ok(()) => {
                let smtp = Key { server: smtp, password: same.password };
                finish(&place.address, Key { server: servers.imap, password }, Some(smtp))
            }
            Err(refusal) => {
                let typed = Typed::of_leg("smtp", &smtp);
                let place = Place { at: At::Sending { imap: servers.imap, password }, ..place };
                self.sending_refused(place, &typed, &smtp, same.refused(refusal))
            }
        }
    }

    fn refuse_password(&self, place: Place, servers: Servers, by_hand: bool, error: Text) -> Led {
        self.show_password(place, servers, by_hand, Refused { error: Some(error), notice: None })
    }

    fn reading_refused(&self, place: Place, servers: Servers, by_hand: bool, refusal: Refusal) -> Led {
        if refusal.code == Code::TooManyConnects {
            // Nothing can be tried any more, and nothing has worked so far.
            let failure = Failure { code: refusal.code.as_str().to_owned(), actor: refusal.actor };
            return Ok(Next::Failed(failure));
        }
        let system = self.table.by_host(&servers.imap.host);
        let two_step = system.filter(|system| system.two_step && refusal.code == Code::CredentialsInvalid);
        let shown = match two_step {
            Some(system) => two_step_notice(refusal, &servers.imap, &system.name),
            None => notice(refusal, &servers.imap),
        };
        if refusal.is_about_the_server() && by_hand {
            let typed = Typed::of(&servers);
            return ask_servers(
                place,
                Some(servers),
                &typed,
                Asking { notice: Some(shown), ..Asking::default() },
            );
        }
        let mut refused = Refused { error: None, notice: Some(shown) };
        if refusal.is_about_the_password() {
            refused.error = Some(say(&format!("error.{}", refusal.code.as_str())));
            // Beside the field is enough where the usual password is meant; where a special one is, the
            // notice says which.
            if two_step.is_none() && system.is_none_or(|system| system.rule == Rule::Normal) {
                refused.notice = None;
            }
        }
        self.show_password(place, servers, by_hand, refused)
    }
}

/// Why a password was not taken.
#[derive(Default)]
struct Refused {
    error: Option<Text>,
    notice: Option<Notice>,
}

/// How a form of servers is shown.
#[derive(Default)]
struct Asking {
    guessed: bool,
    problems: Problems,
    notice: Option<Notice>,
    /// Where the servers were looked for.
    tried: Vec<Tried>,
}

/// Whether an account is being repaired that was connected without sending; it may stay so.
fn receives_only(repairs: bool, known: Option<&Servers>) -> bool {
    repairs && known.is_some_and(|known| known.smtp.is_none())
}

/// The address once more, with what is wrong about it.
fn wrong_address(typed: &str, bad: BadAddress) -> Led {
    let shown: String = typed.chars().take(320).collect();
    ask_address(shown, AddressStep { error: Some(bad), ..AddressStep::default() })
}

/// A source that led nowhere, in words.
fn tell(one: &discover::Tried, domain: &str) -> Tried {
    let outcome = match &one.outcome {
        Outcome::Silent => say("tried.silent"),
        Outcome::Slow => say("tried.slow"),
        Outcome::Unusable => say("tried.unusable"),
        Outcome::Unproved(server) => say("tried.unproved").with("server", server),
    };
    Tried { place: say(&format!("tried.{}", one.source.as_str())).with("domain", domain), outcome }
}

fn ask_address(address: String, step: AddressStep<'_>) -> Led {
    let drawn = Box::new(AddressStep { typed: &address, ..step }.draw());
    Ok(Next::Step { step: drawn, state: Place { repairs: false, address, at: At::Address }.store()? })
}

fn ask_servers(place: Place, known: Option<Servers>, typed: &Typed, asking: Asking) -> Led {
    let Asking { guessed, problems, notice, tried } = asking;
    let (address, repairs) = (place.address.as_str(), place.repairs);
    let receives_only = receives_only(repairs, known.as_ref());
    let shown = ServersStep { address, typed, guessed, repairs, receives_only, problems, notice, tried };
    let step = Box::new(shown.draw());
    Ok(Next::Step { step, state: Place { at: At::Servers { known }, ..place }.store()? })
}

fn finish(address: &str, imap: Key, smtp: Option<Key>) -> Led {
    outcome::connected(address, imap, smtp).map(|connected: Connected| Next::Connected(Box::new(connected)))
}
