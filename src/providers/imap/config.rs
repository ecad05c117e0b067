//! The provider's own settings: `[providers.imap]`.

use std::time::Duration;

use super::super::section::Section;

/// Its settings.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Ports that mail servers may be reached on.
    pub ports: Vec<u16>,
    /// How long a server may take until the connection stands; twice that for the whole conversation.
    pub connect: Duration,
    /// Whether servers that the table does not know are looked for.
    pub discover: bool,
    /// Where the public database of settings is, without the domain; `None` when it is not asked.
    pub database: Option<String>,
    /// Whether the operator's own name server is asked, which may know names that the public does not.
    pub own_names: bool,
}

impl Config {
    /// Reads them; the section notes what is wrong.
    pub fn read(section: &mut Section) -> Self {
        let ports = section.ports("ports", &[143, 993, 465, 587]);
        // Both conversations must fit into the minute that an answer may take.
        let connect = Duration::from_secs(section.number("connect_seconds", 1..=25, 15));
        let discover = section.boolean("discover", true);
        let database = section.https_url("settings_database", "https://autoconfig.thunderbird.net/v1.1");
        let own_names = section.boolean("private_names", false);
        Self { ports, connect, discover, database, own_names }
    }

    /// Whether a port may be used.
    pub fn permits(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }
}
