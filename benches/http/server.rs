//! The two servers as processes: the shipped one, and this program again with the bare handlers.

use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::Load;
use crate::{baseline, machine};

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub port: u16,
    /// The API key that a first start prints.
    pub key: Option<String>,
    /// From spawning it to its first answer.
    pub ready_after: Duration,
}

impl Server {
    /// Starts the shipped server on this data directory, with its defaults but for the limit of what one key may ask:
    /// one key asks for everything here.
    pub async fn start(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command
            .arg("serve")
            .env_clear()
            .env("VESTIBULE_LISTEN", format!("127.0.0.1:{port}"))
            .env("VESTIBULE_PUBLIC_URL", "http://127.0.0.1")
            .env("VESTIBULE_REQUESTS_PER_MINUTE", "0")
            .env("VESTIBULE_DATA_DIR", folder);
        Self::run(command, folder, port).await
    }

    /// Starts the bare handlers on this folder.
    pub async fn start_baseline(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args([baseline::VERB, &folder.display().to_string()]).env_clear();
        command.env("PORT", port.to_string());
        Self::run(command, folder, port).await
    }

    async fn run(mut command: Command, folder: &Path, port: u16) -> Result<Self> {
        let log = folder.with_extension("log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        command.current_dir(folder.parent().context("a folder above")?);
        let began = Instant::now();
        let child = command.spawn().context("starting a server")?;
        let mut server = Self { child, port, key: None, ready_after: Duration::ZERO };
        while !answers(port).await {
            if began.elapsed() > Duration::from_secs(20) || server.child.try_wait()?.is_some() {
                bail!("a server did not start: {}", std::fs::read_to_string(&log)?);
            }
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        server.ready_after = began.elapsed();
        let printed = std::fs::read_to_string(&log)?;
        server.key = printed.split_whitespace().find(|word| word.starts_with("vst_")).map(str::to_owned);
        Ok(server)
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory in bytes.
    pub fn memory(&self) -> Result<u64> {
        machine::resident(self.child.id())
    }

    /// Makes this many links; gives the paths of their first pages.
    pub async fn links(&self, load: &Load, many: usize) -> Result<Vec<String>> {
        let mut paths = Vec::with_capacity(many);
        for _ in 0..many {
            let made: serde_json::Value = serde_json::from_slice(&load.once().await?)?;
            let url = made["url"].as_str().or_else(|| made["authUrl"].as_str()).context("no url")?;
            let path = url.splitn(4, '/').nth(3).context("a url without a path")?;
            paths.push(format!("/{path}"));
        }
        Ok(paths)
    }

    /// Asks it to stop and waits until it has.
    pub async fn stop(mut self) -> Result<()> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let began = Instant::now();
        while self.child.try_wait()?.is_none() {
            if began.elapsed() > Duration::from_secs(20) {
                bail!("a server did not stop");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Whether `/healthz` is answered with 200.
#[expect(clippy::disallowed_methods, reason = "the load generator is the client here")]
async fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    let call = crate::request("GET", "/healthz", "connection: close\r\n", "");
    let mut answer = Vec::new();
    stream.write_all(&call).await.is_ok()
        && stream.read_to_end(&mut answer).await.is_ok()
        && answer.starts_with(b"HTTP/1.1 200")
}
