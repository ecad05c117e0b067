//! A real Postfix that takes mail from users who log in, over TLS from the first byte and over
//! STARTTLS; passwords are Dovecot's. What it accepts it throws away, and its log says so.

use super::certs::{Ca, Leaf};
use super::dovecot::Dovecot;
use super::process::Process;
use super::scratch::{Scratch, mode, user};
use super::{free_port, local, tool, wire::Wire};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, SystemTime};

/// The queue folders that Postfix's own set-up script would make, with their permissions.
const QUEUE: [(&str, u32); 14] = [
    ("active", 0o700),
    ("bounce", 0o700),
    ("corrupt", 0o700),
    ("defer", 0o700),
    ("deferred", 0o700),
    ("flush", 0o700),
    ("hold", 0o700),
    ("incoming", 0o700),
    ("maildrop", 0o730),
    ("pid", 0o755),
    ("private", 0o700),
    ("public", 0o710),
    ("saved", 0o700),
    ("trace", 0o700),
];

/// A running server.
pub struct Submission {
    _process: Process,
    folder: Scratch,
    implicit: u16,
    starttls: u16,
}

impl Submission {
    /// Starts a server for the users of `dovecot`, which must outlive it.
    pub fn start(ca: &Ca, leaf: Leaf, dovecot: &Dovecot) -> Self {
        Self::start_named(ca, leaf, dovecot, &[])
    }

    /// The same with further names in the certificate.
    pub fn start_named(ca: &Ca, leaf: Leaf, dovecot: &Dovecot, names: &[&str]) -> Self {
        let folder = Scratch::new("postfix");
        let (implicit, starttls) = (free_port(), free_port());
        let files = ca.leaf(leaf, &[&["localhost", "127.0.0.1", "127.0.0.2"], names].concat());
        let owner = user("postfix").0;
        folder.folder("data", Some(owner));
        folder.folder("queue", None);
        for (name, bits) in QUEUE {
            // Postfix insists that the folder of process ids stays root's.
            let owner = if name == "pid" { None } else { Some(owner) };
            mode(&folder.folder(&format!("queue/{name}"), owner), bits);
        }
        folder.folder("config", None);
        let main = include_str!("postfix-main.cf")
            .replace("@ROOT@", folder.path().to_str().expect("a plain path"))
            .replace("@CERT@", files.cert.to_str().expect("a plain path"))
            .replace("@KEY@", files.key.to_str().expect("a plain path"))
            .replace("@AUTH@", dovecot.auth_socket().to_str().expect("a plain path"));
        let main = folder.write("config/main.cf", main);
        // Postfix waits two seconds for a file this young, in case somebody is still writing it.
        let main = std::fs::File::options().write(true).open(main).expect("the settings");
        main.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)).expect("a time");
        let services = include_str!("postfix-master.cf")
            .replace("@IMPLICIT@", &implicit.to_string())
            .replace("@STARTTLS@", &starttls.to_string());
        folder.write("config/master.cf", services);
        // The control command refuses a configuration it does not know; the daemon takes any.
        let mut process = Process::start(
            "postfix",
            Command::new(tool("master")).arg("-d").arg("-c").arg(folder.join("config")),
            folder.path(),
        );
        process.until_ready(|| Wire::greets(local(starttls)));
        Self { _process: process, folder, implicit, starttls }
    }

    /// Where TLS starts at the first byte (as on port 465).
    pub fn tls(&self) -> SocketAddr {
        local(self.implicit)
    }

    /// Where TLS starts after STARTTLS (as on port 587).
    pub fn starttls(&self) -> SocketAddr {
        local(self.starttls)
    }

    /// Everything Postfix has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// How many messages it has taken from a user. Its log comes a moment later than its answers, so
    /// wait for a number with [`super::eventually`].
    pub fn accepted(&self, user: &str) -> usize {
        self.log()
            .lines()
            .filter(|line| line.contains(&format!("sasl_username={user}")))
            .filter(|line| line.contains("client="))
            .count()
    }

    /// How many connections it has seen.
    pub fn connections(&self) -> usize {
        self.log().lines().filter(|line| line.contains("]: connect from ")).count()
    }
}
