//! The browser at the other end: its cookies, its language, and whether a form really came from our page.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE, HeaderValue, ORIGIN};
use axum::http::request::Parts;

use super::super::Web;
use super::super::front::{OurHost, RequestId};
use crate::kernel::clock::Millis;
use crate::kernel::ids::SessionId;
use crate::kernel::random::{Random, Token, hash};

/// How long a chosen language is remembered.
const REMEMBERED_SECONDS: u32 = 180 * 24 * 3600;

/// What a page's address says the language with; also what a backend may add to its links.
const LANGUAGE: &str = "lang";

/// The longest address that a page repeats, in bytes. Ours are far shorter, also with what a provider sends back; each
/// page repeats its own once for every language, so whoever asks with a long one must not get a page full of it.
const LONGEST: usize = 4096;

/// The browser that asks.
#[derive(Clone)]
pub(in crate::web) struct Browser {
    headers: HeaderMap,
    secure: bool,
    /// The host it came for, in the configured spelling.
    pub(in crate::web) host: String,
    /// This request's id.
    pub(in crate::web) request: RequestId,
    /// The page's language.
    pub(super) locale: String,
    /// Whether it was chosen with this request, and so is to be remembered.
    chosen: bool,
    /// The page's address on this host, without the choice of a language.
    pub(super) here: String,
    /// The value that ties forms to this browser before it holds a session; made when it had none.
    before: String,
    before_is_new: bool,
}

impl FromRequestParts<Web> for Browser {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Self::Rejection> {
        let host = parts.extensions.get::<OurHost>().map(|host| host.0.clone()).unwrap_or_default();
        let request = parts.extensions.get::<RequestId>().cloned().unwrap_or(RequestId(String::new()));
        let languages = parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let secure = web.settings.public_url.is_secure();
        let headers = parts.headers.clone();
        let (here, asked) = address(parts.uri.path(), parts.uri.query().unwrap_or_default());
        let asked = asked.and_then(|tag| web.pages.speaks(&tag));
        let kept = || cookie(&headers, &language_name(secure)).and_then(|tag| web.pages.speaks(&tag));
        let locale = asked.or_else(kept).unwrap_or_else(|| web.pages.locale(languages)).to_owned();
        let chosen = asked.is_some();
        let known = cookie(&headers, &before_name(secure)).filter(|value| value.len() == 43);
        let before_is_new = known.is_none();
        let before = known.unwrap_or_else(|| Token::new(&Random::system()).reveal().to_owned());
        Ok(Self { headers, secure, host, request, locale, chosen, here, before, before_is_new })
    }
}

/// Host-only cookies: the prefix makes browsers insist on it.
fn prefix(secure: bool) -> &'static str {
    if secure { "__Host-" } else { "" }
}

fn language_name(secure: bool) -> String {
    format!("{}vestibule-language", prefix(secure))
}

/// A page's address without the choice of a language, and the choice. One that is too long to be repeated is `/`.
fn address(path: &str, query: &str) -> (String, Option<String>) {
    // A path that begins with two slashes, of either kind, would name another host.
    let path = format!("/{}", path.trim_start_matches(['/', '\\']));
    let mut asked = None;
    let mut kept = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            LANGUAGE => asked = Some(value.into_owned()),
            _ => {
                kept.append_pair(&name, &value);
            }
        }
    }
    let kept = kept.finish();
    let whole = if kept.is_empty() { path } else { format!("{path}?{kept}") };
    (if whole.len() <= LONGEST { whole } else { "/".to_owned() }, asked)
}

fn before_name(secure: bool) -> String {
    format!("{}vestibule-form", prefix(secure))
}

fn session_name(secure: bool, id: &SessionId) -> String {
    let ulid = id.as_str().strip_prefix(SessionId::PREFIX).unwrap_or_default();
    format!("{}vestibule-{ulid}", prefix(secure))
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(known, _)| *known == name).map(|(_, value)| value.to_owned()).next()
}

impl Browser {
    /// Its cookie for a session.
    pub(in crate::web) fn cookie_of(&self, id: &SessionId) -> Option<String> {
        cookie(&self.headers, &session_name(self.secure, id))
    }

    /// Whether it is part of another app.
    pub(super) fn is_inside_an_app(&self) -> bool {
        super::handover::inside_an_app(&self.headers)
    }

    /// Whether it ever held a session.
    pub(super) fn knew(&self, id: &SessionId) -> bool {
        self.cookie_of(id).is_some()
    }

