//! The load: keep-alive connections, one request under way on each. Requests are written as ready bytes and
//! answers are read no further than their length, so that the generator costs little beside the servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::machine;
use crate::server::Server;

/// One request's bytes.
pub type Call = Arc<[u8]>;

/// Requests for one server, sent in turn.
#[derive(Clone)]
pub struct Load {
    port: u16,
    process: u32,
    calls: Arc<[Call]>,
    expect: u16,
}

/// What one round showed.
pub struct Measured {
    /// Requests a second.
    pub rate: f64,
    /// The time that half of all requests took at most.
    pub p50: Duration,
    /// The time that 99 of 100 requests took at most.
    pub p99: Duration,
    /// The server's time on a processor, per request.
    pub cpu: Duration,
    /// The generator's share of one processor.
    pub generator: f64,
}

/// When a round ends.
#[derive(Clone)]
enum Until {
    Time(Instant),
    Left(Arc<AtomicUsize>),
}

impl Until {
    fn goes_on(&self) -> bool {
        match self {
            Self::Time(end) => Instant::now() < *end,
            Self::Left(left) => {
                left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            }
        }
    }
}

impl Load {
    /// Asks for a link as a backend does.
    pub fn link(server: &Server, more: &[(&str, &str)]) -> Result<Self> {
        let clock = vestibule::kernel::clock::Clock::system();
        let mut body = serde_json::json!({
            "type": "create",
            "providers": "*",
            "api_url": "https://connect.example.com/v1",
            "expiresOn": clock.now().after(Duration::from_secs(3600)).rfc3339(),
            "name": "user_1234",
            "success_redirect_url": "https://app.example.com/settings/accounts?done=1",
        });
        for (name, value) in more {
            body[*name] = serde_json::json!(value);
        }
        Self::asking(server, "/v1/hosted/accounts/link", &body, 201)
    }

    /// Asks for a session as a backend that speaks Riposte does; as much is said in it as in [`Load::link`].
    pub fn session(server: &Server) -> Result<Self> {
        let body = serde_json::json!({
            "redirectUri": "https://app.example.com/settings/accounts?done=1",
            "customUserId": "user_1234",
            "expiresInMinutes": 60,
        });
        Self::asking(server, "/auth/sessions", &body, 200)
    }

    /// A backend's request with its key.
    fn asking(server: &Server, path: &str, body: &serde_json::Value, expect: u16) -> Result<Self> {
        let headers = format!(
            "x-api-key: {}\r\ncontent-type: application/json\r\n",
            server.key.as_deref().context("the server printed no API key")?
        );
        let call = crate::request("POST", path, &headers, &body.to_string());
        Ok(Self { port: server.port, process: server.process(), calls: Arc::from([call]), expect })
    }

    /// The same request to the bare handler.
    pub fn insert(server: &Server, path: &str) -> Self {
        let body = serde_json::json!({
            "type": "create",
            "providers": "*",
            "api_url": "https://connect.example.com/v1",
            "expiresOn": "2030-06-30T12:00:00.701Z",
            "name": "user_1234",
            "success_redirect_url": "https://app.example.com/settings/accounts?done=1",
        });
        let call = crate::request("POST", path, "content-type: application/json\r\n", &body.to_string());
        Self { port: server.port, process: server.process(), calls: Arc::from([call]), expect: 201 }
    }

    /// Asks for the first pages of these links.
    pub fn pages(server: &Server, paths: Vec<String>) -> Self {
        let headers = "accept: text/html\r\naccept-language: en-GB,en;q=0.9,de;q=0.7\r\n";
        let calls = paths.iter().map(|path| crate::request("GET", path, headers, "")).collect();
        Self { port: server.port, process: server.process(), calls, expect: 200 }
    }

    /// Sends for some time.
    pub async fn drive(&self, connections: usize, time: Duration) -> Result<Measured> {
        let (began, busy) = (Instant::now(), machine::busy(self.process)?);
        let own = machine::busy(std::process::id())?;
        let mut took = self.send(connections, Until::Time(began + time)).await?;
        let wall = began.elapsed().as_secs_f64();
        let busy = machine::busy(self.process)?.saturating_sub(busy);
        let own = machine::busy(std::process::id())?.saturating_sub(own);
        took.sort_unstable();
        let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
        Ok(Measured {
            rate: took.len() as f64 / wall,
            p50: at(0.5),
            p99: at(0.99),
            cpu: busy / u32::try_from(took.len())?,
            generator: own.as_secs_f64() / wall,
        })
    }

    /// Sends this many; says how many were answered.
    pub async fn count(&self, connections: usize, many: usize) -> Result<usize> {
        Ok(self.send(connections, Until::Left(Arc::new(AtomicUsize::new(many)))).await?.len())
    }

    /// Sends one request; gives its body.
    pub async fn once(&self) -> Result<Vec<u8>> {
        let mut line = Line::open(self.port, self.expect).await?;
        line.exchange(&self.calls[0]).await?;
        Ok(line.body().to_vec())
    }

    async fn send(&self, connections: usize, until: Until) -> Result<Vec<Duration>> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut lines = JoinSet::new();
        for _ in 0..connections {
            let mut line = Line::open(self.port, self.expect).await?;
            let (calls, until, next) = (self.calls.clone(), until.clone(), next.clone());
            lines.spawn(async move {
                let mut took = Vec::with_capacity(4096);
                while until.goes_on() {
                    let call = &calls[next.fetch_add(1, Ordering::Relaxed) % calls.len()];
                    let began = Instant::now();
                    line.exchange(call).await?;
                    took.push(began.elapsed());
                }
                anyhow::Ok(took)
            });
        }
        let mut all = Vec::new();
        while let Some(took) = lines.join_next().await {
            all.extend(took??);
        }
        if all.is_empty() {
            bail!("no request was answered");
        }
        Ok(all)
    }
}

/// One connection.
pub struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
    head: usize,
    expect: u16,
}

impl Line {
    #[expect(clippy::disallowed_methods, reason = "the load generator is the client here")]
    async fn open(port: u16, expect: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024), head: 0, expect })
    }

    async fn exchange(&mut self, call: &[u8]) -> Result<()> {
        self.stream.write_all(call).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed a connection");
            }
            let Some(head) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            self.head = head + 4;
            let (status, length) = read_head(&self.buffer[..head])?;
            if status != self.expect {
                bail!("unexpected answer: {}", String::from_utf8_lossy(&self.buffer));
            }
            while self.buffer.len() < self.head + length {
                if self.stream.read_buf(&mut self.buffer).await? == 0 {
                    bail!("the server closed a connection in the middle of an answer");
                }
            }
            return Ok(());
        }
    }

    fn body(&self) -> &[u8] {
        &self.buffer[self.head..]
    }
}

/// Status and length of an answer.
fn read_head(head: &[u8]) -> Result<(u16, usize)> {
    let head = std::str::from_utf8(head)?;
    let status = head.get(9..12).context("no status")?.parse()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    Ok((status, length.context("an answer without a length")?.parse()?))
}
