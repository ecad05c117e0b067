//! Accounts that are brought here from elsewhere: proved at their provider, stored like any other, and told of. What does
//! not pass is forgotten where it stands: it may be in use where it comes from, so nothing of it is given back.

use std::time::Duration;

use zeroize::Zeroizing;

use super::audit::{Asker, Audited, say};
use super::repeats::Turn;
use super::{Broken, Connect, Details, Error, Result, encode};
use crate::contract::{Actor, Brought, Connected, Context, Imported, Trouble};
use crate::kernel::clock::Millis;
use crate::kernel::figures::figures;
use crate::kernel::ids::AccountId;
use crate::kernel::words::{AuditAction, AuditOutcome, EventKind, Status};
use crate::store::{self, Account, AccountUpdate, AuditEntry, Tx};

/// How many accounts may be being proved at once on this node. The rest wait for their turn.
pub(super) const AT_ONCE: usize = 16;
/// How long for.
const QUEUE: Duration = Duration::from_secs(15);
/// How long proving one may take; with the wait for its turn shorter than a turn under an idempotency key.
const CALL: Duration = Duration::from_secs(60);

/// An account to be brought here.
#[derive(Clone, Debug)]
pub struct Import {
    /// The provider's slug.
    pub provider: String,
    /// The product's own name for the person.
    pub name: Option<String>,
    /// What signs in to it, in the provider's documented shape.
    pub credentials: Brought,
    /// Who brings it, for the audit log.
    pub by: Asker,
}

/// An account that was brought here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedAccount {
    /// Its id.
    pub id: AccountId,
    /// Its provider's slug.
    pub provider: String,
    /// What a person would call it.
    pub label: String,
    /// Whether it is new; otherwise the account that the same name connected to the same identity before was renewed.
    pub created: bool,
}

/// A turn to be ended with the reply that is made of the account.
pub type Replying = (Turn, fn(&ImportedAccount) -> Result<Zeroizing<Vec<u8>>>);

/// What was proved, ready to be written.
struct Keeping {
    account: Account,
    label: String,
    secret: Zeroizing<Vec<u8>>,
    began: Millis,
    turn: Option<Replying>,
    /// For the audit log, without the account.
    line: AuditEntry,
}

impl Connect {
    /// Brings an account here, once it is proved. With `turn` its reply is kept in the same transaction, for the call to
    /// come again; the line in the audit log is in any case. What was refused is its caller's to write down. It is to be
    /// run to its end: what the provider gives in exchange is to be had once.
    ///
    /// # Errors
    /// `Invalid` (fields `name`, `provider` and those below `credentials`), `NoProvider`, `NoAnswer` when the provider gave
    /// no definite answer or too many are under way, `Conflict`, `Unavailable`.
    pub async fn import(&self, new: Import, turn: Option<Replying>) -> Result<ImportedAccount> {
        if self.provider(&new.provider).is_err() {
            let why = self.absent.get(&new.provider).copied().unwrap_or(super::Absence::NotBuilt);
            return Err(Error::NoProvider(vec![(new.provider, why)]));
        }
        let turn_came = tokio::time::timeout(QUEUE, self.imports.clone().acquire_owned()).await;
        let Ok(Ok(_permit)) = turn_came else { return Err(Error::NoAnswer("too_many_imports")) };
        let Import { provider: slug, name, credentials, by } = new;
        let provider = self.provider(&slug)?.clone();
        let cx: Context = self.cx.clone();
        let (began, since) = (self.now(), tokio::time::Instant::now());
        let asked = tokio::time::timeout(CALL, provider.import(&cx, credentials)).await;
        figures().provider(&slug, since.elapsed());
        let outcome = |outcome, code| figures().outcome(&slug, outcome, code);
        match asked.unwrap_or(Err(Trouble { code: "timeout", actor: Actor::Nobody })) {
            Ok(Imported::Connected(signed)) => {
                let kept = self.keep_import(&slug, name, *signed, began, (turn, by)).await?;
                outcome("imported", "");
                tracing::info!(account.id = %kept.id, provider = slug, created = kept.created, "an account was imported");
                Ok(kept)
            }
            Ok(Imported::Unfit(unfit)) => {
                outcome("import_refused", "");
                let broken = unfit.into_iter().map(|one| Broken { field: one.field, rule: one.rule });
                Err(Error::Invalid(broken.collect()))
            }
            Err(trouble) => {
                outcome("import_failed", trouble.code);
                tracing::warn!(provider = slug, cause = trouble.code, "an account could not be imported yet");
                Err(Error::NoAnswer(trouble.code))
            }
        }
    }

