//! A person at the sign-in pages of the identity doubles, in a browser that runs no scripts: it keeps cookies, fills in
//! what it sees and stops where the way leads back to the application.

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use scraper::{Html, Selector};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;
use url::form_urlencoded::Serializer;

use crate::app::http::Reply;

/// What the person does where they can choose; by default they agree to everything.
#[derive(Clone, Debug, Default)]
pub struct Choices<'a> {
    /// Cancels where the application's wishes are shown, and at an administrator's page.
    pub deny: bool,
    /// Cancels before signing in.
    pub deny_sign_in: bool,
    /// Permissions whose box is emptied, as the page spells them.
    pub untick: Vec<&'a str>,
}

/// Where a walk ended.
#[derive(Clone, Debug)]
pub enum Walk {
    /// On the way back to the application, at this address.
    Back(Url),
    /// At a page that leads nowhere.
    Stuck { status: u16, text: String },
}

/// The person's browser.
pub struct Visitor {
    origin: String,
    tls: Arc<ClientConfig>,
    cookies: BTreeMap<String, String>,
    /// What it says it is.
    pub user_agent: String,
    /// The headings of all pages that were shown, in order.
    pub seen: Vec<String>,
}

impl Visitor {
    pub fn new(origin: &str, tls: Arc<ClientConfig>) -> Self {
        let user_agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36";
        Self {
            origin: origin.to_owned(),
            tls,
            cookies: BTreeMap::new(),
            user_agent: user_agent.to_owned(),
            seen: Vec::new(),
        }
    }

    /// Follows an address to the application or to a page with nothing left to do.
    pub async fn walk(&mut self, start: &str, address: &str, choices: &Choices<'_>) -> Walk {
        let (mut url, mut form) = (Url::parse(start).expect("an address"), None::<Vec<(String, String)>>);
        for _ in 0..16 {
            if url.origin().ascii_serialization() != self.origin {
                return Walk::Back(url);
            }
            let reply = self.load(&url, form.take()).await;
            if (300..400).contains(&reply.status) {
                url = url.join(reply.header("location")).expect("an address");
                continue;
            }
            let text = reply.text();
            let step = self.read(&text, address, choices);
            match step {
                Step::Form(fields) => form = Some(fields),
                Step::Link(to) => url = url.join(&to).expect("an address"),
                Step::End => return Walk::Stuck { status: reply.status, text },
            }
            if reply.status != 200 {
                // The page shows its form again, because what was filled in is refused.
                return Walk::Stuck { status: reply.status, text };
            }
        }
        panic!("the pages do not end: {:?}", self.seen);
    }

    /// What the person does with a page.
    fn read(&mut self, text: &str, address: &str, choices: &Choices<'_>) -> Step {
        let page = Html::parse_document(text);
        let all =
            |selector: &str| page.select(&Selector::parse(selector).expect("a selector")).collect::<Vec<_>>();
        let heading = all("h1").first().map(|one| one.text().collect::<String>()).unwrap_or_default();
        self.seen.push(heading);
        let step = |word: &str| ("step".to_owned(), word.to_owned());
        let named = ("address".to_owned(), address.to_owned());
        if let Some(link) = all("#return").first() {
            Step::Link(link.attr("href").expect("where it leads").to_owned())
        } else if !all("form#sign-in").is_empty() {
            Step::Form(if choices.deny_sign_in { vec![step("cancel")] } else { vec![named, step("account")] })
        } else if !all("form#admin-consent").is_empty() {
            Step::Form(vec![named, step(if choices.deny { "cancel" } else { "accept" })])
        } else if !all("form#consent").is_empty() {
            let boxes = all("input[name=scope][checked]");
            let boxes = boxes.iter().filter_map(|one| one.attr("value"));
            let ticked = boxes.filter(|scope| !choices.untick.contains(scope));
            let mut fields: Vec<_> = ticked.map(|scope| ("scope".to_owned(), scope.to_owned())).collect();
            fields.push(step(if choices.deny { "cancel" } else { "allow" }));
            Step::Form(fields)
        } else {
            Step::End
        }
    }

    async fn load(&mut self, url: &Url, form: Option<Vec<(String, String)>>) -> Reply {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("user-agent", self.user_agent.as_str()), ("accept", "text/html")];
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        let (method, body) = match &form {
            Some(fields) => {
                headers.push(("content-type", "application/x-www-form-urlencoded"));
                ("POST", Serializer::new(String::new()).extend_pairs(fields).finish())
            }
            None => ("GET", String::new()),
        };
        let reply = exchange(&self.tls, method, url.as_str(), &headers, &body).await.expect("a page");
        for cookie in reply.headers.get_all("set-cookie") {
            let pair = cookie.to_str().expect("a cookie").split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        reply
    }
}

/// The first page behind an address, with nothing filled in.
pub async fn first_page(visitor: &mut Visitor, start: &str) -> (u16, String) {
    let mut url = Url::parse(start).expect("an address");
    loop {
        let reply = visitor.load(&url, None).await;
        if !(300..400).contains(&reply.status) {
            return (reply.status, reply.text());
        }
        url = url.join(reply.header("location")).expect("an address");
    }
}

enum Step {
    Form(Vec<(String, String)>),
    Link(String),
    End,
}

/// One exchange over TLS on a connection of its own.
pub async fn exchange(
    tls: &Arc<ClientConfig>,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Reply, String> {
    let wrong = |error: &dyn std::fmt::Display| error.to_string();
    let url = Url::parse(url).map_err(|error| wrong(&error))?;
    let (host, port) = (url.host_str().expect("a host").to_owned(), url.port().unwrap_or(443));
    let stream = super::dial(super::local(port)).map_err(|error| wrong(&error))?;
    // A request goes out in pieces, which should not wait for each other.
    stream.set_nodelay(true).map_err(|error| wrong(&error))?;
    stream.set_nonblocking(true).map_err(|error| wrong(&error))?;
    let stream = tokio::net::TcpStream::from_std(stream).map_err(|error| wrong(&error))?;
    let name = host.clone().try_into().map_err(|error| wrong(&error))?;
    let stream = tokio_rustls::TlsConnector::from(tls.clone())
        .connect(name, stream)
        .await
        .map_err(|error| wrong(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| wrong(&error))?;
    tokio::spawn(connection);
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut request = Request::builder().method(method).uri(target).header("host", format!("{host}:{port}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request =
        request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).map_err(|error| wrong(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| wrong(&error))?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.map_err(|error| wrong(&error))?.to_bytes();
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
}
