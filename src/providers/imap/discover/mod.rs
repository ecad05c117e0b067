//! Finding the mail servers of an address that the table does not know. The sources are asked at the same time and
//! ranked by trust: whoever runs the domain's mail, the domain's own settings over https, the public database, the
//! settings of the mail's host, service records, and at last the usual names. What a source says is only a candidate:
//! it counts once both servers have been connected to with a good certificate. Only the domain is ever told to
//! anybody, never what stands before the @.

mod autoconfig;
mod prove;
mod settings;
mod sources;

use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use crate::contract::Context;
use crate::kernel::egress::{ConnectError, Egress, MailExchange};

use super::address::Address;
use super::config::Config;
use super::servers::Servers;
use super::table::{Rule, System, Table};
use prove::Proofs;

/// How long the sources may take together.
const SOURCES: Duration = Duration::from_secs(8);
/// How long the usual names may take after that.
const GUESSES: Duration = Duration::from_secs(5);

/// Names that exist in no public name system (RFC 6761, RFC 6762, RFC 7686).
const PRIVATE: &[&str] = &["test", "example", "invalid", "localhost", "local", "onion"];

/// What came of the search.
#[derive(Debug)]
pub enum Found<'a> {
    /// These servers, both proved.
    Servers(Servers),
    /// A mail system that no password opens.
    Elsewhere(&'a System),
    /// The domain takes no mail.
    NoMail,
    /// There is no such domain.
    NoDomain,
    /// Nothing; what was tried.
    Nothing(Vec<Tried>),
}

/// Where servers were looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Who takes the domain's mail.
    Exchange,
    /// The domain's own settings.
    Published,
    /// The public database.
    Database,
    /// The settings of whoever takes the domain's mail.
    Host,
    /// Service records.
    Records,
    /// The usual names.
    Guess,
}

impl Source {
    /// Every source, the most trusted first.
    pub const ALL: [Self; 6] =
        [Self::Exchange, Self::Published, Self::Database, Self::Host, Self::Records, Self::Guess];

    /// The last word of its string's key.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Published => "published",
            Self::Database => "database",
            Self::Host => "host",
            Self::Records => "records",
            Self::Guess => "guess",
        }
    }
}

/// What became of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has nothing to say.
    Silent,
    /// It did not answer in time.
    Slow,
    /// What it says is of no use here: no encryption, no password, a port we do not use.
    Unusable,
    /// It names this server, which could not be used. Why is not said: a refusal of our own looks the same.
    Unproved(String),
}

/// A source that led nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Where.
    pub source: Source,
    /// What became of it.
    pub outcome: Outcome,
}

/// One search.
pub struct Search<'a> {
    egress: &'a Egress,
    config: &'a Config,
    table: &'a Table,
    address: &'a Address,
    exchange: OnceCell<Result<MailExchange, ConnectError>>,
    proofs: Proofs<'a>,
}

/// What one source leads to.
enum Lead<'a> {
    Servers(Servers),
    End(Found<'a>),
    Nothing(Outcome),
}

type Leg<'s, 'a> = Pin<Box<dyn Future<Output = (usize, Source, Lead<'a>)> + Send + 's>>;

impl<'a> Search<'a> {
    /// Prepares a search.
    pub fn new(cx: &'a Context, config: &'a Config, table: &'a Table, address: &'a Address) -> Self {
        let (egress, proofs) = (&cx.egress, Proofs::new(cx));
        Self { egress, config, table, address, exchange: OnceCell::new(), proofs }
    }

    /// Searches; takes at most thirteen seconds.
    pub async fn run(&self) -> Found<'a> {
        let tld = self.address.domain.rsplit('.').next().unwrap_or_default();
        if !self.config.own_names && PRIVATE.contains(&tld) {
            return Found::Nothing(Vec::new());
        }
        let mut tried = Vec::new();
        match self.sources(&mut tried).await {
            Some(found) => return self.seen(found),
            None => match self.guess(Instant::now() + GUESSES).await {
                Lead::Servers(servers) => return self.seen(Found::Servers(servers)),
                Lead::End(found) => return found,
                Lead::Nothing(outcome) => tried.push(Tried { source: Source::Guess, outcome }),
            },
        }
        Found::Nothing(tried)
    }

    /// Asks all sources at once and takes the most trusted that leads somewhere: a less trusted one waits until
    /// those above it have said no.
    async fn sources(&self, tried: &mut Vec<Tried>) -> Option<Found<'a>> {
        let until = Instant::now() + SOURCES;
        let mut legs: FuturesUnordered<Leg<'_, 'a>> = FuturesUnordered::new();
        let [ranked @ .., _] = Source::ALL;
        for (rank, source) in ranked.into_iter().enumerate() {
            legs.push(Box::pin(async move {
                let lead = match source {
                    Source::Exchange => self.by_exchange(until).await,
                    Source::Published => self.published(&self.address.domain, until).await,
                    Source::Database => self.in_database(&self.address.domain, until).await,
                    Source::Host => self.by_host(until).await,
                    Source::Records | Source::Guess => self.records(until).await,
                };
                (rank, source, lead)
            }));
        }
        let mut leads: [Option<Lead<'a>>; 5] = Default::default();
        loop {
            for lead in &mut leads {
                match lead {
                    None => break,
                    Some(Lead::Nothing(_)) => {}
                    Some(Lead::Servers(_) | Lead::End(_)) => return take(lead),
                }
            }
            match timeout_at(until, legs.next()).await {
                Ok(Some((rank, _, lead))) => leads[rank] = Some(lead),
                Ok(None) | Err(_) => break,
            }
        }
        for (source, lead) in ranked.into_iter().zip(&mut leads) {
            match lead {
                Some(Lead::Servers(_) | Lead::End(_)) => return take(lead),
                Some(Lead::Nothing(outcome)) => tried.push(Tried { source, outcome: outcome.clone() }),
                None => tried.push(Tried { source, outcome: Outcome::Slow }),
            }
        }
        None
    }

    /// Servers of a system that takes no password are none to ask one for.
    fn seen(&self, found: Found<'a>) -> Found<'a> {
        let Found::Servers(servers) = &found else { return found };
        match self.table.by_host(&servers.imap.host) {
            Some(system) if matches!(system.rule, Rule::OauthOnly | Rule::Unsupported) => {
                Found::Elsewhere(system)
            }
            _ => found,
        }
    }
}

/// The servers that a published file names.
#[cfg(fuzzing)]
pub fn published(file: &[u8], address: &Address, config: &Config) -> Option<Vec<super::servers::Server>> {
    settings::read(file, address, config).map(|found| [found.imap, found.smtp].concat())
}

fn take<'a>(lead: &mut Option<Lead<'a>>) -> Option<Found<'a>> {
    match lead.take() {
        Some(Lead::Servers(servers)) => Some(Found::Servers(servers)),
        Some(Lead::End(found)) => Some(found),
        Some(Lead::Nothing(_)) | None => None,
    }
}
