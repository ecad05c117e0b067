//! Renewing: a new token for renewing comes with every use and is kept; whether a grant is gone follows from definite
//! words only.

use crate::contract::{Context, Renewed, Trouble as Failing};

use super::super::oauth::grant::Grant;
use super::super::oauth::refusal::Refusal;
use super::super::oauth::tokens::Outcome;
use super::aadsts::{self, Trouble};
use super::{Microsoft, SPELLING, asking};

impl Microsoft {
    /// What of everything that is asked for is among these scopes, in one text.
    pub(super) fn scope_of(&self, granted: &[String]) -> String {
        let absent = self.wanted.absent(granted, SPELLING);
        asking(self.wanted.names().filter(|name| !absent.iter().any(|absent| absent == name)))
    }

    /// Renews a grant, once.
    pub(super) async fn renew_grant(&self, cx: &Context, grant: Grant) -> Result<Renewed, Failing> {
        if grant.client_id != self.party.client_id {
            return Err(Failing::bug("config_client_changed"));
        }
        let refresh = grant.refresh_token.clone().ok_or(Failing::bug("nothing_to_renew"))?;
        let asked = cx.clock.now();
        // What was never granted is not asked for: Microsoft would give nothing at all.
        let scope = self.scope_of(&grant.scopes);
        let more = [("scope", &*scope)];
        match self.party.renew(cx, &refresh, &more).await.map_err(Refusal::trouble)? {
            Outcome::Granted(tokens) => Ok(Renewed::Fresh(grant.renewed(&tokens, asked).write()?)),
            Outcome::Denied(denial) => {
                aadsts::log(&denial);
                let trouble = Trouble::from(&*denial);
                match trouble.gone() {
                    Some(cause) => Ok(Renewed::Gone { cause: cause.to_owned() }),
                    None => Err(trouble.refusal().trouble()),
                }
            }
        }
    }
}
