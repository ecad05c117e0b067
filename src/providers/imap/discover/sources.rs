//! The sources, one function each: from what it says to servers that were proved.

use tokio::time::Instant;

use crate::kernel::egress::{ConnectError, MailExchange, Service};

use super::super::servers::{self, Encryption, Server};
use super::super::table::Rule;
use super::autoconfig::fetch;
use super::prove::Candidate;
use super::{Found, Lead, Outcome, Search, settings};

impl<'a> Search<'a> {
    async fn exchange(&self) -> Result<MailExchange, ConnectError> {
        let ask = || self.egress.mail_exchange(&self.address.domain);
        self.exchange.get_or_init(ask).await.clone()
    }

    /// Whoever takes the domain's mail, when that is a system we know.
    pub(super) async fn by_exchange(&self, until: Instant) -> Lead<'a> {
        let hosts = match self.exchange().await {
            Ok(MailExchange::Hosts(hosts)) => hosts,
            Ok(MailExchange::Refuses) => return Lead::End(Found::NoMail),
            Ok(MailExchange::NoDomain) => return Lead::End(Found::NoDomain),
            Ok(MailExchange::Unsaid) => return Lead::Nothing(Outcome::Silent),
            Err(_) => return Lead::Nothing(Outcome::Slow),
        };
        let Some(system) = hosts.first().and_then(|host| self.table.by_exchange(host)) else {
            return Lead::Nothing(Outcome::Silent);
        };
        match (system.rule, system.servers(self.address)) {
            (Rule::OauthOnly | Rule::Unsupported, _) | (_, None) => Lead::End(Found::Elsewhere(system)),
            (_, Some(servers)) => {
                let candidate =
                    Candidate { imap: vec![servers.imap], smtp: servers.smtp.into_iter().collect() };
                self.proved(&candidate, until).await
            }
        }
    }

    /// What a domain publishes itself.
    pub(super) async fn published(&self, domain: &str, until: Instant) -> Lead<'a> {
        let own = format!("https://autoconfig.{domain}/mail/config-v1.1.xml");
        let well_known = format!("https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml");
        let (own, well_known) =
            tokio::join!(fetch(self.egress, &own, until), fetch(self.egress, &well_known, until));
        let first = self.read(own, until).await;
        match first {
            Lead::Nothing(Outcome::Silent) => self.read(well_known, until).await,
            Lead::Nothing(outcome) => match self.read(well_known, until).await {
                Lead::Nothing(_) => Lead::Nothing(outcome),
                found => found,
            },
            found => found,
        }
    }

    /// What the public database says of a domain.
    pub(super) async fn in_database(&self, domain: &str, until: Instant) -> Lead<'a> {
        let Some(database) = &self.config.database else { return Lead::Nothing(Outcome::Silent) };
        let url = format!("{}/{domain}", database.trim_end_matches('/'));
        self.read(Box::pin(fetch(self.egress, &url, until)).await, until).await
    }

    /// What whoever takes the domain's mail publishes, or the database says of them.
    pub(super) async fn by_host(&self, until: Instant) -> Lead<'a> {
        let Ok(MailExchange::Hosts(hosts)) = self.exchange().await else {
            return Lead::Nothing(Outcome::Silent);
        };
        let registrable = |host: &String| psl::domain_str(host).map(str::to_owned);
        let domain = hosts.first().and_then(registrable).filter(|domain| *domain != self.address.domain);
        let Some(domain) = domain else { return Lead::Nothing(Outcome::Silent) };
        let (published, database) = tokio::join!(
            Box::pin(self.published(&domain, until)),
            Box::pin(self.in_database(&domain, until))
        );
        match (published, database) {
            (Lead::Nothing(Outcome::Silent), other) => other,
            (Lead::Nothing(outcome), Lead::Nothing(_)) => Lead::Nothing(outcome),
            (Lead::Nothing(_), other) => other,
            (found, _) => found,
        }
    }

    /// What service records say (RFC 6186, RFC 8314).
    pub(super) async fn records(&self, until: Instant) -> Lead<'a> {
        let ask = |service: &str| {
            let name = format!("_{service}._tcp.{}", self.address.domain);
            async move { self.egress.service(&name).await }
        };
        let (imaps, imap, submissions, submission) =
            tokio::join!(ask("imaps"), ask("imap"), ask("submissions"), ask("submission"));
        let failed = [&imaps, &imap, &submissions, &submission].iter().any(|found| found.is_err());
        let servers = |found: Result<Vec<Service>, ConnectError>, encryption| {
            let found = found.unwrap_or_default().into_iter();
            let known = found.filter_map(move |place| self.server(&place.host, place.port, encryption));
            known.collect::<Vec<_>>()
        };
        let mut candidate =
            Candidate { imap: servers(imaps, Encryption::Tls), smtp: servers(submissions, Encryption::Tls) };
        candidate.imap.extend(servers(imap, Encryption::Starttls));
        candidate.smtp.extend(servers(submission, Encryption::Starttls));
        match candidate {
            candidate if candidate == Candidate::default() && failed => Lead::Nothing(Outcome::Slow),
            candidate if candidate == Candidate::default() => Lead::Nothing(Outcome::Silent),
            candidate => self.proved(&candidate, until).await,
        }
    }

    /// The names most mail systems choose.
    pub(super) async fn guess(&self, until: Instant) -> Lead<'a> {
        let domain = &self.address.domain;
        let servers = |names: [&str; 2], ports: [u16; 2]| {
            let port = ports.into_iter().find(|port| self.config.permits(*port));
            let both = names.into_iter().filter_map(|name| {
                let port = port?;
                self.server(&format!("{name}.{domain}"), port, Encryption::usual(port))
            });
            both.collect::<Vec<_>>()
        };
        let candidate = Candidate {
            imap: servers(["imap", "mail"], [993, 143]),
            smtp: servers(["smtp", "mail"], [465, 587]),
        };
        match self.proved(&candidate, until).await {
            Lead::Nothing(Outcome::Unproved(server)) => {
                // Many have only the other port for sending.
                let other = Candidate { smtp: servers(["smtp", "mail"], [587, 465]), ..candidate };
                match self.proved(&other, until).await {
                    Lead::Nothing(_) => Lead::Nothing(Outcome::Unproved(server)),
                    found => found,
                }
            }
            lead => lead,
        }
    }

    fn server(&self, host: &str, port: u16, encryption: Encryption) -> Option<Server> {
        let host = servers::host(host).ok()?;
        let login = self.address.to_string();
        self.config.permits(port).then_some(Server { host, port, encryption, login })
    }

    async fn read(&self, fetched: Result<Vec<u8>, Outcome>, until: Instant) -> Lead<'a> {
        let bytes = match fetched {
            Ok(bytes) => bytes,
            Err(outcome) => return Lead::Nothing(outcome),
        };
        match settings::read(&bytes, self.address, self.config) {
            Some(candidate) => self.proved(&candidate, until).await,
            None => Lead::Nothing(Outcome::Unusable),
        }
    }

    async fn proved(&self, candidate: &Candidate, until: Instant) -> Lead<'a> {
        // On the heap: a connection's state is large, and several of them stand side by side here.
        match Box::pin(self.proofs.of(candidate, until)).await {
            Ok(servers) => Lead::Servers(servers),
            Err(outcome) => Lead::Nothing(outcome),
        }
    }
}
