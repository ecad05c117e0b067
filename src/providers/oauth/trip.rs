//! A person's way to the provider's pages and back: what is remembered between, and the address they are sent to. Every
//! departure has its own `state`, nonce and PKCE verifier, so that what comes back fits one departure only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::contract::{Begin, Context, State, Target, Trouble};
use crate::kernel::random::{Token, hash};
use crate::kernel::secret::Secret;

use super::json;

/// What is remembered from step to step; sealed by the engine.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Place {
    /// The form this is written in.
    pub version: u32,
    /// The address that is probably meant.
    pub hint: Option<String>,
    /// The account to repair, as people know it.
    pub repairs: Option<String>,
    /// The part of the provider that the account to repair belongs to.
    pub tenant: Option<String>,
    /// Whether to ask for consent even where it was given before.
    pub consent: bool,
    /// What the provider wants to ask next time, in its own words.
    pub claims: Option<String>,
    /// The way the person is on.
    pub trip: Option<Trip>,
}

/// One departure.
#[derive(Debug, Serialize, Deserialize)]
pub struct Trip {
    /// Proves that the code is redeemed by whoever asked for it (RFC 7636).
    pub verifier: Secret,
    /// Ties the ID token to this departure.
    pub nonce: Secret,
    /// Who is expected to answer.
    pub issuer: String,
    /// Where the answer comes to; repeated when the code is redeemed.
    pub callback: String,
}

impl Place {
    /// The first one of an attempt.
    pub fn begin(begin: &Begin) -> Self {
        let address = begin.target.as_ref().map(|target| target.profile.text("address"));
        let address = address.filter(|address| !address.is_empty()).or(begin.email.as_deref());
        let tenant = begin.target.as_ref().map(|target| target.profile.text("tenant"));
        Self {
            version: 1,
            hint: address.and_then(json::address),
            repairs: begin.target.as_ref().map(|Target { profile, .. }| profile.label.clone()),
            tenant: tenant.filter(|tenant| !tenant.is_empty()).map(str::to_owned),
            consent: begin.force_consent,
            claims: None,
            trip: None,
        }
    }

    /// Reads one back.
    ///
    /// # Errors
    /// When the state is not one of ours.
    pub fn read(state: State) -> Result<Self, Trouble> {
        state.read()
    }

    /// Writes it.
    ///
    /// # Errors
    /// None that could happen; plain values always become JSON.
    pub fn write(&self) -> Result<State, Trouble> {
        State::of(self)
    }
}

/// What a departure asks for.
#[derive(Debug)]
pub struct Request<'a> {
    /// The provider's page.
    pub page: &'a Url,
    /// Our id there.
    pub client_id: &'a str,
    /// Who is expected to answer.
    pub issuer: &'a str,
    /// Every scope, separated by spaces.
    pub scope: &'a str,
    /// What this provider wants besides.
    pub more: &'a [(&'a str, &'a str)],
}

impl Trip {
    /// Sets out: what to remember, and where to go.
    ///
    /// # Errors
    /// When there is no way back, which is our own mistake.
    pub fn depart(cx: &Context, request: &Request<'_>) -> Result<(Self, Url), Trouble> {
        let state = cx.returns.state.as_ref().ok_or(Trouble::bug("no_way_back"))?;
        let verifier = URL_SAFE_NO_PAD.encode(cx.random.bytes::<48>());
        let nonce = Token::new(&cx.random);
        let mut url = request.page.clone();
        let plain = [
            ("client_id", request.client_id),
            ("redirect_uri", &cx.returns.callback),
            ("response_type", "code"),
            ("scope", request.scope),
            ("state", state.reveal()),
            ("nonce", nonce.reveal()),
            ("code_challenge", &hash(&verifier)),
            ("code_challenge_method", "S256"),
        ];
        url.query_pairs_mut().clear().extend_pairs(plain).extend_pairs(request.more);
        let trip = Self {
            verifier: Secret::new(verifier),
            nonce: Secret::new(nonce.reveal()),
            issuer: request.issuer.to_owned(),
            callback: cx.returns.callback.clone(),
        };
        Ok((trip, url))
    }
}
