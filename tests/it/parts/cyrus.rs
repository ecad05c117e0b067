//! A real Cyrus: IMAP with TLS from the first byte and with STARTTLS. Unlike Dovecot it tells nobody without TLS that
//! passwords exist, gives its refusals no response code, and makes an inbox at the first log-in.

use super::certs::{Ca, Leaf};
use super::process::Process;
use super::scratch::{Scratch, mode, user};
use super::{free_port, local, unpacked, wire::Wire};
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// Whom everything belongs to; Cyrus wants a user of its own.
const OWNER: (&str, &str) = ("nobody", "nogroup");

/// A running server.
pub struct Cyrus {
    _process: Process,
    folder: Scratch,
    imap: u16,
    imaps: u16,
}

impl Cyrus {
    /// Starts a server that shows a good certificate for loopback.
    pub fn start(ca: &Ca) -> Self {
        let folder = Scratch::new("cyrus");
        let (imap, imaps) = (free_port(), free_port());
        let owner = user(OWNER.0).0;
        folder.folder("state", Some(owner));
        folder.folder("mail", Some(owner));
        let files = ca.leaf(Leaf::Good, &["localhost", "127.0.0.1"]);
        for (from, to) in [(&files.cert, "cert.pem"), (&files.key, "key.pem")] {
            let to = folder.write(to, std::fs::read(from).expect("the certificate's files"));
            std::os::unix::fs::chown(to, Some(owner), None).expect("their owner");
        }
        let bin = unpacked::root().join("usr/lib/cyrus/bin");
        let fill = |text: &str| {
            text.replace("@ROOT@", folder.path().to_str().expect("a plain path"))
                .replace("@BIN@", bin.to_str().expect("a plain path"))
                .replace("@IMAP@", &imap.to_string())
                .replace("@IMAPS@", &imaps.to_string())
                .replace("@USER@", OWNER.0)
                .replace("@GROUP@", OWNER.1)
        };
        let settings = folder.write("imapd.conf", fill(include_str!("cyrus-imapd.conf")));
        let services = folder.write("cyrus.conf", fill(include_str!("cyrus.conf")));
        let mut command = unpacked::command("usr/lib/cyrus/bin/master");
        command.arg("-D").arg("-C").arg(settings).arg("-M").arg(services).arg("-p").arg(folder.join("pid"));
        let mut process = Process::start("cyrus", &mut own_processes(command), folder.path());
        process.until_ready(|| Wire::greets(local(imap)));
        Self { _process: process, folder, imap, imaps }
    }

    /// Where TLS starts at the first byte.
    pub fn tls(&self) -> SocketAddr {
        local(self.imaps)
    }

    /// Where TLS starts after STARTTLS.
    pub fn starttls(&self) -> SocketAddr {
        local(self.imap)
    }

    /// Adds a user, or changes the password of one.
    pub fn set_password(&self, address: &str, password: &str) {
        let (name, realm) = address.split_once('@').expect("an address");
        let users = self.folder.join("users");
        let mut command = unpacked::command("usr/sbin/saslpasswd2");
        command.args(["-p", "-c", "-f"]).arg(&users).args(["-u", realm, name]).stdin(Stdio::piped());
        let mut child = command.spawn().expect("saslpasswd2 starts");
        child.stdin.take().expect("its input").write_all(password.as_bytes()).expect("the password");
        assert!(child.wait().expect("its end").success(), "saslpasswd2 failed");
        std::os::unix::fs::chown(&users, Some(user(OWNER.0).0), None).expect("the list's owner");
        mode(&users, 0o600);
    }
}

/// The command in a process namespace of its own: whatever it forks into groups of their own ends with it.
pub fn own_processes(command: Command) -> Command {
    let mut outer = Command::new(super::tool("unshare"));
    outer.args(["--pid", "--mount", "--fork", "--kill-child"]).arg(command.get_program());
    outer.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}
