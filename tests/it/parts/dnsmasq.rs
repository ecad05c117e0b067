//! A real name server with the records a test says: dnsmasq, asked by nobody but the server under test.

use super::process::Process;
use super::scratch::Scratch;
use super::{eventually, free_port, local, tool};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

/// A running name server.
pub struct Dnsmasq {
    _process: Process,
    _folder: Scratch,
    port: u16,
}

impl Dnsmasq {
    /// Starts one that knows these records, in dnsmasq's own words (`mx-host=…`), and says of every other name below
    /// `.net` that there is none.
    pub fn start(records: &[String]) -> Self {
        let folder = Scratch::new("dnsmasq");
        let port = free_port();
        let mut config = format!(
            "port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nno-daemon\nuser=root\n\
             pid-file=\nlocal=/net/\n"
        );
        for record in records {
            config.push_str(record);
            config.push('\n');
        }
        let config = folder.write("dnsmasq.conf", config);
        let mut command = Command::new(tool("dnsmasq"));
        command.arg(format!("--conf-file={}", config.display()));
        let process = Process::start("dnsmasq", &mut command, folder.path());
        eventually("dnsmasq answers", Duration::from_secs(30), || answers(local(port)).then_some(()));
        Self { _process: process, _folder: folder, port }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        local(self.port)
    }
}

/// Whether a question gets any answer.
fn answers(to: SocketAddr) -> bool {
    let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) else { return false };
    let question = b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x03net\x00\x00\x01\x00\x01";
    let asked = socket.set_read_timeout(Some(Duration::from_millis(200))).is_ok()
        && socket.send_to(question, to).is_ok();
    asked && socket.recv(&mut [0; 512]).is_ok()
}