    /// What it was given to keep before it held a session, if it keeps cookies.
    pub(in crate::web) fn before(&self) -> Option<&str> {
        (!self.before_is_new).then_some(&*self.before)
    }

    /// The header that gives it a session's cookie until the session's end.
    pub(in crate::web) fn set_cookie(
        &self,
        id: &SessionId,
        value: &Token,
        expires_at: Millis,
        now: Millis,
    ) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let age = expires_at.since(now).as_secs();
        let name = session_name(self.secure, id);
        let text =
            format!("{name}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}", value.reveal());
        HeaderValue::from_str(&text).ok()
    }

    /// The same browser on another of our pages.
    pub(super) fn at(&self, here: &str) -> Self {
        Self { here: here.to_owned(), ..self.clone() }
    }

    /// The same browser with another language, where we speak it.
    pub(super) fn speaking(&self, web: &Web, tag: &str) -> Self {
        match web.pages.speaks(tag) {
            Some(tag) => Self { locale: tag.to_owned(), chosen: true, ..self.clone() },
            None => self.clone(),
        }
    }

    /// This page's own address, its language left out.
    pub(super) fn here(&self) -> &str {
        &self.here
    }

    /// This page in another language.
    pub(super) fn here_in(&self, tag: &str) -> String {
        let sign = if self.here.contains('?') { '&' } else { '?' };
        format!("{}{sign}{LANGUAGE}={tag}", self.here)
    }

    /// The header that remembers the language, when it was chosen just now. It says nothing else.
    pub(super) fn set_language(&self) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!(
            "{}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={REMEMBERED_SECONDS}{secure}",
            language_name(self.secure),
            self.locale
        );
        self.chosen.then(|| HeaderValue::from_str(&text).ok()).flatten()
    }

    /// The header that ties forms to this browser before it holds a session, if it needs one.
    pub(super) fn set_before(&self) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let text =
            format!("{}={}; Path=/; HttpOnly; SameSite=Lax{secure}", before_name(self.secure), self.before);
        self.before_is_new.then(|| HeaderValue::from_str(&text).ok()).flatten()
    }

    /// What a form of ours carries, tied to a cookie of this browser.
    pub(super) fn form_token(&self, session: Option<&SessionId>) -> String {
        let tie = session.and_then(|id| self.cookie_of(id)).unwrap_or_else(|| self.before.clone());
        hash(&format!("form:{tie}"))
    }

    /// Whether this is no page of another site: a page of ours, or a caller that is no browser.
    pub(in crate::web) fn is_no_stranger(&self, web: &Web) -> bool {
        let says = |name: &str| self.headers.contains_key(name);
        self.posted_by_us(web, "", None) || !(says("sec-fetch-site") || says("origin"))
    }

    /// Whether a POST came from a page of ours. Browsers say so themselves (`Sec-Fetch-Site`); where one does not,
    /// its `Origin` must be ours, and where that is hidden (`null`, since our pages send no referrer), the form must
    /// carry the token that matches the cookie.
    pub(super) fn posted_by_us(&self, web: &Web, token: &str, session: Option<&SessionId>) -> bool {
        let text = |name: &str| self.headers.get(name).and_then(|value| value.to_str().ok());
        let ties = token == self.form_token(session);
        let origin = self.headers.get(ORIGIN).and_then(|value| value.to_str().ok());
        let own = web.settings.public_url.origin_of(&self.host);
        let foreign = origin.is_some_and(|origin| origin != "null" && !origin.eq_ignore_ascii_case(&own));
        match text("sec-fetch-site") {
            _ if foreign => false,
            Some("same-origin" | "none") => true,
            Some(_) => false,
            None => origin.is_some_and(|origin| origin.eq_ignore_ascii_case(&own)) || ties,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_only_the_choice_of_a_language() {
        let own = |path, query| address(path, query);
        assert_eq!(own("/connect/x", ""), ("/connect/x".to_owned(), None));
        assert_eq!(own("/connect/x", "lang=de"), ("/connect/x".to_owned(), Some("de".to_owned())));
        assert_eq!(
            own("/auth/authorize", "session=a&lang=pt-BR&state=b%26c"),
            ("/auth/authorize?session=a&state=b%26c".to_owned(), Some("pt-BR".to_owned()))
        );
        assert_eq!(own("//evil.example", "").0, "/evil.example");
        let long = "\"".repeat(2000);
        assert_eq!(own("/connect/x", &format!("a={long}&lang=de")), ("/".to_owned(), Some("de".to_owned())));
    }
}
