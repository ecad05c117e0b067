//! `vestibule keys`.

use anyhow::ensure;
use clap::Subcommand;
use serde_json::json;
use vestibule::connect::{AUDIT, CREDENTIALS, MANAGE};
use vestibule::kernel::clock::Millis;

/// Make, list and revoke API keys.
#[derive(Subcommand)]
pub enum Keys {
    /// Make a key; it is printed this once, alone on standard output.
    Create {
        /// What to call it.
        #[arg(long)]
        name: String,
        /// Also let it read credentials of accounts.
        #[arg(long)]
        credentials: bool,
        /// Also let it read the audit log.
        #[arg(long)]
        audit: bool,
        /// Do not let it make links or manage accounts: for a key that only reads.
        #[arg(long)]
        no_manage: bool,
    },
    /// List keys, without the keys themselves.
    List,
    /// End a key at once.
    Revoke {
        /// The key's id, as listed.
        id: String,
    },
}

/// Runs it.
pub async fn run(verb: Keys) -> anyhow::Result<()> {
    let core = super::quiet_core().await?;
    match verb {
        Keys::Create { name, credentials, audit, no_manage } => {
            let all = [(MANAGE, !no_manage), (CREDENTIALS, credentials), (AUDIT, audit)];
            let scopes: Vec<_> = all.into_iter().filter(|(_, has)| *has).map(|(scope, _)| scope).collect();
            ensure!(!scopes.is_empty(), "--no-manage leaves nothing; give --credentials or --audit with it");
            println!("{}", core.connect.create_key(&name, &scopes).await?.text.reveal());
            Ok(())
        }
        Keys::List => {
            let keys = core.connect.keys().await?;
            let show = |key: &vestibule::store::ApiKey| {
                json!({
                    "id": key.id,
                    "name": key.name,
                    "scopes": key.scopes,
                    "created_at": key.created_at.rfc3339(),
                    "revoked_at": key.revoked_at.map(Millis::rfc3339),
                })
            };
            super::print(&json!(keys.iter().map(show).collect::<Vec<_>>()))
        }
        Keys::Revoke { id } => Ok(core.connect.revoke_key(&id.parse()?).await?),
    }
}
