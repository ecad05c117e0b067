//! The audit log: who asked for an account's secret, or brought one here, and what came of it. A line is committed before
//! its caller gets an answer, so that nothing is handed out that nobody could find again.

use super::{Connect, Result};
use crate::kernel::ids::{ApiKeyId, AuditId};
use crate::kernel::words::{AuditAction, AuditOutcome};
use crate::store::{AuditEntry, AuditFilter};

/// The longest id of an account that is written down; every one that exists is shorter.
const LONGEST: usize = 64;

/// Something to be written down.
#[derive(Clone, Debug)]
pub struct Audited<'a> {
    /// What was asked for.
    pub action: AuditAction,
    /// Who asked.
    pub key: &'a ApiKeyId,
    /// About which account, as it was asked.
    pub account: Option<&'a str>,
    /// From where.
    pub address: Option<&'a str>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// Why: a stable code.
    pub cause: Option<&'a str>,
    /// The HTTP request's id.
    pub request: &'a str,
}

impl Connect {
    /// Writes a line; it is committed when this returns.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn write_audit(&self, audited: Audited<'_>) -> Result<()> {
        let at = self.now();
        let entry = AuditEntry {
            id: AuditId::new(at, self.random()),
            at,
            action: audited.action,
            key_id: audited.key.clone(),
            account_id: audited.account.map(|id| id.chars().take(LONGEST).collect()),
            address: audited.address.map(str::to_owned),
            outcome: audited.outcome,
            cause: audited.cause.map(str::to_owned),
            request_id: audited.request.to_owned(),
        };
        Ok(self.store.write(entry, |entry, tx| Box::pin(tx.insert_audit(entry))).await?)
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
