//! A real Dovecot: IMAP with TLS from the first byte and with STARTTLS, users that change while it
//! runs, and its log to count what arrived.
//!
//! Dovecot counts a client at the server's own address as secure and then lets it log in without TLS.
//! [`Dovecot::starttls_strict`] is a second loopback address where it does not.

use super::certs::{Ca, Leaf};
use super::identity::Identity;
use super::process::Process;
use super::scratch::{Scratch, mode, user};
use super::{free_port, local, tool, wire::Wire};
use base64::Engine;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

/// The owner of all mailboxes; Dovecot refuses to read mail as root.
const MAIL_USER: &str = "nobody";

/// Where tokens are looked at.
const TOKENS: &str = "
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @FILE@
}
";

/// A running server.
pub struct Dovecot {
    // Dropped first: the folder must outlive the process that writes into it.
    _process: Process,
    folder: Scratch,
    imap: u16,
    imaps: u16,
}

impl Dovecot {
    /// Starts a server that shows a certificate of the given kind for `localhost` and loopback.
    pub fn start(ca: &Ca, leaf: Leaf) -> Self {
        Self::start_named(ca, leaf, &[])
    }

    /// The same with further names in the certificate.
    pub fn start_named(ca: &Ca, leaf: Leaf, names: &[&str]) -> Self {
        Self::launch(ca, leaf, names, None)
    }

    /// The same, which also takes the access tokens of an identity double (XOAUTH2, OAUTHBEARER) when they have the
    /// scope: it asks the double whose they are.
    pub fn start_with_tokens(ca: &Ca, leaf: Leaf, names: &[&str], from: &Identity, scope: &str) -> Self {
        Self::launch(ca, leaf, names, Some((from, scope)))
    }

    /// Whether it lets a person in who brings this token over XOAUTH2.
    pub fn takes_token(&self, ca: &Ca, user: &str, token: &str) -> bool {
        let response = base64::engine::general_purpose::STANDARD
            .encode(format!("user={user}\x01auth=Bearer {token}\x01\x01"));
        let mut wire = Wire::tls(self.tls(), "localhost", ca).expect("a connection");
        wire.line().expect("a greeting");
        let said = wire.ask(&format!("a AUTHENTICATE XOAUTH2 {response}"), &["a ", "+ "]).expect("an answer");
        let said = match said.last() {
            // What is wrong with the token comes first; an empty line asks for the verdict.
            Some(line) if line.starts_with("+ ") => wire.ask("", &["a "]).expect("a verdict"),
            _ => said,
        };
        said.last().is_some_and(|line| line.starts_with("a OK"))
    }

    fn launch(ca: &Ca, leaf: Leaf, names: &[&str], tokens: Option<(&Identity, &str)>) -> Self {
        let folder = Scratch::new("dovecot");
        let (imap, imaps) = (free_port(), free_port());
        let names = [&["localhost", "127.0.0.1", "127.0.0.2"], names].concat();
        let files = ca.leaf(leaf, &names);
        folder.folder("mail", Some(user(MAIL_USER).0));
        folder.folder("raw", Some(user(MAIL_USER).0));
        folder.folder("base", None);
        folder.folder("users", None);
        let lookup = include_str!("dovecot-users.conf")
            .replace("@ROOT@", folder.path().to_str().expect("a plain path"));
        folder.write("users.conf", lookup);
        let (mechanisms, passwords) = match tokens {
            Some((from, scope)) => {
                let asked = include_str!("dovecot-tokens.conf")
                    .replace("@URL@", &from.at("/introspect"))
                    .replace("@CA@", from.ca_file().to_str().expect("a plain path"))
                    .replace("@SCOPE@", scope);
                let file = folder.write("tokens.conf", asked);
                (" xoauth2 oauthbearer", TOKENS.replace("@FILE@", file.to_str().expect("a plain path")))
            }
            None => ("", String::new()),
        };
        let config = include_str!("dovecot.conf")
            .replace("@ROOT@", folder.path().to_str().expect("a plain path"))
            .replace("@IMAP@", &imap.to_string())
            .replace("@IMAPS@", &imaps.to_string())
            .replace("@CERT@", files.cert.to_str().expect("a plain path"))
            .replace("@KEY@", files.key.to_str().expect("a plain path"))
            .replace("@UID@", &user(MAIL_USER).0.to_string())
            .replace("@GID@", &user(MAIL_USER).1.to_string())
            .replace("@MECHANISMS@", mechanisms)
            .replace("@TOKENS@", &passwords);
        let config = folder.write("dovecot.conf", config);
        let mut process = Process::start(
            "dovecot",
            Command::new(tool("dovecot")).arg("-F").arg("-c").arg(config),
            folder.path(),
        );
        process.until_ready(|| Wire::greets(local(imap)));
        Self { _process: process, folder, imap, imaps }
    }

