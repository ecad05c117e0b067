//! A line-by-line client for the proofs: speaks to IMAP and SMTP servers in the clear and over TLS,
//! independently of the client code in the server under test.

use super::certs::Ca;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Whatever bytes go through.
trait Channel: Read + Write + Send {}
impl<T: Read + Write + Send> Channel for T {}

/// One connection.
pub struct Wire {
    stream: BufReader<Box<dyn Channel>>,
    raw: TcpStream,
}

impl Wire {
    /// Connects in the clear.
    pub fn plain(to: SocketAddr) -> io::Result<Self> {
        let raw = super::dial(to)?;
        Ok(Self { stream: BufReader::new(Box::new(raw.try_clone()?)), raw })
    }

    /// Whether a server is there and says its first line.
    pub fn greets(at: SocketAddr) -> bool {
        Self::plain(at).is_ok_and(|mut wire| wire.line().is_ok())
    }

    /// Connects with TLS from the first byte; `name` is checked against the certificate.
    pub fn tls(to: SocketAddr, name: &str, ca: &Ca) -> io::Result<Self> {
        Self::plain(to)?.upgrade(name, ca)
    }

    /// Begins TLS on a connection that has just agreed to it.
    pub fn upgrade(self, name: &str, ca: &Ca) -> io::Result<Self> {
        let name = name.to_owned().try_into().map_err(io::Error::other)?;
        let session = ClientConnection::new(ca.client(), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, self.raw.try_clone()?);
        // Drives the handshake now, so that a refused certificate is an error here.
        stream.conn.complete_io(&mut stream.sock)?;
        Ok(Self { stream: BufReader::new(Box::new(stream)), raw: self.raw })
    }

    /// Sends a line.
    pub fn send(&mut self, line: &str) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes())?;
        stream.flush()
    }

    /// Reads a line, without its end.
    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Sends a line and reads until one that starts with `until`, which is the last of those returned.
    pub fn ask(&mut self, line: &str, until: &[&str]) -> io::Result<Vec<String>> {
        self.send(line)?;
        self.read_until(until)
    }

    /// Reads lines until one that starts with one of `until`.
    pub fn read_until(&mut self, until: &[&str]) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            let last = until.iter().any(|start| line.starts_with(start));
            lines.push(line);
            if last {
                return Ok(lines);
            }
        }
    }
}
