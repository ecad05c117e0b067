//! A grant that is brought here from elsewhere, proved by renewing it once and by asking Google whose it is.

use crate::contract::{Context, Imported, State, Trouble};

use super::super::oauth::import;
use super::super::oauth::party::Unredeemed;
use super::super::oauth::refusal::Refusal;
use super::{Google, SPELLING, VOICE, claims, sign_in};

impl Google {
    /// Proves a grant that was given to our client elsewhere.
    pub(super) async fn import_grant(&self, cx: &Context, brought: &State) -> Result<Imported, Trouble> {
        let brought = match import::read(brought) {
            Ok(brought) => brought,
            Err(wrong) => return Ok(wrong),
        };
        let refuse = |refusal: Refusal| {
            refusal.log(VOICE.slug);
            import::refused(refusal)
        };
        let redeemed = match self.party.prove(cx, brought.refresh, &[]).await {
            Ok(redeemed) => redeemed,
            Err(Unredeemed::Refused(refusal)) => return refuse(refusal),
            Err(Unredeemed::Denied(denial)) => return refuse(sign_in::refusal(&denial.error)),
        };
        let granted = redeemed.tokens.scopes.as_deref();
        let verdict = match import::fit(&self.wanted, granted, brought.scopes.as_deref(), SPELLING) {
            Ok(verdict) => verdict,
            Err(wrong) => return Ok(wrong),
        };
        let issuer = |claims: &_, _: &_| claims::issuer(claims, &self.places);
        let said = match self.party.judge_renewed(cx, &redeemed, &issuer).await {
            Ok(said) => said,
            Err(refusal) => return refuse(refusal),
        };
        match claims::person(cx, &self.places, &redeemed.tokens, said.as_ref()).await {
            Ok(person) => Ok(Imported::Connected(Box::new(self.connected(&redeemed, person, &verdict)?))),
            Err(refusal) => refuse(refusal),
        }
    }
}
