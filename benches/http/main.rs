//! Measures the HTTP paths: starts the real server and drives it over loopback, beside bare handlers that do the
//! same durable insert or the same indexed read. Run by `cargo xtask bench`; it prints a table and never fails
//! because of a number.
//!
//! Both sides are processes of their own, driven by the same connections in turn (A B A B …), so a noisy machine
//! disturbs both alike; what is compared is the median of the rounds' ratios.

mod baseline;
mod load;
mod machine;
mod report;
mod server;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use load::{Call, Load, Measured};
use server::Server;

/// What the shipped server allocates with, here as well, so that the bare handlers lack nothing.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_millis(1200);
/// Links that first pages are asked for in turn.
const LINKS: usize = 2_000;
const SESSIONS: usize = 100_000;
const STARTS: usize = 20;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().collect();
    if let [_, verb, folder] = words.as_slice()
        && verb == baseline::VERB
    {
        return baseline::run(folder);
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure())
}

/// What is being compared: the server's path and the bare handler's.
struct Pair {
    ours: Load,
    bare: Load,
}

async fn measure() -> Result<()> {
    let began = Instant::now();
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    println!("{}\n", machine::describe(scratch.path())?);

    let ours = Server::start(&scratch.path().join("ours")).await?;
    let bare = Server::start_baseline(&scratch.path().join("bare")).await?;
    let link = Load::link(&ours, &[])?;
    let told = Load::link(&ours, &[("notify_url", "https://app.example.com/hooks/connected")])?;
    let session = Load::session(&ours)?;
    let grouped = Load::insert(&bare, "/grouped");
    let single = Load::insert(&bare, "/single");
    let page = Load::pages(&ours, ours.links(&link, LINKS).await?);
    let authorize = Load::pages(&ours, ours.links(&session, LINKS).await?);
    let plain = Load::pages(&bare, bare.links(&grouped, LINKS).await?);
    report::sizes([&page, &authorize, &plain]).await?;

    let lines = [
        ("create link", Pair { ours: link.clone(), bare: grouped.clone() }),
        ("create link, one commit per bare insert", Pair { ours: link, bare: single.clone() }),
        ("create link with `notify_url` (two rows)", Pair { ours: told, bare: grouped.clone() }),
        ("first page", Pair { ours: page, bare: plain.clone() }),
        ("Riposte: create session", Pair { ours: session.clone(), bare: grouped }),
        ("Riposte: create session, one commit per bare insert", Pair { ours: session, bare: single }),
        ("Riposte: first page, which asks for the address", Pair { ours: authorize, bare: plain }),
    ];
    report::heading();
    for (name, pair) in &lines {
        let rounds = alternate(pair, CONNECTIONS, ROUNDS, ROUND).await?;
        report::line(name, CONNECTIONS, &rounds);
    }
    for at in [0, 3, 4, 6] {
        let (name, pair) = &lines[at];
        let rounds = alternate(pair, 1, 3, ROUND / 2).await?;
        report::line(name, 1, &rounds);
    }
    drop((ours, bare));

    report::other_heading();
    let fresh = starts(&scratch.path().join("fresh"), true).await?;
    report::start("start to first answer, new data directory", &fresh);
    let again = starts(&scratch.path().join("again"), false).await?;
    report::start("start to first answer, existing data directory", &again);
    memory(&scratch.path().join("memory")).await?;
    println!("\nMeasured in {:.0} s.", began.elapsed().as_secs_f64());
    Ok(())
}

/// Rounds of the one and the other, after a warm-up of both.
async fn alternate(
    pair: &Pair,
    connections: usize,
    rounds: usize,
    round: Duration,
) -> Result<Vec<(Measured, Measured)>> {
    pair.ours.drive(connections, round / 3).await?;
    pair.bare.drive(connections, round / 3).await?;
    let mut measured = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let ours = pair.ours.drive(connections, round).await?;
        measured.push((ours, pair.bare.drive(connections, round).await?));
    }
    Ok(measured)
}

/// From spawning the process to the first answer of `/healthz`.
async fn starts(folder: &std::path::Path, fresh: bool) -> Result<Vec<Duration>> {
    if !fresh {
        Server::start(folder).await?.stop().await?;
    }
    let mut took = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        let server = Server::start(folder).await?;
        took.push(server.ready_after);
        server.stop().await?;
        if fresh {
            std::fs::remove_dir_all(folder).context("clearing the data directory")?;
        }
    }
    took.sort();
    Ok(took)
}

/// Resident memory of a server that has done nothing, and after it has made many sessions.
async fn memory(folder: &std::path::Path) -> Result<()> {
    let server = Server::start(folder).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    report::memory("memory, idle", server.memory()?);
    let link = Load::link(&server, &[])?;
    let made = link.count(CONNECTIONS, SESSIONS).await?;
    report::memory(&format!("memory, right after {made} sessions"), server.memory()?);
    tokio::time::sleep(Duration::from_secs(5)).await;
    report::memory("memory, five seconds later", server.memory()?);
    let pages = Load::pages(&server, server.links(&link, LINKS).await?);
    pages.count(CONNECTIONS, SESSIONS / 2).await?;
    report::memory(&format!("memory, after {} first pages more", SESSIONS / 2), server.memory()?);
    server.stop().await
}

/// One request's bytes, ready to be written as they are.
fn request(method: &str, path: &str, headers: &str, body: &str) -> Call {
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{headers}content-length: {length}\r\n\r\n{body}"
    );
    Call::from(text.into_bytes())
}
