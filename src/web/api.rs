//! What both public APIs share: the key, the body, and errors as envelopes.

use std::net::IpAddr;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderValue, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::extract::body;
use super::front::RequestId;
use super::limits::Client;
use super::{Web, wizard};
use crate::connect::{AUDIT, Absence, AccountView, Asker, CREDENTIALS, Error, MANAGE};
use crate::dialects::envelope::{Envelope, Kind};
use crate::dialects::health::Health;
use crate::kernel::ids::ApiKeyId;
use crate::pages::ProblemKind;

/// The largest body an API call may have.
const LARGEST: usize = 256 * 1024;

/// How a dialect spells what the core has words of its own for.
pub(super) struct Spelling {
    /// Fields.
    pub(super) field: fn(&'static str) -> &'static str,
    /// Providers, from their slugs.
    pub(super) provider: fn(&str) -> String,
}

/// The core's own words, for routes of neither dialect.
pub(super) const PLAIN: Spelling = Spelling { field: |name| name, provider: str::to_owned };

/// A refusal on its way out.
pub(super) struct Refused(Option<RequestId>, Box<Envelope>);

impl Refused {
    /// What is said.
    pub(super) fn envelope(&self) -> &Envelope {
        &self.1
    }
}

/// Says no.
pub(super) fn refused(id: Option<&RequestId>, envelope: Envelope) -> Refused {
    Refused(id.cloned(), Box::new(envelope))
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(id, mut envelope) = self;
        envelope.instance = id.map(|id| id.0);
        let status = StatusCode::from_u16(envelope.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let wait = envelope.retry_after;
        let mut response = (status, Json(envelope)).into_response();
        if let Some(wait) = wait {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
        }
        response
    }
}

/// A caller whose key was checked and may manage sessions and accounts.
#[derive(Clone)]
pub(super) struct Caller {
    /// The request's id.
    pub(super) request: RequestId,
    /// Its key's id.
    pub(super) key: ApiKeyId,
    /// From where it calls.
    pub(super) address: Option<IpAddr>,
}

impl Caller {
    /// Who that is, for the audit log.
    pub(super) fn asker(&self) -> Asker {
        let address = self.address.map(|address| address.to_string());
        Asker { key: self.key.clone(), address, request: self.request.0.clone() }
    }

    /// Says no to this caller.
    pub(super) fn refuse(&self, envelope: Envelope) -> Refused {
        Refused(Some(self.request.clone()), Box::new(envelope))
    }

    /// Turns a use case's error into an envelope.
    pub(super) fn fail(&self, error: Error, spelling: &Spelling) -> Refused {
        self.refuse(envelope(error, spelling, &self.request))
    }
}

impl FromRequestParts<Web> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Refused> {
        let known = Known::from_request_parts(parts, web).await?;
        known.allowed(MANAGE)?;
        Ok(known.caller)
    }
}

/// A caller whose key exists. What it may do is still to be asked, so that whoever writes down who asked can do so.
pub(super) struct Known {
    caller: Caller,
    scopes: Vec<String>,
    revoked: bool,
}

impl Known {
    /// The caller, to write down who asked.
    pub(super) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The caller, if its key may do what this scope allows.
    pub(super) fn may(&self, scope: &str) -> Result<&Caller, Envelope> {
        if self.revoked {
            return Err(Kind::InvalidCredentials.detail(UNKNOWN_KEY));
        }
        if self.scopes.iter().any(|known| known == scope) {
            return Ok(&self.caller);
        }
        let option = match scope {
            CREDENTIALS => " --credentials",
            AUDIT => " --audit",
            _ => "",
        };
        let detail = format!(
            "this key lacks the scope {scope}; make one that has it with: vestibule keys create --name NAME{option}"
        );
        Err(Kind::InsufficientPrivileges.detail(detail))
    }

    /// The same as a refusal.
    pub(super) fn allowed(&self, scope: &str) -> Result<&Caller, Refused> {
        self.may(scope).map_err(|envelope| self.caller.refuse(envelope))
    }
}

const UNKNOWN_KEY: &str =
    "this API key is unknown or was revoked; make one with: vestibule keys create --name NAME";

impl FromRequestParts<Web> for Known {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Refused> {
        let request = parts.extensions.get::<RequestId>().cloned().unwrap_or(RequestId(String::new()));
        let refuse = |envelope| refused(Some(&request), envelope);
        let Some(key) = key(&parts.headers) else {
            let detail = "send your API key as X-API-KEY, or as Authorization: Bearer";
            return Err(refuse(Kind::MissingCredentials.detail(detail)));
        };
        let found = web.connect.known_key(&key).await;
        let found = found.map_err(|error| refuse(envelope(error, &PLAIN, &request)))?;
        let key = found.ok_or_else(|| refuse(Kind::InvalidCredentials.detail(UNKNOWN_KEY)))?;
        web.limits.spend_key(&key.id).map_err(refuse)?;
        let address = parts.extensions.get::<Client>().map(|client| client.0);
        let caller = Caller { request, key: key.id, address };
        Ok(Self { caller, scopes: key.scopes, revoked: key.revoked_at.is_some() })
    }
}

