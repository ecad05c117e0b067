//! Whose account a sign-in made: a new one, the one that is to be repaired, or somebody else's.

use super::choose::Begun;
use super::releases::Grant;
use super::settle::{Outcome, SignedIn};
use super::{Connect, Details, Result, decode, encode};
use crate::contract::{Connected, Notice, Text, Tone};
use crate::kernel::words::Purpose;
use crate::store::{Account, Attempt, Session};

impl Connect {
    /// Turns a sign-in into an account's row, or into a step that names both accounts when a reconnect ended
    /// with another identity.
    pub(super) async fn recognise(
        &self,
        session: &Session,
        attempt: &Attempt,
        signed: Connected,
    ) -> Result<Outcome> {
        let identity_mark = self.identity_mark(&attempt.provider, &signed.identity);
        let request: super::Request = decode(&session.request)?;
        let finish = request.require_finish.then(|| self.finish_code(session).hash());
        let mut name = request.name;
        let mut name_mark = session.name_mark.clone();
        if let Some(target) = self.target_account(session).await? {
            if target.identity_mark != identity_mark {
                return self.other_identity(session, attempt, &target, &signed).await;
            }
            // A reconnect keeps the name that the account was made with.
            let details: Details = decode(&target.details)?;
            name = details.name;
            name_mark = target.name_mark;
        } else if session.purpose == Purpose::Reconnect {
            self.give_back(self.release(&attempt.provider, &signed.identity, &signed.secret)?).await?;
            return Ok(Outcome::Failed { code: "account_deleted".to_owned() });
        }
        let details = Details { name, identity: signed.identity, profile: signed.profile };
        let slug = &attempt.provider;
        let account = self.new_account(slug, identity_mark, name_mark, &details, &signed.secret)?;
        let release = self.release(slug, &details.identity, &signed.secret)?;
        let secret = encode(&signed.secret)?;
        Ok(Outcome::Connected(Box::new(SignedIn { account, secret, release, finish })))
    }

    async fn target_account(&self, session: &Session) -> Result<Option<Account>> {
        match (session.purpose, &session.account_id) {
            (Purpose::Reconnect, Some(id)) => Ok(self.store.read().await?.account(id).await?),
            _ => Ok(None),
        }
    }

    /// The wrong account was signed in to: both are named, and the person may choose again. What they granted is given
    /// back.
    async fn other_identity(
        &self,
        session: &Session,
        attempt: &Attempt,
        target: &Account,
        signed: &Connected,
    ) -> Result<Outcome> {
        let expected: Details = decode(&target.details)?;
        let mut begun = self.begin(session, &attempt.provider, None, &self.cx.allowance).await?;
        // A sign-in name at another server: the names would read the same.
        let same = expected.profile.label == signed.profile.label;
        let key = if same { "notice.same_label" } else { "notice.wrong_account" };
        let text =
            Text::key(key).with("expected", &*expected.profile.label).with("found", &*signed.profile.label);
        let advice = Some(Text::key(format!("{key}_advice")).with("expected", &*expected.profile.label));
        begun.step.notice =
            Some(Notice { code: "wrong_account".to_owned(), tone: Tone::Refused, text, advice });
        let release = self.release(&attempt.provider, &signed.identity, &signed.secret)?;
        let Begun { step, state, leaving, .. } = begun;
        Ok(Outcome::Step { step, state, leaving: Some(leaving), grant: Grant::unfit(release), chosen: None })
    }
}
