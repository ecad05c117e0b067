//! The conversation where mail is sent: TLS, sign in once, leave. Nothing is sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};
use zeroize::Zeroizing;

use crate::kernel::egress::{ConnectError, Egress, TlsStream};
use crate::kernel::secret::Secret;

use super::super::refusal::{self, Code, Refusal};
use super::super::servers::Server;
use super::line::{ANSWER_LIMIT, Lines};
use super::secured;

/// Submission servers take any literal here, and this one says nothing about our network.
const HELLO: &str = "EHLO [127.0.0.1]";

/// Commands longer than this are not understood everywhere (RFC 5321, section 4.5.3.1.4), CR LF included.
const COMMAND_LIMIT: usize = 512;

/// Goes through the whole conversation. `connect` is when the connection must stand.
pub async fn talk(
    egress: &Egress,
    server: &Server,
    password: &Secret,
    connect: Instant,
) -> Result<(), Refusal> {
    let mut talk = open(egress, server, connect).await?;
    // What was said in clear does not count: an attacker may have said it.
    let offered = talk.hello().await?;
    talk.sign_in(&offered, &server.login, password).await?;
    talk.prove().await
}

/// Connects and has the server say what it can, over TLS; signs in nowhere.
pub async fn reach(egress: &Egress, server: &Server, connect: Instant) -> Result<(), Refusal> {
    let mut talk = open(egress, server, connect).await?;
    talk.hello().await.map(|_| ())
}

async fn open(egress: &Egress, server: &Server, connect: Instant) -> Result<Talk<TlsStream>, Refusal> {
    let (stream, greets) = secured(egress, server, connect, prelude).await?;
    let mut talk = Talk::new(stream);
    if greets {
        talk.greeting().await?;
    }
    Ok(talk)
}

/// The part in clear: nothing but the question for TLS.
async fn prelude(stream: TcpStream) -> Result<TcpStream, Refusal> {
    let mut talk = Talk::new(stream);
    talk.greeting().await?;
    let offered = talk.hello().await?;
    if !offered.lines.iter().any(|line| line.eq_ignore_ascii_case("STARTTLS")) {
        return Err(Code::TlsNotOffered.into());
    }
    let reply = talk.command("STARTTLS").await?;
    if reply.status != 220 {
        return Err(Code::TlsNotOffered.into());
    }
    Ok(talk.lines.into_stream()?)
}

#[derive(Debug, PartialEq, Eq)]
struct Reply {
    status: u16,
    lines: Vec<String>,
}

impl Reply {
    fn refused(&self, otherwise: Code) -> Refusal {
        refusal::smtp(self.status, &self.lines.join(" "), otherwise)
    }

    /// Whether a way to sign in is offered; also in the spelling of very old servers (`AUTH=PLAIN`).
    fn offers(&self, mechanism: &str) -> bool {
        self.mechanisms().any(|offered| offered.eq_ignore_ascii_case(mechanism))
    }

    fn mechanisms(&self) -> impl Iterator<Item = &str> {
        let lists = self.lines.iter().filter_map(|line| {
            let (word, list) = line.split_at_checked(5)?;
            (word.eq_ignore_ascii_case("AUTH ") || word.eq_ignore_ascii_case("AUTH=")).then_some(list)
        });
        lists.flat_map(str::split_ascii_whitespace)
    }
}

struct Talk<S> {
    lines: Lines<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    fn new(stream: S) -> Self {
        Self { lines: Lines::new(stream) }
    }

    async fn greeting(&mut self) -> Result<(), Refusal> {
        let reply = self.reply().await?;
        if reply.status == 220 { Ok(()) } else { Err(reply.refused(Code::ProtocolError)) }
    }

    async fn hello(&mut self) -> Result<Reply, Refusal> {
        let reply = self.command(HELLO).await?;
        if reply.status == 250 { Ok(reply) } else { Err(reply.refused(Code::ProtocolError)) }
    }

    async fn command(&mut self, command: &str) -> Result<Reply, Refusal> {
        // One write, so that a secret is never left half in a buffer that is not wiped.
        let line = Zeroizing::new(format!("{command}\r\n"));
        self.lines.say(line.as_bytes()).await?;
        Ok(self.reply().await?)
    }

