//! Drawing: from what a use case says to a page and its status.

use axum::http::header::{
    CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE, VARY,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::super::Web;
use super::browser::Browser;
use super::home;
use crate::connect::{Error, Request};
use crate::kernel::ids::SessionId;
use crate::kernel::reference::Reference;
use crate::kernel::words::SessionState;
use crate::pages::{Frame, Leaving, Page, Problem, ProblemKind};

/// A page being drawn for one browser.
pub(super) struct Canvas<'a> {
    pub(super) web: &'a Web,
    pub(super) browser: &'a Browser,
    /// The session, when it is known.
    pub(super) session: Option<&'a SessionId>,
    /// What was asked for with it.
    pub(super) request: Option<&'a Request>,
    /// The session that the page's reference stands for, where that is known though the browser has no part in it.
    pub(super) about: Option<&'a SessionId>,
}

impl<'a> Canvas<'a> {
    /// A page that knows no session.
    pub(super) fn new(web: &'a Web, browser: &'a Browser) -> Self {
        Self { web, browser, session: None, request: None, about: None }
    }

    /// Draws a page.
    pub(super) fn page(&self, status: StatusCode, page: &Page<'_>) -> Response {
        let configured = self.web.settings.product_name.as_deref();
        let product = match self.request {
            // Somebody always asks: where nothing else says who, it is whoever runs this server.
            Some(request) => home::product(configured, request)
                .or_else(|| Some(home::host(self.web.settings.public_url.origin()))),
            None => configured.map(str::to_owned),
        };
        let token = self.browser.form_token(self.session);
        let reference = self.reference().to_string();
        if let Page::Problem(problem) = page
            && problem.kind.is_failure()
        {
            let session = self.session.or(self.about).map(tracing::field::display);
            let (request, kind, status) = (&self.browser.request.0, problem.kind.as_str(), status.as_u16());
            // Whoever is asked for help finds by the reference what happened. What strangers can have without end is
            // no line for everybody.
            match problem.kind {
                ProblemKind::TooManyRequests | ProblemKind::WrongHost => {
                    tracing::debug!(reference, kind, status, request.id = request, "a problem was shown");
                }
                _ => tracing::info!(
                    reference,
                    kind,
                    status,
                    request.id = request,
                    session.id = session,
                    "a problem was shown"
                ),
            }
        }
        let here = |tag: &str| self.browser.here_in(tag);
        let frame = Frame {
            locale: &self.browser.locale,
            here: &here,
            product: product.as_deref().unwrap_or_default(),
            form_token: &token,
            reference: &reference,
        };
        let html = self.web.pages.render(&frame, page);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(VARY, HeaderValue::from_static("Accept-Language, Cookie"));
        if let Ok(language) = HeaderValue::from_str(&self.browser.locale) {
            headers.insert(CONTENT_LANGUAGE, language);
        }
        for cookie in [self.browser.set_before(), self.browser.set_language()].into_iter().flatten() {
            headers.append(SET_COOKIE, cookie);
        }
        (status, headers, html).into_response()
    }

    /// What to quote to support: it leads to the session where there is one, and else to this request in the log.
    fn reference(&self) -> Reference {
        match self.session.or(self.about) {
            Some(session) => Reference::of_session(session),
            None => Reference::of_request(&self.browser.request.0),
        }
    }

    /// Sends the browser home, without a redirect that `form-action` could block.
    pub(super) fn leave(&self, url: &str) -> Response {
        let host = home::host(url);
        let mut response = self.page(StatusCode::OK, &Page::Leaving(Leaving { url, host: &host }));
        if let Ok(refresh) = HeaderValue::from_str(&format!("0; url={url}")) {
            response.headers_mut().insert(HeaderName::from_static("refresh"), refresh);
        }
        response
    }

    /// A page that says what happened and offers the way home.
    pub(super) fn problem(&self, status: StatusCode, kind: ProblemKind, code: &str) -> Response {
        let home_url = self.request.and_then(|request| home::after_failure(request, code));
        let problem =
            Problem { kind, home_url: home_url.as_deref(), retry: None, takeover: None, hidden: &[] };
        self.page(status, &Page::Problem(problem))
    }

    /// A session that is over, for a browser that has no part in its success.
    pub(super) fn over(&self, state: SessionState, cause: Option<&str>) -> Response {
        let (kind, code) = match state {
            SessionState::Open | SessionState::Finishing | SessionState::Connected => {
                (ProblemKind::Used, "link_used")
            }
            SessionState::Cancelled => (ProblemKind::Cancelled, "cancelled"),
            SessionState::Failed if cause == Some("too_many_tries") => {
                (ProblemKind::TooManyTries, "too_many_tries")
            }
            SessionState::Failed if cause == Some("too_many_connects") => {
                (ProblemKind::TooManyConnects, "too_many_connects")
            }
            SessionState::Failed => (ProblemKind::Failed, cause.unwrap_or("failed")),
            SessionState::Expired => (ProblemKind::Expired, "link_expired"),
            SessionState::Revoked => (ProblemKind::Revoked, "link_revoked"),
        };
        self.problem(StatusCode::GONE, kind, code)
    }

    /// What a use case could not do.
    pub(super) fn failed(&self, error: &Error) -> Response {
        match error {
            Error::NotFound("account") => {
                self.problem(StatusCode::GONE, ProblemKind::Failed, "account_deleted")
            }
            Error::NotFound(_) => {
                self.problem(StatusCode::NOT_FOUND, ProblemKind::UnknownLink, "link_unknown")
            }
            Error::ProviderUnavailable => {
                self.problem(StatusCode::GONE, ProblemKind::Failed, "provider_unavailable")
            }
            error => {
                tracing::error!(request.id = self.browser.request.0, error = %error, "a page failed");
                // It passes: the same page is asked for again, and stands where it stood.
                let (kind, retry) = (ProblemKind::ServerError, Some(self.browser.here()));
                let problem = Problem { kind, home_url: None, retry, takeover: None, hidden: &[] };
                self.page(StatusCode::SERVICE_UNAVAILABLE, &Page::Problem(problem))
            }
        }
    }
}

/// Goes on to a page of ours with a GET.
pub(super) fn see_other(path: &str, cookie: Option<HeaderValue>) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(location) = HeaderValue::from_str(path) {
        response.headers_mut().insert(LOCATION, location);
    }
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// A session's page.
pub(super) fn path(id: &SessionId) -> String {
    format!("/wizard/{id}")
}
