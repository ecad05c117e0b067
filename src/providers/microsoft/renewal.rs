//! Renewing: a new token for renewing comes with every use and is kept; whether a grant is gone follows from definite
//! words only.

use crate::contract::{Actor, Context, Renewed, Trouble as Failing};

use super::super::oauth::grant::{Grant, another_client};
use super::super::oauth::refusal::Refusal;
use super::super::oauth::tokens::Outcome;
use super::Microsoft;
use super::aadsts::{self, Trouble};

impl Microsoft {
    /// Renews a grant, once.
    pub(super) async fn renew_grant(&self, cx: &Context, grant: Grant) -> Result<Renewed, Failing> {
        if grant.client_id != self.party.client_id {
            return Ok(another_client());
        }
        let refresh = grant.refresh_token.clone().ok_or(Failing::bug("nothing_to_renew"))?;
        let asked = cx.clock.now();
        let more = [("scope", &*self.scope)];
        match self.party.renew(cx, &refresh, &more).await.map_err(Refusal::trouble)? {
            Outcome::Granted(tokens) => Ok(Renewed::Fresh(grant.renewed(&tokens, asked).write()?)),
            Outcome::Denied(denial) => {
                aadsts::log(&denial);
                let trouble = Trouble::from(&*denial);
                match trouble.gone() {
                    Some(cause) => {
                        let administered = matches!(cause, "policy_blocked" | "account_blocked");
                        let actor = if administered { Actor::Admin } else { Actor::Person };
                        Ok(Renewed::Gone { cause: cause.to_owned(), actor })
                    }
                    None => Err(trouble.refusal().trouble()),
                }
            }
        }
    }
}