    async fn reply(&mut self) -> Result<Reply, ConnectError> {
        let mut room = ANSWER_LIMIT;
        let mut reply = Reply { status: 0, lines: Vec::new() };
        loop {
            let line = self.lines.next(room).await?;
            // A line counts for more than its text, so that endless empty ones end too.
            room = room.checked_sub(line.len() + 16).ok_or(ConnectError::Protocol)?;
            let (status, more, text) = parse(&line).ok_or(ConnectError::Protocol)?;
            if !reply.lines.is_empty() && status != reply.status {
                return Err(ConnectError::Protocol);
            }
            reply.status = status;
            reply.lines.push(text);
            if !more {
                return Ok(reply);
            }
        }
    }
}

impl Talk<TlsStream> {
    /// Tries the password once: a second form only where the first was not understood.
    async fn sign_in(&mut self, offered: &Reply, login: &str, password: &Secret) -> Result<(), Refusal> {
        let mut reply = if offered.offers("PLAIN") {
            self.plain(login, password).await?
        } else if offered.offers("LOGIN") {
            self.dialogue(login, password).await?
        } else {
            let only_tokens = offered.offers("XOAUTH2") || offered.offers("OAUTHBEARER");
            return Err(if only_tokens { Code::OauthRequired } else { Code::LoginNotOffered }.into());
        };
        if reply.status == 504 && offered.offers("PLAIN") && offered.offers("LOGIN") {
            reply = self.dialogue(login, password).await?;
        }
        if reply.status == 235 { Ok(()) } else { Err(reply.refused(Code::CredentialsInvalid)) }
    }

    async fn plain(&mut self, login: &str, password: &Secret) -> Result<Reply, Refusal> {
        let sasl = Zeroizing::new(format!("\0{login}\0{}", password.reveal()));
        let sasl = Zeroizing::new(STANDARD.encode(sasl.as_bytes()));
        let short = Zeroizing::new(format!("AUTH PLAIN {}", *sasl));
        let fits = short.len() + 2 <= COMMAND_LIMIT;
        let reply = self.command(if fits { &short } else { "AUTH PLAIN" }).await?;
        // Some ask all the same; the answer is the same.
        if reply.status == 334 { self.command(&sasl).await } else { Ok(reply) }
    }

    /// The old two-question form.
    async fn dialogue(&mut self, login: &str, password: &Secret) -> Result<Reply, Refusal> {
        let reply = self.command("AUTH LOGIN").await?;
        if reply.status != 334 {
            return Ok(reply);
        }
        let reply = self.command(&STANDARD.encode(login)).await?;
        if reply.status != 334 {
            return Ok(reply);
        }
        let password = Zeroizing::new(STANDARD.encode(password.reveal()));
        self.command(&password).await
    }

    async fn prove(&mut self) -> Result<(), Refusal> {
        let reply = self.command("NOOP").await?;
        if reply.status != 250 {
            return Err(reply.refused(Code::ProtocolError));
        }
        // Manners; nothing depends on it any more.
        let _ = timeout(Duration::from_secs(1), self.command("QUIT")).await;
        Ok(())
    }
}

/// Status, whether more lines follow, and the text.
fn parse(line: &[u8]) -> Option<(u16, bool, String)> {
    let line = String::from_utf8_lossy(line);
    let (status, rest) = line.split_at_checked(3)?;
    let status = status.bytes().all(|byte| byte.is_ascii_digit()).then(|| status.parse().ok()).flatten()?;
    let more = match rest.bytes().next() {
        None | Some(b' ') => false,
        Some(b'-') => true,
        Some(_) => return None,
    };
    Some((status, more, rest.get(1..).unwrap_or_default().trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_line_by_line() {
        assert_eq!(parse(b"250-AUTH PLAIN LOGIN"), Some((250, true, "AUTH PLAIN LOGIN".into())));
        assert_eq!(parse(b"235 2.7.0 ok"), Some((235, false, "2.7.0 ok".into())));
        assert_eq!(parse(b"220"), Some((220, false, String::new())));
        for line in
            [&b"* OK IMAP4rev1"[..], b"", b"25", b"+50 x", b"2500", b"HTTP/1.1 400", b"\xff\xff\xff x"]
        {
            assert_eq!(parse(line), None);
        }
    }

    #[test]
    fn ways_to_sign_in_are_found_in_both_spellings() {
        let reply = |line: &str| Reply { status: 250, lines: vec!["host".into(), line.into()] };
        assert!(reply("AUTH LOGIN plain").offers("PLAIN"));
        assert!(reply("auth=PLAIN LOGIN").offers("PLAIN"));
        assert!(!reply("AUTHPLAIN").offers("PLAIN"));
        assert!(!reply("STARTTLS").offers("PLAIN"));
        assert!(!reply("AUTH XOAUTH2").offers("PLAIN"));
    }
}
