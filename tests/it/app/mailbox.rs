//! A mailbox on real servers: Dovecot for reading, Postfix for sending, and a server of ours that may reach them.

use super::App;
use crate::parts::certs::{Ca, Leaf};
use crate::parts::dovecot::Dovecot;
use crate::parts::submission::Submission;

/// The address everybody connects.
pub const ADDRESS: &str = "ada@example.test";
/// Its password; awkward on purpose.
pub const PASSWORD: &str = "correct horse \"batter\\y\" 7%";

/// Both servers and the authority that vouches for them.
pub struct Mailbox {
    pub submission: Submission,
    pub dovecot: Dovecot,
    pub ca: Ca,
}

impl Mailbox {
    /// Starts both, with the one user.
    pub fn start() -> Self {
        Self::with(Leaf::Good)
    }

    /// The same with another certificate for reading.
    pub fn with(leaf: Leaf) -> Self {
        let ca = Ca::new();
        let dovecot = Dovecot::start(&ca, leaf);
        dovecot.set_password(ADDRESS, PASSWORD);
        let submission = Submission::start(&ca, Leaf::Good, &dovecot);
        Self { submission, dovecot, ca }
    }

    /// The settings with which a server reaches both.
    pub fn settings(&self) -> Vec<(String, String)> {
        let ports =
            [self.dovecot.tls(), self.dovecot.starttls(), self.submission.tls(), self.submission.starttls()];
        let ports: Vec<_> = ports.iter().map(|address| address.port().to_string()).collect();
        vec![
            ("EXTRA_CA_FILE".to_owned(), self.ca.file().display().to_string()),
            ("PROVIDERS__IMAP__PORTS".to_owned(), format!("143,465,587,993,{}", ports.join(","))),
        ]
    }

    /// A server of ours that reaches them, with more settings.
    pub fn app(&self, more: &[(&str, &str)]) -> App {
        let mut app = self.prepared(more);
        app.run();
        app
    }

    /// The same, not running yet.
    pub fn prepared(&self, more: &[(&str, &str)]) -> App {
        let own = self.settings();
        let own = own.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        App::prepared(&own.chain(more.iter().copied()).collect::<Vec<_>>())
    }

    /// What a person types into the form of servers.
    pub fn servers(&self) -> Vec<(&'static str, String)> {
        vec![
            ("imap_host", "127.0.0.1".to_owned()),
            ("imap_port", self.dovecot.tls().port().to_string()),
            ("imap_encryption", "tls".to_owned()),
            ("smtp_host", "127.0.0.1".to_owned()),
            ("smtp_port", self.submission.tls().port().to_string()),
            ("smtp_encryption", "tls".to_owned()),
            ("login", ADDRESS.to_owned()),
        ]
    }
}
