//! `vestibule sessions`.

use clap::Subcommand;
use serde_json::{Value, json};
use vestibule::connect::SessionView;
use vestibule::kernel::clock::Millis;
use vestibule::kernel::ids::SessionId;

/// List and show sessions.
#[derive(Subcommand)]
pub enum Sessions {
    /// List sessions, newest first.
    List {
        /// Only those made under this name.
        #[arg(long)]
        name: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one session and what happened in it.
    Show {
        /// Its id.
        id: String,
    },
}

/// Runs it.
pub async fn run(verb: Sessions) -> anyhow::Result<()> {
    let core = super::quiet_core().await?;
    match verb {
        Sessions::List { name, limit } => {
            let mut found = core.connect.sessions(None, name.as_deref(), None, i64::from(limit)).await?;
            found.truncate(limit as usize);
            super::print(&Value::Array(found.iter().map(show).collect()))
        }
        Sessions::Show { id } => {
            let id: SessionId = id.parse()?;
            let mut shown = show(&core.connect.session(&id).await?);
            let events = core.connect.timeline(&id).await?;
            let event = |event: &vestibule::store::Event| json!({ "at": event.at.rfc3339(), "kind": event.kind, "facts": event.facts });
            shown["events"] = Value::Array(events.iter().map(event).collect());
            super::print(&shown)
        }
    }
}

/// A session without anything secret.
fn show(view: &SessionView) -> Value {
    let session = &view.session;
    json!({
        "id": session.id,
        "dialect": session.dialect,
        "purpose": session.purpose,
        "state": view.state,
        "cause": session.cause,
        "account_id": session.account_id,
        "providers": session.providers,
        "created_at": session.created_at.rfc3339(),
        "expires_at": session.expires_at.rfc3339(),
        "ended_at": session.ended_at.map(Millis::rfc3339),
    })
}
