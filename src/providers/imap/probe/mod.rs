//! Conversations with mail servers: sign in, prove that it works, sign off. Every byte goes over a
//! connection the kernel's way out has checked, and a password only over one whose type says it is TLS.
//! What servers say is bounded in size and time; of their words only a code leaves this room.

mod imap;
mod line;
mod response;
mod smtp;

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::kernel::egress::{Egress, TlsStream};
use crate::kernel::secret::Secret;

use super::refusal::{Code, Refusal};
use super::servers::{Encryption, Server};

/// How long one server may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Until the connection stands, TLS included.
    pub connect: Duration,
    /// Until everything has been said.
    pub whole: Duration,
}

/// Signs in where mail is read and opens the inbox for reading only.
///
/// # Errors
/// Why it did not work.
pub async fn reading(
    egress: &Egress,
    server: &Server,
    password: &Secret,
    limits: Limits,
) -> Result<(), Refusal> {
    let connect = Instant::now() + limits.connect.min(limits.whole);
    let talk = imap::talk(egress, server, password, connect);
    conclude("imap", server, timeout_at(Instant::now() + limits.whole, talk).await)
}

/// Signs in where mail is sent; sends nothing.
///
/// # Errors
/// Why it did not work.
pub async fn sending(
    egress: &Egress,
    server: &Server,
    password: &Secret,
    limits: Limits,
) -> Result<(), Refusal> {
    let connect = Instant::now() + limits.connect.min(limits.whole);
    let talk = smtp::talk(egress, server, password, connect);
    conclude("smtp", server, timeout_at(Instant::now() + limits.whole, talk).await)
}

/// Whether this is a server where mail is read: connects with a good certificate, signs in nowhere.
pub async fn reads(egress: &Egress, server: &Server, until: Instant) -> bool {
    matches!(timeout_at(until, imap::reach(egress, server, until)).await, Ok(Ok(())))
}

/// Whether this is a server where mail is sent: connects with a good certificate, signs in nowhere.
pub async fn sends(egress: &Egress, server: &Server, until: Instant) -> bool {
    matches!(timeout_at(until, smtp::reach(egress, server, until)).await, Ok(Ok(())))
}

/// A connection under TLS, and whether the server's greeting is still to come on it: before STARTTLS it was said in
/// `prelude`, the part in clear.
async fn secured<Spoken>(
    egress: &Egress,
    server: &Server,
    connect: Instant,
    prelude: impl FnOnce(TcpStream) -> Spoken,
) -> Result<(TlsStream, bool), Refusal>
where
    Spoken: Future<Output = Result<TcpStream, Refusal>>,
{
    match server.encryption {
        Encryption::Tls => Ok((egress.connect_tls(&server.host, server.port, connect).await?, true)),
        Encryption::Starttls => {
            let stream = prelude(egress.connect(&server.host, server.port, connect).await?).await?;
            // The prelude may have used the connect deadline up; the handshake gets the caller's.
            let handshake = connect.max(Instant::now() + Duration::from_secs(5));
            Ok((egress.start_tls(stream, &server.host, handshake).await?, false))
        }
    }
}

fn conclude(
    leg: &'static str,
    server: &Server,
    outcome: Result<Result<(), Refusal>, tokio::time::error::Elapsed>,
) -> Result<(), Refusal> {
    // The connect deadline is the shorter one, so whoever runs into this one was connected.
    let outcome = outcome.unwrap_or(Err(Code::ServerSilent.into()));
    if let Err(refusal) = &outcome {
        let Server { host, port, .. } = server;
        tracing::info!(leg, host, port, code = refusal.code.as_str(), "a mail server did not let us in");
    }
    outcome
}

#[cfg(test)]
mod double;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod texts_tests;
