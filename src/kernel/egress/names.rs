//! Questions to the name system besides addresses: who takes a domain's mail, and where its services are.

use hickory_resolver::proto::rr::{Name, RData};

use super::{ConnectError, Egress};

/// Who takes a domain's mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailExchange {
    /// These hosts, the preferred first; lower case, without the final dot.
    Hosts(Vec<String>),
    /// The domain says that it takes none (RFC 7505).
    Refuses,
    /// The domain exists and says nothing.
    Unsaid,
    /// There is no such domain.
    NoDomain,
}

/// Where a service is (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The host, lower case, without the final dot.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Egress {
    /// Who takes the mail of a domain (an ASCII name).
    ///
    /// # Errors
    /// [`ConnectError::NameServer`] when nobody could say.
    pub async fn mail_exchange(&self, domain: &str) -> Result<MailExchange, ConnectError> {
        let Some(name) = absolute(domain) else { return Ok(MailExchange::NoDomain) };
        let found = match self.resolver.mx_lookup(name).await {
            Ok(found) => found,
            Err(error) if error.is_nx_domain() => return Ok(MailExchange::NoDomain),
            Err(error) if error.is_no_records_found() => return Ok(MailExchange::Unsaid),
            Err(_) => return Err(ConnectError::NameServer),
        };
        let mut hosts: Vec<(u16, String)> = Vec::new();
        for record in found.answers() {
            if let RData::MX(exchange) = &record.data {
                hosts.push((exchange.preference, plain(&exchange.exchange)));
            }
        }
        hosts.sort();
        match hosts.as_slice() {
            [] => Ok(MailExchange::Unsaid),
            [(_, only)] if only.is_empty() => Ok(MailExchange::Refuses),
            _ => Ok(MailExchange::Hosts(hosts.into_iter().map(|(_, host)| host).collect())),
        }
    }

    /// Where a service is, the preferred place first; nowhere when it is not offered or nobody says. `name` is whole:
    /// `_imaps._tcp.example.com`.
    ///
    /// # Errors
    /// [`ConnectError::NameServer`] when nobody could say.
    pub async fn service(&self, name: &str) -> Result<Vec<Service>, ConnectError> {
        let Some(name) = absolute(name) else { return Ok(Vec::new()) };
        let found = match self.resolver.srv_lookup(name).await {
            Ok(found) => found,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(_) => return Err(ConnectError::NameServer),
        };
        let mut places: Vec<(u16, u16, Service)> = Vec::new();
        for record in found.answers() {
            if let RData::SRV(place) = &record.data {
                let service = Service { host: plain(&place.target), port: place.port };
                // The heavier of equals first: one is enough, and it need not be shared out.
                places.push((place.priority, u16::MAX - place.weight, service));
            }
        }
        places.sort_by_key(|(priority, weight, _)| (*priority, *weight));
        // The root as the only target says that the service is not offered.
        Ok(places.into_iter().map(|(_, _, place)| place).filter(|place| !place.host.is_empty()).collect())
    }
}

/// The final dot keeps search domains of this machine out of somebody else's name.
fn absolute(name: &str) -> Option<Name> {
    format!("{}.", name.trim_end_matches('.')).parse().ok()
}

fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}
