//! `vestibule audit`.

use clap::Subcommand;
use serde_json::json;
use vestibule::store::AuditEntry;

/// Show who had to do with accounts' secrets.
#[derive(Subcommand)]
pub enum Audit {
    /// List lines of the audit log, newest first.
    List {
        /// Only those about this account.
        #[arg(long)]
        account: Option<String>,
        /// Only those of this API key, by its id.
        #[arg(long)]
        key: Option<String>,
        /// Only those older than this line.
        #[arg(long)]
        before: Option<String>,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
}

/// Runs it.
pub async fn run(Audit::List { account, key, before, limit }: Audit) -> anyhow::Result<()> {
    let core = super::quiet_core().await?;
    let mut found = core.connect.audit(account, key, before, i64::from(limit)).await?;
    found.truncate(limit as usize);
    let show = |entry: &AuditEntry| {
        json!({
            "id": entry.id,
            "at": entry.at.rfc3339(),
            "action": entry.action,
            "key": entry.key_id,
            "account": entry.account_id,
            "address": entry.address,
            "outcome": entry.outcome,
            "cause": entry.cause,
            "request": entry.request_id,
        })
    };
    super::print(&json!(found.iter().map(show).collect::<Vec<_>>()))
}
