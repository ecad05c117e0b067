//! A mailbox that is brought here from elsewhere: its servers and passwords as they were used there, each proved by
//! signing in once. Nothing is looked for and nothing is guessed.

use crate::contract::{Actor, Context, Imported, State, Trouble};
use crate::kernel::secret::Secret;

use super::super::brought::{Values, unfit};
use super::address::Address;
use super::given::usable;
use super::outcome::{self, Key};
use super::refusal::Refusal;
use super::servers::{self, Encryption, Server};
use super::table::Rule;
use super::walk::Walk;

/// How many connections the two proofs may make: one each, and a look at the other port where there is no answer.
const CONNECTS: u32 = 4;

/// What the values of one server are called from outside.
struct Leg {
    object: &'static str,
    host: &'static str,
    port: &'static str,
    encryption: &'static str,
    login: &'static str,
    password: &'static str,
}

const IMAP: Leg = Leg {
    object: "credentials.imap",
    host: "credentials.imap.host",
    port: "credentials.imap.port",
    encryption: "credentials.imap.encryption",
    login: "credentials.imap.login",
    password: "credentials.imap.password",
};

const SMTP: Leg = Leg {
    object: "credentials.smtp",
    host: "credentials.smtp.host",
    port: "credentials.smtp.port",
    encryption: "credentials.smtp.encryption",
    login: "credentials.smtp.login",
    password: "credentials.smtp.password",
};

const ADDRESS: &str = "credentials.address";
const RECEIVE_ONLY: &str = "credentials.receive_only";

impl Walk<'_> {
    /// Proves what was brought.
    pub(super) async fn import(&self, brought: &State) -> Result<Imported, Trouble> {
        let mut values = Values::of(brought);
        let address = values.text("address", ADDRESS).map(Address::parse);
        let address = match address {
            Some(Ok(address)) => Some(address.to_string()),
            Some(Err(_)) => {
                values.broken(ADDRESS, "must be an e-mail address, such as ada@example.com");
                None
            }
            None => {
                if values.is_fine() {
                    values.broken(ADDRESS, "is required: the mailbox's e-mail address");
                }
                None
            }
        };
        let login = address.clone().unwrap_or_default();
        let receive_only = values.flag("receive_only", RECEIVE_ONLY);
        let imap = self.leg(&mut values, "imap", &IMAP, &login, None);
        let inherited = imap.as_ref().map(|key| (key.server.login.clone(), key.password.clone()));
        let smtp = match (receive_only, values.inner("smtp", SMTP.object)) {
            (true, None) => None,
            (true, Some(_)) => {
                values.broken(RECEIVE_ONLY, "goes without credentials.smtp");
                None
            }
            (false, _) => {
                let login = inherited.as_ref().map_or(&login, |(login, _)| login).clone();
                let password = inherited.map(|(_, password)| password);
                self.leg(&mut values, "smtp", &SMTP, &login, Some(password))
            }
        };
        let (Some(address), Some(imap), true) = (address, imap, values.is_fine()) else {
            return Ok(values.unfit());
        };
        if let Err(refusal) = self.read(&imap.server, &imap.password).await {
            return refused(refusal, &IMAP);
        }
        if let Some(smtp) = &smtp
            && let Err(refusal) = self.send(&smtp.server, &smtp.password).await
        {
            return refused(refusal, &SMTP);
        }
        Ok(Imported::Connected(Box::new(outcome::connected(&address, imap, smtp)?)))
    }

    /// One server and its password. `inherited` is the password to use where none is given, or why there is none.
    fn leg(
        &self,
        values: &mut Values<'_>,
        name: &str,
        leg: &Leg,
        login: &str,
        inherited: Option<Option<Secret>>,
    ) -> Option<Key> {
        let Some(mut inner) = values.inner(name, leg.object) else {
            if values.is_fine() {
                let way = "is required: host, port, encryption, login and password";
                let smtp = "; an account that only receives says \"receive_only\": true";
                values.broken(leg.object, &format!("{way}{}", if inherited.is_some() { smtp } else { "" }));
            }
            return None;
        };
        let key = self.read_leg(&mut inner, leg, login, inherited);
        values.join(inner);
        key
    }

    fn read_leg(
        &self,
        inner: &mut Values<'_>,
        leg: &Leg,
        login: &str,
        inherited: Option<Option<Secret>>,
    ) -> Option<Key> {
        let host = inner.text("host", leg.host).map(servers::host);
        let host = match host {
            Some(Ok(host)) => Some(host),
            Some(Err(_)) => {
                inner.broken(leg.host, "must be a host's name or address alone");
                None
            }
            None => {
                if inner.is_fine() {
                    inner.broken(leg.host, "is required: the server's name");
                }
                None
            }
        };
        if host
            .as_deref()
            .and_then(|host| self.table.by_host(host))
            .is_some_and(|one| one.rule == Rule::OauthOnly)
        {
            inner.broken(leg.host, "takes no passwords; import this account with its OAuth refresh token");
        }
        let port = inner.number("port", leg.port).and_then(|port| u16::try_from(port).ok());
        let port = port.filter(|port| self.config.permits(*port));
        if port.is_none() {
            let ports: Vec<_> = self.config.ports.iter().map(u16::to_string).collect();
            inner.broken(leg.port, &format!("must be one of {}", ports.join(", ")));
        }
        let encryption = match inner.text("encryption", leg.encryption) {
            None => port.map(Encryption::usual),
            Some(word) => {
                let encryption = Encryption::parse(word);
                if encryption.is_none() {
                    inner.broken(leg.encryption, "must be \"tls\" or \"starttls\"");
                }
                encryption
            }
        };
        let login = inner.text("login", leg.login).unwrap_or(login).to_owned();
        if login.contains(['\0', '\r', '\n']) {
            inner.broken(leg.login, "must not contain line breaks");
        }
        let given = inner.text("password", leg.password).map(Secret::new);
        let password = match (given, inherited) {
            (Some(password), _) => Some(password),
            // What is wrong with the other one is said there.
            (None, Some(other)) => other,
            (None, None) => {
                if inner.is_fine() {
                    inner.broken(leg.password, "is required");
                }
                None
            }
        };
        let password = match usable(password.as_ref()) {
            Ok(password) => password,
            Err(_) => {
                inner.broken(leg.password, "must have at most 1000 bytes and no line breaks");
                None
            }
        };
        let server = Server { host: host?, port: port?, encryption: encryption?, login };
        Some(Key { server, password: password? })
    }
}

/// What a server's refusal means for whoever brought the mailbox. What is nobody's fault is worth another try.
fn refused(refusal: Refusal, leg: &Leg) -> Result<Imported, Trouble> {
    let code = refusal.code.as_str();
    if refusal.actor == Actor::Nobody {
        return Err(Trouble { code, actor: Actor::Nobody });
    }
    let field = match refusal {
        refusal if refusal.is_about_the_password() => leg.password,
        refusal if refusal.is_about_the_server() => leg.host,
        _ => leg.object,
    };
    Ok(unfit(field, format!("did not pass a sign-in at the server: {code}")))
}

/// How the proofs of one import may go about it.
pub(super) fn granting(cx: &Context) -> Context {
    Context { allowance: cx.allowance.granting(CONNECTS), ..cx.clone() }
}
