//! A real Courier: IMAP with TLS from the first byte and with STARTTLS. It knows neither SASL-IR nor ID, answers what it
//! does not know with NO, and says `NO Login failed.` without a response code. In passing it complains of a missing file
//! watcher in an ALERT, as it does on many hosts.

use super::certs::{Ca, Leaf};
use super::cyrus::own_processes;
use super::process::Process;
use super::scratch::{Scratch, user};
use super::{free_port, local, unpacked, wire::Wire};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Whom the mail belongs to.
const OWNER: &str = "nobody";

/// A running server.
pub struct Courier {
    process: Process,
    folder: Scratch,
    users: Mutex<BTreeMap<String, String>>,
    imap: u16,
    imaps: u16,
}

impl Courier {
    /// Starts a server that shows a good certificate for loopback.
    pub fn start(ca: &Ca) -> Self {
        let folder = Scratch::new("courier");
        let (imap, imaps) = (free_port(), free_port());
        let (uid, gid) = user(OWNER);
        for name in ["etc", "run", "run/authdaemon"] {
            folder.folder(name, None);
        }
        folder.folder("mail", Some(uid));
        let files = ca.leaf(Leaf::Good, &["localhost", "127.0.0.1"]);
        let read = |path: &Path| std::fs::read_to_string(path).expect("a file");
        let both = folder.write("imapd.pem", read(&files.key) + &read(&files.cert));
        std::os::unix::fs::chown(both, Some(uid), None).expect("the certificate's owner");
        folder.write(
            "passwd",
            read(Path::new("/etc/passwd")) + &format!("courier:x:{uid}:{gid}::/:/bin/false\n"),
        );
        folder.write("group", read(Path::new("/etc/group")) + &format!("courier:x:{gid}:\n"));
        let settings = "authmodulelist=\"authuserdb\"\nauthmodulelistorig=\"authuserdb\"\ndaemons=2\n\
                        authdaemonvar=/run/courier/authdaemon\nDEBUG_LOGIN=0\nDEFAULTOPTIONS=\"\"\nLOGGEROPTS=\"\"\n";
        folder.write("etc/authdaemonrc", settings);
        let script = include_str!("courier.sh")
            .replace("@ROOT@", folder.path().to_str().expect("a plain path"))
            .replace("@SERVERS@", unpacked::root().to_str().expect("a plain path"))
            .replace("@IMAPS@", &imaps.to_string())
            .replace("@IMAP@", &imap.to_string());
        let script = folder.write("start.sh", script);
        let mut command = Command::new("/bin/sh");
        command.arg(script).env("LD_LIBRARY_PATH", unpacked::libraries());
        let process = Process::start("courier", &mut own_processes(command), folder.path());
        let mut courier = Self { process, folder, users: Mutex::default(), imap, imaps };
        courier.write_users();
        let ports = [courier.imap, courier.imaps];
        courier.process.until_ready(|| {
            ports.iter().all(|port| super::dial(local(*port)).is_ok()) && Wire::greets(local(ports[0]))
        });
        courier
    }

    /// Where TLS starts at the first byte.
    pub fn tls(&self) -> SocketAddr {
        local(self.imaps)
    }

    /// Where TLS starts after STARTTLS.
    pub fn starttls(&self) -> SocketAddr {
        local(self.imap)
    }

    /// Adds a user with an empty inbox, or changes the password of one.
    pub fn set_password(&self, address: &str, password: &str) {
        let (uid, gid) = user(OWNER);
        for part in ["", "/Maildir", "/Maildir/cur", "/Maildir/new", "/Maildir/tmp"] {
            let made = self.folder.folder(&format!("mail/{address}{part}"), None);
            // Courier looks at the group, too.
            std::os::unix::fs::chown(made, Some(uid), Some(gid)).expect("the mailbox's owner");
        }
        let hash = STANDARD.encode(digest(&SHA256, password.as_bytes()));
        self.users.lock().expect("the users").insert(address.to_owned(), hash);
        self.write_users();
    }

    /// Everything Courier has logged.
    pub fn log(&self) -> String {
        self.process.output()
    }

    fn write_users(&self) {
        let (uid, gid) = user(OWNER);
        let (mut open, mut shadow) = (String::new(), String::new());
        for (address, hash) in self.users.lock().expect("the users").iter() {
            let home = self.folder.join("mail").join(address);
            let home = home.display();
            writeln!(open, "{address}\tuid={uid}|gid={gid}|home={home}|mail={home}/Maildir").expect("a line");
            writeln!(shadow, "{address}\tsystempw={{SHA256}}{hash}").expect("a line");
        }
        self.make("userdb.dat", &open);
        self.make("userdbshadow.dat", &shadow);
    }

    /// Has Courier's own tool make one of its databases, in place of the one that is there.
    fn make(&self, name: &str, lines: &str) {
        let mut command = unpacked::command("usr/lib/courier/courier-authlib/makedatprog");
        command.arg("-").arg(self.folder.join("etc/draft")).arg(self.folder.join("etc").join(name));
        let mut child = command.stdin(Stdio::piped()).spawn().expect("makedatprog starts");
        let mut input = child.stdin.take().expect("its input");
        std::io::Write::write_all(&mut input, format!("{lines}.\n").as_bytes()).expect("the users");
        drop(input);
        assert!(child.wait().expect("its end").success(), "makedatprog failed");
    }
}