    async fn keep_import(
        &self,
        slug: &str,
        name: Option<String>,
        signed: Connected,
        began: Millis,
        (turn, by): (Option<Replying>, Asker),
    ) -> Result<ImportedAccount> {
        let Connected { identity, profile, secret } = signed;
        let (label, identity_mark) = (profile.label.clone(), self.identity_mark(slug, &identity));
        let name_mark = name.as_deref().map(|name| self.name_mark(name));
        let details = Details { name, identity, profile };
        let account = self.new_account(slug, identity_mark, name_mark, &details, &secret)?;
        let line = self.audit_entry(Audited {
            action: AuditAction::AccountImport,
            by: &by,
            account: None,
            outcome: AuditOutcome::Done,
            cause: None,
        });
        let keeping =
            std::sync::Arc::new(Keeping { account, label, secret: encode(&secret)?, began, turn, line });
        // Twice at the same moment: the second round finds the account that the other one made.
        for _ in 0..3 {
            let kept = self.store.write(keeping.clone(), |keeping, tx| Box::pin(keep(keeping, tx))).await;
            match kept {
                Ok(Kept::Done(account)) => {
                    say(&keeping.line_about(&account.id));
                    return Ok(account);
                }
                // A grant of the same person is being ended at this moment, and this one with it.
                Ok(Kept::Ending) => return Err(Error::NoAnswer("grant_ending")),
                Ok(Kept::Unsaid(error)) => return Err(error),
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Conflict)
    }
}

impl Keeping {
    fn line_about(&self, account: &AccountId) -> AuditEntry {
        AuditEntry { account_id: Some(account.to_string()), ..self.line.clone() }
    }
}

/// What became of writing it down.
enum Kept {
    Done(ImportedAccount),
    Ending,
    /// Its reply could not be made.
    Unsaid(Error),
}

async fn keep(keeping: &Keeping, tx: &mut Tx) -> store::Result<Kept> {
    let fresh = &keeping.account;
    if !tx.keep_grants(&fresh.provider, &fresh.identity_mark, keeping.began).await? {
        return Ok(Kept::Ending);
    }
    let known = match &fresh.name_mark {
        Some(name) => tx.account_by_identity(&fresh.provider, &fresh.identity_mark, name).await?,
        None => None,
    };
    let done = |id: AccountId, created| ImportedAccount {
        id,
        provider: fresh.provider.clone(),
        label: keeping.label.clone(),
        created,
    };
    let done = done(known.as_ref().unwrap_or(fresh).id.clone(), known.is_none());
    let reply = match &keeping.turn {
        Some((turn, reply)) => match reply(&done) {
            Ok(reply) => Some((turn, reply)),
            Err(error) => return Ok(Kept::Unsaid(error)),
        },
        None => None,
    };
    match known {
        Some(account) => {
            let (details, secret) = (fresh.details.clone(), keeping.secret.clone());
            let works = AccountUpdate {
                status: Status::Ok,
                cause: None,
                details,
                secret,
                at: fresh.created_at,
                watch: fresh.watch.clone(),
            };
            tx.update_account(&account.id, account.version, &works).await?;
        }
        None => tx.insert_account(fresh, &keeping.secret).await?,
    }
    let facts = [("provider", &*fresh.provider), ("cause", "imported")];
    tx.append_account_event(&done.id, EventKind::AccountConnected, &facts).await?;
    tx.insert_audit(&keeping.line_about(&done.id)).await?;
    if let Some((turn, reply)) = reply {
        turn.finish_alone(&reply, tx).await?;
    }
    Ok(Kept::Done(done))
}
