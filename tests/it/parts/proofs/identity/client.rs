//! The least of a client, for the proofs of the identity doubles: it builds addresses and redeems codes, and checks
//! nothing.

use crate::parts::identity::{House, Identity, Registered};
use crate::parts::visitor::{Choices, Visitor, Walk};
use base64::Engine;
use serde_json::{Value, json};
use std::collections::HashMap;
use url::Url;

pub const CALLBACK: &str = "http://127.0.0.1:9/callback";
pub const MAIL: &str = "https://mail.google.com/";

/// An application at one of the doubles.
pub struct App {
    pub identity: &'static Identity,
    pub client: Registered,
    house: House,
    /// Microsoft's tenant in the path.
    pub tenant: String,
}

impl App {
    pub async fn at(house: House) -> Self {
        Self::with(house, json!({})).await
    }

    pub async fn with(house: House, settings: Value) -> Self {
        let identity = Identity::shared(house);
        let client = identity.register(&[CALLBACK], settings).await;
        Self { identity, client, house, tenant: "common".to_owned() }
    }

    /// An authorization address; parameters given here win over the usual ones, empty ones are left out.
    pub fn address(&self, params: &[(&str, &str)]) -> String {
        let path = match self.house {
            House::Google => "/o/oauth2/v2/auth".to_owned(),
            House::Microsoft => format!("/{}/oauth2/v2.0/authorize", self.tenant),
        };
        let mut url = Url::parse(&self.identity.at(&path)).unwrap();
        let usual = [
            ("client_id", self.client.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("state", "the-state"),
            ("nonce", "the-nonce"),
        ];
        let kept = usual.iter().filter(|(name, _)| params.iter().all(|(given, _)| given != name));
        let given = params.iter().filter(|(_, value)| !value.is_empty());
        url.query_pairs_mut().extend_pairs(kept.chain(given));
        url.to_string()
    }

    /// Walks with everything granted; the callback's parameters come back.
    pub async fn callback(&self, params: &[(&str, &str)], person: &str) -> HashMap<String, String> {
        self.callback_after(params, person, &Choices::default()).await
    }

    pub async fn callback_after(
        &self,
        params: &[(&str, &str)],
        person: &str,
        choices: &Choices<'_>,
    ) -> HashMap<String, String> {
        fields(&self.identity.consent(&self.address(params), person, choices).await)
    }

    /// The page that a fresh visitor gets stuck at.
    pub async fn stuck(&self, params: &[(&str, &str)], person: &str) -> (u16, String) {
        stuck(&mut self.identity.visitor(), &self.address(params), person).await
    }

    pub fn token_path(&self) -> String {
        match self.house {
            House::Google => "/token".to_owned(),
            House::Microsoft => format!("/{}/oauth2/v2.0/token", self.tenant),
        }
    }

    /// Asks the token endpoint with the right credentials.
    pub async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let credentials = [("client_id", self.client.id.as_str()), ("client_secret", &self.client.secret)];
        self.identity.post(&self.token_path(), &[&credentials[..], form].concat()).await
    }

    pub async fn redeem(&self, code: &str) -> (u16, Value) {
        self.token(&[("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK)]).await
    }

    pub async fn refresh(&self, token: &str) -> (u16, Value) {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// From the address to the tokens.
    pub async fn tokens(&self, params: &[(&str, &str)], person: &str) -> Value {
        let back = self.callback(params, person).await;
        let (status, tokens) = self.redeem(&back["code"]).await;
        assert_eq!(status, 200, "{tokens}");
        tokens
    }

    pub async fn userinfo(&self, token: &str) -> (u16, Value) {
        let path = if self.house == House::Google { "/v1/userinfo" } else { "/oidc/userinfo" };
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let reply =
            self.identity.send("GET", &self.identity.at(path), &headers, "").await.expect("an answer");
        (reply.status, reply.json())
    }
}

pub async fn stuck(visitor: &mut Visitor, address: &str, person: &str) -> (u16, String) {
    match visitor.walk(address, person, &Choices::default()).await {
        Walk::Stuck { status, text } => (status, text),
        Walk::Back(url) => panic!("went back to {url}"),
    }
}

pub fn fields(url: &Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

/// A part of a token: 0 its header, 1 its claims.
pub fn part(token: &Value, number: usize) -> Value {
    let part = token.as_str().expect("a token").split('.').nth(number).expect("its part");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// Whether a reply's scope has these and no others, in any order.
pub fn has_scopes(reply: &Value, scopes: &[&str]) -> bool {
    let mut said: Vec<_> = reply["scope"].as_str().expect("scopes").split(' ').collect();
    let mut wanted = scopes.to_vec();
    said.sort_unstable();
    wanted.sort_unstable();
    said == wanted
}
