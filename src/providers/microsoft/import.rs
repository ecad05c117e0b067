//! A grant that is brought here from elsewhere, proved by renewing it once; the ID token that comes with that says whose
//! it is.

use crate::contract::{Context, Imported, State, Trouble as Failing};

use super::super::oauth::import;
use super::super::oauth::party::Unredeemed;
use super::super::oauth::refusal::Refusal;
use super::aadsts::{self, Trouble};
use super::{Microsoft, SPELLING, VOICE, claims};

impl Microsoft {
    /// Proves a grant that was given to our client elsewhere.
    pub(super) async fn import_grant(&self, cx: &Context, brought: &State) -> Result<Imported, Failing> {
        let brought = match import::read(brought) {
            Ok(brought) => brought,
            Err(wrong) => return Ok(wrong),
        };
        let refuse = |refusal: Refusal| {
            refusal.log(VOICE.slug);
            import::refused(refusal)
        };
        let redeemed = match self.party.prove(cx, brought.refresh, &[("scope", &*self.scope)]).await {
            Ok(redeemed) => redeemed,
            Err(Unredeemed::Refused(refusal)) => return refuse(refusal),
            Err(Unredeemed::Denied(denial)) => {
                aadsts::log(&denial);
                return refuse(Trouble::from(&*denial).refusal());
            }
        };
        let granted = redeemed.tokens.scopes.as_deref();
        let verdict = match import::fit(&self.wanted, granted, brought.scopes.as_deref(), SPELLING) {
            Ok(verdict) => verdict,
            Err(wrong) => return Ok(wrong),
        };
        let issuer = |claims: &_, key: &_| claims::issuer_of(claims, key, &self.party.issuer, &self.tenant);
        let said = match self.party.judge_renewed(cx, &redeemed, &issuer).await {
            Ok(Some(said)) => claims::person(&said),
            Ok(None) => Err(Refusal::invalid("id_token_missing")),
            Err(refusal) => Err(refusal),
        };
        match said {
            Ok(person) => Ok(Imported::Connected(Box::new(self.connected(&redeemed, person, &verdict)?))),
            Err(refusal) => refuse(refusal),
        }
    }
}
