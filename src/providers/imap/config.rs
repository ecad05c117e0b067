//! The provider's own settings: `[providers.imap]`.

use std::time::Duration;

use super::super::section::Section;

/// Its settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Ports that mail servers may be reached on.
    pub ports: Vec<u16>,
    /// How long a server may take until the connection stands; twice that for the whole conversation.
    pub connect: Duration,
}

impl Config {
    /// Reads them; the section notes what is wrong.
    pub fn read(section: &mut Section) -> Self {
        let ports = section.ports("ports", &[143, 993, 465, 587]);
        // Both conversations must fit into the minute that an answer may take.
        let connect = Duration::from_secs(section.number("connect_seconds", 1..=25, 15));
        Self { ports, connect }
    }

    /// Whether a port may be used.
    pub fn permits(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }
}