fn key(headers: &HeaderMap) -> Option<String> {
    let text = |value: &HeaderValue| value.to_str().ok().map(|text| text.trim().to_owned());
    let plain = headers.get("x-api-key").and_then(text).filter(|key| !key.is_empty());
    plain.or_else(|| bearer(headers))
}

/// What `Authorization: Bearer` carries (RFC 6750).
pub(super) fn bearer(headers: &HeaderMap) -> Option<String> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

/// A use case's error as an envelope.
pub(super) fn envelope(error: Error, spelling: &Spelling, request: &RequestId) -> Envelope {
    match error {
        Error::Invalid(broken) => {
            let rules: Vec<_> =
                broken.iter().map(|one| format!("{} {}", (spelling.field)(one.field), one.rule)).collect();
            Kind::InvalidParameters.detail(rules.join("; "))
        }
        Error::NoProvider(reasons) => {
            let reason = |(slug, absence): &(String, Absence)| match absence {
                Absence::SwitchedOff => {
                    format!("{} is switched off in this server's configuration", (spelling.provider)(slug))
                }
                Absence::NotSetUp => format!(
                    "{} is not set up on this server (see providers.{slug} in its configuration)",
                    (spelling.provider)(slug)
                ),
                Absence::NotBuilt => format!("{} is not part of this version", (spelling.provider)(slug)),
            };
            let reasons: Vec<_> = reasons.iter().map(reason).collect();
            let detail = format!(
                "{} names no provider that is available: {}",
                (spelling.field)("providers"),
                reasons.join("; ")
            );
            Kind::InvalidParameters.detail(detail)
        }
        Error::NotFound(what) => Kind::ResourceNotFound.detail(format!("there is no such {what}")),
        Error::TooMany(what, most) => Kind::LimitExceeded
            .detail(format!("there are {most} {what} already, as many as there may be; delete one first")),
        Error::Ended => {
            Kind::ActionAlreadyPerformed.detail("the session has ended already; read it to see how")
        }
        Error::Conflict => {
            Kind::ServiceUnavailable.detail("somebody else changed it at the same moment; try again")
        }
        Error::ProviderUnavailable => {
            Kind::ServiceUnavailable.detail("the provider is not available any more")
        }
        Error::NoAnswer(code) => {
            let detail = format!(
                "the account's provider gave no definite answer ({code}); the account is as it was, try again in a moment"
            );
            Kind::ServiceUnavailable.detail(detail).after(Duration::from_secs(10))
        }
        Error::Unavailable(why) => {
            tracing::error!(request.id = request.0, why, "the database is not available");
            Kind::ServiceUnavailable.detail("the database does not answer; try again in a moment")
        }
        Error::Internal(why) => {
            tracing::error!(request.id = request.0, why, "a request failed");
            Kind::UnexpectedError
                .detail("something went wrong here; quote the instance to whoever runs this server")
        }
    }
}

/// Reads a JSON body; one that is empty counts as `{}`.
///
/// # Errors
/// An envelope: too large, or not JSON.
pub(super) async fn json_body(id: &RequestId, request: Request<Body>) -> Result<Value, Refused> {
    text_body(id, request).await.map(|(_, value)| value)
}

/// The same, with the text as it came.
///
/// # Errors
/// An envelope: too large, or not JSON.
pub(super) async fn text_body(id: &RequestId, request: Request<Body>) -> Result<(String, Value), Refused> {
    let bytes = body(request, LARGEST).await.ok_or_else(|| {
        let detail = format!("the body must have at most {LARGEST} bytes and arrive within half a minute");
        refused(Some(id), Kind::ContentTooLarge.detail(detail))
    })?;
    if bytes.is_empty() {
        return Ok((String::new(), Value::Object(serde_json::Map::new())));
    }
    let not_json = |error: &dyn std::fmt::Display| {
        refused(Some(id), Kind::InvalidParameters.detail(format!("the body must be JSON: {error}")))
    };
    let text = String::from_utf8(bytes).map_err(|error| not_json(&error))?;
    let value = serde_json::from_str(&text).map_err(|error| not_json(&error))?;
    Ok((text, value))
}

/// A JSON reply that nobody stores.
pub(super) fn reply(status: StatusCode, body: &Value) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// No route has this path.
pub(super) async fn no_such_route(State(web): State<Web>, request: Request) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    match wizard::no_page(&web, request, StatusCode::NOT_FOUND, ProblemKind::NotFound).await {
        Some(page) => page,
        None => refused(id.as_ref(), Kind::ResourceNotFound.detail("there is nothing at this path"))
            .into_response(),
    }
}

/// The path exists, but not with this method; the router names those that it takes.
pub(super) async fn no_such_method(request: Request) -> Response {
    let id = request.extensions().get::<RequestId>();
    refused(id, Kind::MethodNotAllowed.detail("this path does not take this method")).into_response()
}

/// What goes with an account's status.
pub(super) fn health(view: &AccountView) -> Health {
    Health {
        user_action: view.user_action,
        status_at: view.status_at,
        checked_at: view.checked_at,
        check_at: view.check_at,
        ends_at: view.ends_at,
        owner: view.owner,
    }
}
