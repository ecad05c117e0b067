//! The step `servers`: which mail servers, by hand, and reading what was typed.

use std::collections::BTreeMap;

use crate::contract::{Answer, Field, FieldKind, Notice, Step, Text, Tried};

use super::super::address::readable;
use super::super::servers::{self, BadHost, Encryption, Server, Servers};
use super::form::{alternative, encryption, filled, say, step};

/// Why fields do not do, by the field's name.
pub type Problems = BTreeMap<String, Text>;

/// What stands in the fields, as text; by the field's name.
#[derive(Clone, Debug, Default)]
pub struct Typed(pub BTreeMap<String, String>);

impl Typed {
    /// Servers as they would be typed. The one sign-in name of the form is the one for reading.
    pub fn of(servers: &Servers) -> Self {
        let mut typed = Self::default();
        typed.put("imap", &servers.imap);
        if let Some(smtp) = &servers.smtp {
            typed.put("smtp", smtp);
        }
        typed.0.insert("login".to_owned(), servers.imap.login.clone());
        typed
    }

    /// A single server as it would be typed, with its sign-in name.
    pub fn of_leg(leg: &str, server: &Server) -> Self {
        let mut typed = Self::default();
        typed.put(leg, server);
        typed.0.insert(format!("{leg}_login"), server.login.clone());
        typed
    }

    /// What an answer holds in these fields.
    pub fn from(answer: &Answer, names: &[&str]) -> Self {
        // Nobody's host name is longer; what is, is not worth showing again.
        let cut = |text: &str| text.chars().take(320).collect::<String>();
        Self(names.iter().map(|name| ((*name).to_owned(), cut(answer.text(name)))).collect())
    }

    /// A field's text.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn put(&mut self, leg: &str, server: &Server) {
        self.0.insert(format!("{leg}_host"), server.host.clone());
        self.0.insert(format!("{leg}_port"), server.port.to_string());
        self.0.insert(format!("{leg}_encryption"), server.encryption.as_str().to_owned());
    }

    /// Reads one server; what is wrong with its fields goes into `problems`.
    pub fn server(&self, leg: &str, login: &str, ports: &[u16], problems: &mut Problems) -> Option<Server> {
        let name = |field: &str| format!("{leg}_{field}");
        let host = servers::host(self.get(&name("host")));
        if let Err(bad) = host {
            problems.insert(name("host"), bad_host(bad));
        }
        let port = self.get(&name("port")).parse().ok().filter(|port| ports.contains(port));
        if port.is_none() {
            let allowed: Vec<_> = ports.iter().map(u16::to_string).collect();
            problems.insert(name("port"), say("error.port").with("ports", allowed.join(", ")));
        }
        let (host, port) = (host.ok()?, port?);
        let encryption = Encryption::parse(self.get(&name("encryption"))).unwrap_or(Encryption::usual(port));
        Some(Server { host, port, encryption, login: login.to_owned() })
    }

    /// Reads a sign-in name.
    pub fn login(&self, name: &str, problems: &mut Problems) -> String {
        let login = self.get(name);
        if login.is_empty() {
            problems.insert(name.to_owned(), say("error.login_missing"));
        } else if login.chars().any(char::is_control) || login.len() > 320 {
            problems.insert(name.to_owned(), say("error.login_invalid"));
        }
        login.to_owned()
    }

    /// The three fields of a server.
    pub fn fields(&self, leg: &str, host: Text, port: Text, problems: &Problems) -> Vec<Field> {
        let name = |field: &str| format!("{leg}_{field}");
        let mut fields = vec![
            filled(&name("host"), FieldKind::Host, host, self.get(&name("host"))),
            filled(&name("port"), FieldKind::Port, port, self.get(&name("port"))),
            encryption(&name("encryption"), self.get(&name("encryption"))),
        ];
        mark(&mut fields, problems);
        fields
    }
}

/// Writes what is wrong beside the fields it is about.
pub fn mark(fields: &mut [Field], problems: &Problems) {
    for field in fields {
        field.error = problems.get(&field.name).cloned();
    }
}

fn bad_host(bad: BadHost) -> Text {
    match bad {
        BadHost::Missing => say("error.host_missing"),
        BadHost::Url => say("error.host_is_url"),
        BadHost::Port => say("error.host_has_port"),
        BadHost::Address => say("error.host_is_address"),
        BadHost::Invalid => say("error.host_invalid"),
    }
}

/// What the step shows.
#[derive(Debug)]
pub struct ServersStep<'a> {
    /// The address the servers are for.
    pub address: &'a str,
    /// What the fields hold.
    pub typed: &'a Typed,
    /// Whether that is only our guess.
    pub guessed: bool,
    /// Whether an account that exists is being repaired.
    pub repairs: bool,
    /// Whether that account does not send, and so may stay without a server for it.
    pub receives_only: bool,
    /// What is wrong with the fields.
    pub problems: Problems,
    /// What became of the last answer.
    pub notice: Option<Notice>,
    /// Where the servers were looked for.
    pub tried: Vec<Tried>,
}

impl ServersStep<'_> {
    /// The names of its fields.
    pub const FIELDS: &'static [&'static str] =
        &["imap_host", "imap_port", "imap_encryption", "smtp_host", "smtp_port", "smtp_encryption", "login"];

    /// Draws it.
    pub fn draw(self) -> Step {
        let title = say("servers.title").with("address", readable(self.address));
        let mut step = step("servers", title, say("submit.next"));
        step.intro = Some(if self.guessed { say("servers.intro_guess") } else { say("servers.intro") });
        step.notice = self.notice;
        step.tried = self.tried;
        let imap = (say("field.imap_host"), say("field.imap_port"));
        let smtp = (say("field.smtp_host"), say("field.smtp_port"));
        step.fields = self.typed.fields("imap", imap.0, imap.1, &self.problems);
        step.fields.extend(self.typed.fields("smtp", smtp.0, smtp.1, &self.problems));
        if self.receives_only {
            let smtp = step.fields.iter_mut().filter(|field| field.name.starts_with("smtp_"));
            smtp.for_each(|field| field.required = false);
        }
        if self.repairs {
            step.alternatives.push(alternative("password", say("way.keep_servers")));
        } else {
            let mut login = filled("login", FieldKind::Text, say("field.login"), self.typed.get("login"));
            login.help = Some(say("field.login_help"));
            login.autocomplete = Some("username".to_owned());
            login.error = self.problems.get("login").cloned();
            step.fields.push(login);
            step.alternatives.push(alternative("address", say("way.address")));
        }
        step
    }
}
