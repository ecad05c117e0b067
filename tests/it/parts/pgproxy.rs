//! Stands in front of PostgreSQL, counts the commits that pass, and kills a process at one of them:
//! before the database hears of it, or when it is durable and the process does not know yet.
//!
//! It reads the wire protocol just far enough to see `COMMIT`, sent as a simple query or as a
//! prepared statement. A statement outside a transaction commits by itself and is not counted.

use super::kill::{KillPlan, When};
use super::process::send;
use super::{Background, local};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Default)]
struct Shared {
    commits: u32,
    plan: Option<KillPlan>,
    victim: Option<u32>,
}

/// A running proxy.
pub struct PgProxy {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    _thread: Background,
}

impl PgProxy {
    /// Starts a proxy in front of the database at a loopback port.
    pub fn start(upstream: u16) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket for the runtime");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let state = shared.clone();
        let thread = Background::run(async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            while let Ok((client, _)) = listener.accept().await {
                let state = state.clone();
                tokio::spawn(async move {
                    // A broken connection is the peers' business; the test sees it there.
                    drop(relay(client, upstream, &state).await);
                });
            }
        });
        Self { port, shared, _thread: thread }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many commits were asked for since the start or the last [`PgProxy::arm`].
    pub fn commits(&self) -> u32 {
        self.shared.lock().expect("the plan").commits
    }

    /// Counts from zero again and kills the victim as planned; a commit that is to be lethal waits
    /// until the victim is known.
    pub fn arm(&self, plan: KillPlan) {
        let mut shared = self.shared.lock().expect("the plan");
        shared.commits = 0;
        shared.plan = Some(plan);
    }

    /// Names the process that the plan is for.
    pub fn victim(&self, id: u32) {
        self.shared.lock().expect("the plan").victim = Some(id);
    }
}

/// Cuts one direction of a connection into messages.
#[derive(Default)]
struct Messages {
    bytes: Vec<u8>,
    /// The first message of a client has no type byte.
    untyped: bool,
}

impl Messages {
    /// The next whole message, if it has arrived.
    fn next(&mut self) -> Option<Vec<u8>> {
        let prefix = usize::from(!self.untyped);
        let length = self.bytes.get(prefix..prefix + 4)?.try_into().expect("four bytes");
        let whole = prefix + usize::try_from(u32::from_be_bytes(length)).expect("a length");
        (self.bytes.len() >= whole).then(|| self.bytes.drain(..whole).collect())
    }
}

/// Which prepared names of a connection stand for a commit.
#[derive(Default)]
struct Prepared {
    statements: HashMap<Vec<u8>, bool>,
    portals: HashMap<Vec<u8>, bool>,
}

impl Prepared {
    /// Whether this message makes the database commit.
    fn commits(&mut self, message: &[u8]) -> bool {
        let mut words = message[5..].split(|byte| *byte == 0);
        let mut word = || words.next().unwrap_or_default();
        match message[0] {
            b'Q' => is_commit(word()),
            b'P' => {
                let name = word().to_vec();
                self.statements.insert(name, is_commit(word()));
                false
            }
            b'B' => {
                let portal = word().to_vec();
                self.portals.insert(portal, self.statements.get(word()).copied().unwrap_or(false));
                false
            }
            b'E' => self.portals.get(word()).copied().unwrap_or(false),
            _ => false,
        }
    }
}

fn is_commit(sql: &[u8]) -> bool {
    let sql = String::from_utf8_lossy(sql).trim().trim_end_matches(';').to_ascii_uppercase();
    matches!(
        sql.rsplit(';').next().unwrap_or_default().trim(),
        "COMMIT" | "COMMIT TRANSACTION" | "COMMIT WORK" | "END"
    )
}

/// The code of a request to switch to TLS or to GSS encryption, instead of a start-up message.
fn asks_for_encryption(message: &[u8]) -> bool {
    matches!(message[4..8], [0x04, 0xd2, 0x16, 0x2f] | [0x04, 0xd2, 0x16, 0x30])
}

#[expect(clippy::disallowed_methods, reason = "the proxy is part of the test, not of the server")]
async fn relay(mut client: TcpStream, upstream: u16, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(local(upstream)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut asked = Messages { untyped: true, ..Messages::default() };
    let mut answered = Messages::default();
    let mut prepared = Prepared::default();
    let mut doomed = false;
    loop {
        tokio::select! {
            read = client.read_buf(&mut asked.bytes) => if read? == 0 { return Ok(()) },
            read = server.read_buf(&mut answered.bytes) => if read? == 0 { return Ok(()) },
        }
        while let Some(message) = asked.next() {
            if asked.untyped {
                if asks_for_encryption(&message) {
                    client.write_all(b"N").await?;
                    continue;
                }
                asked.untyped = false;
            } else if prepared.commits(&message) {
                match lethal(shared) {
                    Some(When::Before) => {
                        kill(shared);
                        return Ok(());
                    }
                    Some(When::After) => doomed = true,
                    None => {}
                }
            }
            server.write_all(&message).await?;
        }
        while let Some(message) = answered.next() {
            if !doomed {
                client.write_all(&message).await?;
            } else if message[0] == b'Z' {
                // Ready for the next query: the commit is done, and nobody was told.
                kill(shared);
                return Ok(());
            }
        }
    }
}

/// Counts a commit and says whether it is the planned one.
fn lethal(shared: &Mutex<Shared>) -> Option<When> {
    let mut shared = shared.lock().expect("the plan");
    shared.commits += 1;
    let commits = shared.commits;
    shared.plan.filter(|plan| plan.at == commits).map(|plan| plan.when)
}

/// Blocks, and with it every connection of the proxy: nothing is to happen between the plan and the kill.
fn kill(shared: &Mutex<Shared>) {
    let victim = || shared.lock().expect("the plan").victim;
    send("KILL", i64::from(super::eventually("a victim for the plan", super::READY, victim)));
}
