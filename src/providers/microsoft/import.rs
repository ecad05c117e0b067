//! A grant that is brought here from elsewhere, proved by renewing it once; the ID token that comes with that says whose
//! it is.

use crate::contract::{Context, Imported, State, Trouble as Failing};
use crate::kernel::secret::Secret;

use super::super::oauth::import;
use super::super::oauth::party::{Redeemed, Unredeemed};
use super::super::oauth::refusal::{Class, Refusal};
use super::aadsts::{self, Trouble};
use super::{Microsoft, SPELLING, VOICE, asking, claims};

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
        // Asked for more than was granted, Microsoft gives nothing: so for as much as is known to be, or all, or the least.
        let said = brought.scopes.as_deref().map(|scopes| self.scope_of(scopes));
        let least = asking(self.wanted.required.iter().map(|scope| &*scope.name));
        let mut proved = self.prove(cx, &brought.refresh, said.as_deref().unwrap_or(&self.scope)).await;
        if said.is_none()
            && let Err(refusal) = &proved
            && matches!(refusal.class, Class::ApprovalRequired | Class::InteractionRequired)
        {
            proved = self.prove(cx, &brought.refresh, &least).await;
        }
        let redeemed = match proved {
            Ok(redeemed) => redeemed,
            Err(refusal) => return refuse(refusal),
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

    async fn prove(&self, cx: &Context, refresh: &Secret, scope: &str) -> Result<Redeemed, Refusal> {
        match self.party.prove(cx, refresh.clone(), &[("scope", scope)]).await {
            Ok(redeemed) => Ok(redeemed),
            Err(Unredeemed::Refused(refusal)) => Err(refusal),
            Err(Unredeemed::Denied(denial)) => {
                aadsts::log(&denial);
                Err(Trouble::from(&*denial).refusal())
            }
        }
    }
}
