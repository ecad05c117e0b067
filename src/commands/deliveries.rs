//! `vestibule deliveries` and `vestibule webhooks`: the calls to the backend.

use anyhow::anyhow;
use clap::Subcommand;
use serde_json::{Value, json};
use vestibule::connect::{DeliveryQuery, DeliveryView};
use vestibule::kernel::clock::Millis;
use vestibule::kernel::words::DeliveryState;
use vestibule::store::Try;

/// List deliveries and send one once more.
#[derive(Subcommand)]
pub enum Deliveries {
    /// List deliveries, newest first, with their tries.
    List {
        /// Only those that are due, done or dead.
        #[arg(long)]
        state: Option<String>,
        /// Only those about this account or session.
        #[arg(long)]
        about: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Send a delivery once more, with the same id and the same bytes.
    Replay {
        /// Its id.
        id: String,
    },
}

/// The signing of calls.
#[derive(Subcommand)]
pub enum Webhooks {
    /// Print the secret, alone on standard output.
    Secret,
}

/// Runs it.
pub async fn run(verb: Deliveries) -> anyhow::Result<()> {
    let core = super::quiet_core().await?;
    match verb {
        Deliveries::List { state, about, limit } => {
            let read = |word: String| {
                DeliveryState::parse(&word)
                    .ok_or_else(|| anyhow!("--state must be due, done or dead, not {word}"))
            };
            let state = state.map(read).transpose()?;
            let query = DeliveryQuery { state, subject: about, endpoint: None };
            let mut found = core.connect.deliveries(query, None, i64::from(limit)).await?;
            found.truncate(limit as usize);
            super::print(&json!(found.iter().map(show).collect::<Vec<_>>()))
        }
        Deliveries::Replay { id } => Ok(core.connect.replay(&id.parse()?).await?),
    }
}

/// Runs it.
pub async fn webhooks(Webhooks::Secret: Webhooks) -> anyhow::Result<()> {
    let core = super::quiet_core().await?;
    println!("{}", core.connect.signing_secret().await?.reveal());
    Ok(())
}

fn show(view: &DeliveryView) -> Value {
    let delivery = &view.delivery;
    json!({
        "id": delivery.id,
        "event": view.event.as_ref().map(|event| event.kind),
        "about": delivery.subject,
        "endpoint": delivery.endpoint_id,
        "state": delivery.state,
        "due_at": delivery.due_at.rfc3339(),
        "created_at": delivery.created_at.rfc3339(),
        "ended_at": delivery.ended_at.map(Millis::rfc3339),
        "tries": view.tries.iter().map(tried).collect::<Vec<_>>(),
    })
}

fn tried(tried: &Try) -> Value {
    json!({
        "at": tried.at.rfc3339(),
        "took_ms": tried.took,
        "status": tried.status,
        "problem": tried.problem,
        "answer": tried.answer.as_ref().map(|answer| String::from_utf8_lossy(answer).into_owned()),
    })
}
