//! `vestibule sessions`.

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::{Value, json};
use vestibule::connect::SessionView;
use vestibule::kernel::clock::Millis;
use vestibule::kernel::ids::SessionId;
use vestibule::kernel::reference::Reference;

/// List and show sessions.
#[derive(Subcommand)]
pub enum Sessions {
    /// List sessions, newest first.
    List(super::Listed),
    /// Show one session and what happened in it.
    Show {
        /// Its id, or the reference that its pages showed, such as 7Q4K-M2XD.
        id: String,
    },
}

/// Runs it.
pub async fn run(verb: Sessions) -> anyhow::Result<()> {
    let core = super::quiet_core().await?;
    match verb {
        Sessions::List(super::Listed { name, limit }) => {
            let mut found = core.connect.sessions(None, name.as_deref(), None, i64::from(limit)).await?;
            found.truncate(limit as usize);
            super::print(&Value::Array(found.iter().map(show).collect()))
        }
        Sessions::Show { id } => {
            let view = match (id.parse::<SessionId>(), Reference::parse(&id)) {
                (Ok(id), _) => core.connect.session(&id).await?,
                (Err(_), Some(reference)) => core.connect.session_by_reference(&reference).await.with_context(|| {
                    format!("no session has the reference {reference}; a page without a session left it in the log alone")
                })?,
                (Err(_), None) => bail!(
                    "{id} is neither a session's id ({}…) nor a reference such as 7Q4K-M2XD",
                    SessionId::PREFIX
                ),
            };
            let mut shown = show(&view);
            let events = core.connect.timeline(&view.session.id).await?;
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
        "reference": Reference::of_session(&session.id).to_string(),
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
