//! Us as one provider knows us: our id and secret there, the addresses that go with them, and what is done at each.

use std::sync::Arc;

use url::Url;

use crate::contract::{Answer, Context, State, Step, Trouble};
use crate::kernel::clock::Millis;
use crate::kernel::secret::Secret;

use super::callback::{self, Brought};
use super::id_token::{self, Claims, Expected};
use super::keys::{KeySet, Keys};
use super::metadata::Metadata;
use super::refusal::Refusal;
use super::tokens::{self, Outcome, Tokens};
use super::trip::{Place, Request, Trip};

/// Us at one provider.
#[derive(Debug)]
pub struct Party {
    /// Our id there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: Secret,
    /// Where people sign in.
    pub page: Url,
    /// Where codes become tokens.
    pub token: Url,
    /// Its public keys.
    pub keys: Keys,
    /// Where it announces whether it names itself in what people bring back; `None` where it is known that it does not.
    pub metadata: Option<Metadata>,
    /// Whom people bring that name from.
    pub issuer: String,
}

/// Tokens, and when they were asked for.
#[derive(Debug)]
pub struct Redeemed {
    /// The tokens.
    pub tokens: Tokens,
    /// When they were asked for.
    pub asked: Millis,
    /// The keys that were at hand.
    pub keys: Arc<KeySet>,
}

/// Why a code gave no tokens.
#[derive(Debug)]
pub enum Unredeemed {
    /// The provider said no; its own reading decides what that means.
    Denied(Box<tokens::Denial>),
    /// There was no definite answer, or one that is not accepted.
    Refused(Refusal),
}

impl From<Refusal> for Unredeemed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Party {
    /// Sends somebody on their way with this step, which gets the address; `place` remembers the way.
    ///
    /// # Errors
    /// When there is no way back, which is our own mistake.
    pub fn leave(
        &self,
        cx: &Context,
        mut place: Place,
        mut step: Step,
        scope: &str,
        more: &[(&str, &str)],
    ) -> Result<(Box<Step>, State), Trouble> {
        let request =
            Request { page: &self.page, client_id: &self.client_id, issuer: &self.issuer, scope, more };
        let (trip, url) = Trip::depart(cx, &request)?;
        step.url = Some(url.into());
        place.trip = Some(trip);
        Ok((Box::new(step), place.write()?))
    }

    /// Reads what somebody brought back from their way.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn read(&self, cx: &Context, trip: &Trip, answer: &Answer) -> Result<Brought, Refusal> {
        let brought = callback::read(answer, &trip.issuer)?;
        // An error is only shown; nothing is sent anywhere because of it.
        if let (Brought::Code { named: false, .. }, Some(metadata)) = (&brought, &self.metadata)
            && metadata.names_itself(cx).await?
        {
            return Err(Refusal::invalid("callback_iss_missing"));
        }
        Ok(brought)
    }

    /// Redeems a code, once. The keys are fetched first, so that a sign-in that could not be judged is not begun.
    ///
    /// # Errors
    /// Why there are no tokens.
    pub async fn redeem(
        &self,
        cx: &Context,
        trip: &Trip,
        code: &Secret,
        more: &[(&str, &str)],
    ) -> Result<Redeemed, Unredeemed> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.reveal()),
            ("redirect_uri", &trip.callback),
            ("code_verifier", trip.verifier.reveal()),
        ];
        self.exchange(cx, &[&form, more].concat()).await
    }

    async fn exchange(&self, cx: &Context, form: &[(&str, &str)]) -> Result<Redeemed, Unredeemed> {
        let keys = self.keys.get(cx).await?;
        let asked = cx.clock.now();
        match self.ask(cx, form).await? {
            Outcome::Granted(tokens) => Ok(Redeemed { tokens: *tokens, asked, keys }),
            Outcome::Denied(denial) => Err(Unredeemed::Denied(denial)),
        }
    }

    /// Renews, once.
    ///
    /// # Errors
    /// Why there is no definite answer.
    pub async fn renew(
        &self,
        cx: &Context,
        with: &Secret,
        more: &[(&str, &str)],
    ) -> Result<Outcome, Refusal> {
        self.ask(cx, &[&renewing(with), more].concat()).await
    }

    /// Asks the token endpoint as ourselves.
    ///
    /// # Errors
    /// Why there is no definite answer.
    pub async fn ask(&self, cx: &Context, form: &[(&str, &str)]) -> Result<Outcome, Refusal> {
        self.ask_at(cx, &self.token, form).await
    }

    /// Asks another of its token endpoints, which settings or constants name.
    ///
    /// # Errors
    /// Why there is no definite answer.
    pub async fn ask_at(&self, cx: &Context, url: &Url, form: &[(&str, &str)]) -> Result<Outcome, Refusal> {
        let us = [("client_id", &*self.client_id), ("client_secret", self.client_secret.reveal())];
        tokens::ask(cx, url, &[form, &us].concat()).await
    }

    /// Judges the ID token that came with the tokens.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn judge(
        &self,
        cx: &Context,
        trip: &Trip,
        redeemed: &Redeemed,
        issuer: &(dyn Fn(&Claims, &super::keys::Key) -> Result<(), Refusal> + Sync),
    ) -> Result<Claims, Refusal> {
        let claims = self.claims(cx, Some(trip.nonce.reveal()), redeemed, issuer).await?;
        claims.ok_or(Refusal::invalid("id_token_missing"))
    }

    async fn claims(
        &self,
        cx: &Context,
        nonce: Option<&str>,
        redeemed: &Redeemed,
        issuer: &(dyn Fn(&Claims, &super::keys::Key) -> Result<(), Refusal> + Sync),
    ) -> Result<Option<Claims>, Refusal> {
        let Some(token) = &redeemed.tokens.id_token else { return Ok(None) };
        let expected = Expected { client_id: &self.client_id, nonce, issuer };
        let keys = Arc::clone(&redeemed.keys);
        id_token::judge(cx, &self.keys, keys, token.reveal(), &expected).await.map(Some)
    }

    /// Proves a refresh token that was given to us elsewhere by renewing with it once. What comes back carries it on.
    ///
    /// # Errors
    /// Why there are no tokens.
    pub async fn prove(
        &self,
        cx: &Context,
        refresh: Secret,
        more: &[(&str, &str)],
    ) -> Result<Redeemed, Unredeemed> {
        let mut proved = self.exchange(cx, &[&renewing(&refresh), more].concat()).await?;
        proved.tokens.refresh.get_or_insert(refresh);
        Ok(proved)
    }

    /// Judges the ID token that came with a renewal; `None` where none came. Nobody was sent to sign in, so that it is
    /// about no sign-in of ours (OpenID Connect Core 12.2).
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn judge_renewed(
        &self,
        cx: &Context,
        redeemed: &Redeemed,
        issuer: &(dyn Fn(&Claims, &super::keys::Key) -> Result<(), Refusal> + Sync),
    ) -> Result<Option<Claims>, Refusal> {
        self.claims(cx, None, redeemed, issuer).await
    }
}

/// What a token for renewing is sent as.
fn renewing(with: &Secret) -> [(&'static str, &str); 2] {
    [("grant_type", "refresh_token"), ("refresh_token", with.reveal())]
}