    /// Where TLS starts at the first byte.
    pub fn tls(&self) -> SocketAddr {
        local(self.imaps)
    }

    /// Where TLS starts after STARTTLS; a login without it is accepted here (see the file's comment).
    pub fn starttls(&self) -> SocketAddr {
        local(self.imap)
    }

    /// The same at 127.0.0.2, where a login without TLS is refused.
    pub fn starttls_strict(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), self.imap))
    }

    /// Adds a user, or changes the password of one.
    pub fn set_password(&self, user: &str, password: &str) {
        self.welcome(user);
        self.enter(user, &serde_json::json!({ "password": format!("{{PLAIN}}{password}") }));
    }

    /// A file for each user, because Dovecot looks at a common list at most once a second; renamed into place, so that no
    /// login ever reads half of it.
    fn enter(&self, user: &str, entry: &serde_json::Value) {
        let draft = self.folder.write("draft", entry.to_string());
        mode(&draft, 0o644);
        std::fs::rename(&draft, self.folder.join("users").join(user)).expect("a user's entry");
    }

    /// Keeps a user out who has the right password, with these words of the server's.
    pub fn shut(&self, user: &str, password: &str, reason: &str) {
        let entry = serde_json::json!({
            "password": format!("{{PLAIN}}{password}"), "nologin": "yes", "reason": reason,
        });
        self.enter(user, &entry);
    }

    /// Makes room for a user who comes with a token, so that what they ask is kept.
    pub fn welcome(&self, user: &str) {
        self.folder.folder(&format!("raw/{user}"), Some(self::user(MAIL_USER).0));
    }

    /// Removes a user.
    pub fn remove_user(&self, user: &str) {
        std::fs::remove_file(self.folder.join("users").join(user)).expect("a user's entry");
    }

    /// Puts a message into a user's inbox.
    pub fn deliver(&self, to: &str, message: &str) {
        let (uid, gid) = user(MAIL_USER);
        let mut path = PathBuf::from("mail").join(to);
        for part in ["", "cur", "tmp", "new"] {
            path = PathBuf::from("mail").join(to).join(part);
            self.folder.folder(path.to_str().expect("a plain path"), Some(uid));
        }
        let count = std::fs::read_dir(self.folder.path().join(&path)).expect("the inbox").count();
        let file = path.join(format!("1700000000.M{count}P1.localhost"));
        let file = self.folder.write(file.to_str().expect("a plain path"), message);
        std::os::unix::fs::chown(file, Some(uid), Some(gid)).expect("the message's owner");
    }

    /// Everything Dovecot has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// How often a user has logged in. Dovecot logs through a process of its own, a moment later than it
    /// answers, so wait for a number with [`super::eventually`].
    pub fn logins(&self, user: &str) -> usize {
        self.count(&format!("Login: user=<{user}>"))
    }

    /// How often a password was refused for a user; as late as [`Dovecot::logins`].
    pub fn refusals(&self, user: &str) -> usize {
        let by_user = format!("dict({user},");
        self.log()
            .lines()
            .filter(|line| line.contains(&by_user))
            .filter(|line| line.contains("Password mismatch") || line.contains("unknown user"))
            .count()
    }

    /// What a user's sessions sent after logging in, in order.
    pub fn commands(&self, user: &str) -> String {
        let Ok(files) = std::fs::read_dir(self.folder.join("raw").join(user)) else {
            return String::new();
        };
        let mut files: Vec<_> = files.filter_map(|file| file.ok().map(|file| file.path())).collect();
        files.sort();
        files
            .iter()
            .filter(|path| path.extension().is_some_and(|end| end == "in"))
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .collect()
    }

    /// The socket where Postfix asks about passwords.
    pub fn auth_socket(&self) -> PathBuf {
        self.folder.join("base/submission-auth")
    }

    fn count(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }
}
