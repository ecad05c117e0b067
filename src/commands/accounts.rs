//! `vestibule accounts`.

use clap::Subcommand;
use serde_json::{Value, json};
use vestibule::connect::AccountView;

/// List, show and delete accounts.
#[derive(Subcommand)]
pub enum Accounts {
    /// List accounts, oldest first.
    List(super::Listed),
    /// Show one account.
    Show {
        /// Its id.
        id: String,
    },
    /// Delete an account and its secret for good.
    Delete {
        /// Its id.
        id: String,
    },
}

/// Runs it.
pub async fn run(verb: Accounts) -> anyhow::Result<()> {
    let core = super::quiet_core().await?;
    match verb {
        Accounts::List(super::Listed { name, limit }) => {
            let mut found = core.connect.accounts(name.as_deref(), None, i64::from(limit)).await?;
            found.truncate(limit as usize);
            super::print(&json!(found.iter().map(show).collect::<Vec<_>>()))
        }
        Accounts::Show { id } => super::print(&show(&core.connect.account(&id.parse()?).await?)),
        Accounts::Delete { id } => Ok(core.connect.delete_account(&id.parse()?).await?),
    }
}

fn show(account: &AccountView) -> Value {
    json!({
        "id": account.id,
        "provider": account.provider,
        "label": account.profile.label,
        "status": account.status,
        "cause": account.cause,
        "name": account.name,
        "details": account.profile.details,
        "created_at": account.created_at.rfc3339(),
        "updated_at": account.updated_at.rfc3339(),
        "status_at": account.status_at.rfc3339(),
    })
}
