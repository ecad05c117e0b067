//! The audit log: who asked for an account's secret, or brought one here, and what came of it. A line is committed before
//! its caller gets an answer, so that nothing is handed out that nobody could find again.

use std::str::FromStr;

use super::{Connect, Result};
use crate::kernel::ids::{AccountId, ApiKeyId, AuditId};
use crate::kernel::words::{AuditAction, AuditOutcome};
use crate::store::{AuditEntry, AuditFilter};

/// The longest id of an account that is written down; every one that exists is shorter.
const LONGEST: usize = 64;

/// Who asks.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The API key.
    pub key: ApiKeyId,
    /// From where: the client's address.
    pub address: Option<String>,
    /// The HTTP request's id.
    pub request: String,
}

/// Something to be written down.
#[derive(Clone, Copy, Debug)]
pub struct Audited<'a> {
    /// What was asked for.
    pub action: AuditAction,
    /// Who asked.
    pub by: &'a Asker,
    /// About which account, as it was asked.
    pub account: Option<&'a str>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// Why: a stable code.
    pub cause: Option<&'a str>,
}

/// Says in the server's log, too, what was written down.
pub(super) fn say(entry: &AuditEntry) {
    tracing::info!(
        action = entry.action.as_str(),
        key.id = %entry.key_id,
        account.id = entry.account_id.as_deref().filter(|id| AccountId::from_str(id).is_ok()),
        outcome = entry.outcome.as_str(),
        cause = entry.cause.as_deref(),
        request.id = entry.request_id,
        "an entry of the audit log"
    );
}

impl Connect {
    /// Writes a line; it is committed when this returns.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn write_audit(&self, audited: Audited<'_>) -> Result<()> {
        let entry = self.audit_entry(audited);
        self.store.write(entry.clone(), |entry, tx| Box::pin(tx.insert_audit(entry))).await?;
        say(&entry);
        Ok(())
    }

    /// A line to be written together with what it is about.
    pub(super) fn audit_entry(&self, audited: Audited<'_>) -> AuditEntry {
        let (at, by) = (self.now(), audited.by);
        AuditEntry {
            id: AuditId::new(at, self.random()),
            at,
            action: audited.action,
            key_id: by.key.clone(),
            account_id: audited.account.map(|id| id.chars().take(LONGEST).collect()),
            address: by.address.clone(),
            outcome: audited.outcome,
            cause: audited.cause.map(str::to_owned),
            request_id: by.request.clone(),
        }
    }

    /// Lines of the log, newest first; with one more than `limit` when there are more.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn audit(
        &self,
        account: Option<String>,
        key: Option<String>,
        before: Option<String>,
        limit: i64,
    ) -> Result<Vec<AuditEntry>> {
        let filter = AuditFilter { account_id: account, key_id: key, before, limit: limit + 1 };
        Ok(self.store.read().await?.audit(&filter).await?)
    }
}
