//! A person with a browser that runs no scripts: it keeps cookies, fills in the form it sees, presses the button it
//! sees, and follows redirects on the same host. Quick enough to walk hundreds of times; Chromium walks the same
//! paths elsewhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use scraper::{ElementRef, Html, Selector};
use url::Url;
use url::form_urlencoded::Serializer;

use super::http::{Reply, try_send};
use super::mailbox::{ADDRESS, Mailbox, PASSWORD};
use super::{App, Link};

/// The browser. Clones share their cookies, like tabs.
#[derive(Clone, Default)]
pub struct Person {
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
}

/// A page that was shown.
#[derive(Clone, Debug)]
pub struct Seen {
    pub url: String,
    pub reply: Reply,
}

/// A form as it stands on a page, ready to be changed and sent.
#[derive(Clone, Debug)]
pub struct Sheet {
    pub action: String,
    pub fields: Vec<(String, String)>,
}

impl Person {
    /// Somebody new.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens an address.
    pub async fn open(&self, url: &str) -> Seen {
        self.try_open(url).await.expect("the page opens")
    }

    /// Opens an address and follows where it leads while that lies below `on`; where the last one leads comes back.
    pub async fn hop(&self, url: &str, on: &str) -> String {
        let mut url = Url::parse(url).expect("an address");
        loop {
            let reply = self.send("GET", url.as_str(), &[], b"").await.expect("an answer");
            let next = url.join(reply.header("location")).expect("it leads on");
            if reply.status != 303 || !next.path().ends_with(on) {
                return next.into();
            }
            url = next;
        }
    }

    /// Opens an address of a server that may be dead.
    pub async fn try_open(&self, url: &str) -> Result<Seen, String> {
        let reply = self.send("GET", url, &[], b"").await?;
        self.follow(url, reply).await
    }

    /// Sends a form and follows to the page behind it.
    pub async fn submit(&self, from: &Seen, sheet: &Sheet) -> Seen {
        self.try_submit(from, sheet).await.expect("the form is sent")
    }

    /// Sends a form to a server that may be dead.
    pub async fn try_submit(&self, from: &Seen, sheet: &Sheet) -> Result<Seen, String> {
        let url = Url::parse(&from.url).unwrap().join(&sheet.action).unwrap().to_string();
        let body = Serializer::new(String::new()).extend_pairs(&sheet.fields).finish();
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        let reply = self.send("POST", &url, &headers, body.as_bytes()).await?;
        self.follow(&url, reply).await
    }

    async fn follow(&self, url: &str, mut reply: Reply) -> Result<Seen, String> {
        let mut url = Url::parse(url).map_err(|error| error.to_string())?;
        for _ in 0..5 {
            if !(300..400).contains(&reply.status) {
                return Ok(Seen { url: url.to_string(), reply });
            }
            url = url.join(reply.header("location")).map_err(|error| error.to_string())?;
            reply = self.send("GET", url.as_str(), &[], b"").await?;
        }
        Err("too many redirects".to_owned())
    }

    /// Sends any request with this browser's cookies and keeps the ones that come back.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply, String> {
        let cookies = self.cookie_header();
        let mut all = headers.to_vec();
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        let reply = try_send(method, url, &all, body).await?;
        let mut kept = self.cookies.lock().unwrap();
        for cookie in reply.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            kept.insert(name.to_owned(), value.to_owned());
        }
        Ok(reply)
    }

    /// What the browser sends as its cookies.
    pub fn cookie_header(&self) -> String {
        let kept = self.cookies.lock().unwrap();
        kept.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Opens a link and presses its button.
    pub async fn begin(&self, link: &Link) -> Seen {
        let welcome = self.open(&link.url).await;
        assert_eq!(welcome.reply.status, 200, "{}", welcome.text());
        self.submit(&welcome, &welcome.sheet()).await
    }

    /// From a fresh link to the step that asks for the password.
    pub async fn until_password(&self, mailbox: &Mailbox, link: &Link) -> Seen {
        let address = self.begin(link).await;
        let servers = self.submit(&address, &address.sheet().with("email", ADDRESS)).await;
        assert_eq!(servers.step(), "servers", "{}", servers.text());
        let mut sheet = servers.sheet();
        for (name, value) in mailbox.servers() {
            sheet = sheet.with(name, &value);
        }
        let password = self.submit(&servers, &sheet).await;
        assert_eq!(password.step(), "password", "{}", password.text());
        password
    }

    /// The whole way, to the page at its end.
    pub async fn connect(&self, mailbox: &Mailbox, link: &Link) -> Seen {
        let password = self.until_password(mailbox, link).await;
        self.submit(&password, &password.sheet().with("password", PASSWORD)).await
    }

    /// The whole way; the account's id comes back.
    pub async fn account(&self, app: &App, mailbox: &Mailbox, link: &Link) -> String {
        let end = self.connect(mailbox, link).await;
        assert_eq!(end.reply.status, 200, "{}", end.text());
        let session = app.session(&link.id).await;
        session["account_id"]
            .as_str()
            .unwrap_or_else(|| panic!("not connected: {session}\n{}", end.text()))
            .to_owned()
    }
}

impl Seen {
    /// The page's text as a person reads it.
    pub fn text(&self) -> String {
        let page = Html::parse_document(&self.reply.text());
        let body = Selector::parse("body").unwrap();
        let words: Vec<&str> = page.select(&body).flat_map(|body| body.text()).map(str::trim).collect();
        words.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Whether a selector finds something.
    pub fn has(&self, css: &str) -> bool {
        let page = Html::parse_document(&self.reply.text());
        page.select(&Selector::parse(css).unwrap()).next().is_some()
    }

    /// An attribute of what a selector finds first.
    pub fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let page = Html::parse_document(&self.reply.text());
        let found = page.select(&Selector::parse(css).unwrap()).next()?;
        found.value().attr(name).map(str::to_owned)
    }

    /// Which step the page shows, by its fields; empty when it shows none.
    pub fn step(&self) -> &'static str {
        let known = [
            ("f.smtp_password", "sending"),
            ("f.password", "password"),
            ("f.imap_host", "servers"),
            ("f.email", "address"),
        ];
        let found = known.into_iter().find(|(field, _)| self.has(&format!("[name=\"{field}\"]")));
        found.map_or("", |(_, step)| step)
    }

    /// The page's form with its main button pressed.
    pub fn sheet(&self) -> Sheet {
        let page = Html::parse_document(&self.reply.text());
        let form = page
            .select(&Selector::parse("form").unwrap())
            .next()
            .unwrap_or_else(|| panic!("no form: {}", self.text()));
        let mut fields = Vec::new();
        for input in form.select(&Selector::parse("input, select").unwrap()) {
            let Some(name) = input.value().attr("name") else { continue };
            if let Some(value) = standing(input) {
                fields.push((name.to_owned(), value));
            }
        }
        fields.push(("action".to_owned(), "submit".to_owned()));
        Sheet { action: form.value().attr("action").unwrap_or_default().to_owned(), fields }
    }
}

/// What a field holds as it stands; `None` for a box that is not ticked.
fn standing(input: ElementRef<'_>) -> Option<String> {
    let element = input.value();
    if element.name() == "select" {
        let chosen = Selector::parse("option[selected]").unwrap();
        let option =
            input.select(&chosen).next().or_else(|| input.select(&Selector::parse("option").unwrap()).next());
        return option.and_then(|option| option.value().attr("value")).map(str::to_owned);
    }
    let box_like = matches!(element.attr("type"), Some("checkbox" | "radio"));
    if box_like && element.attr("checked").is_none() {
        return None;
    }
    Some(element.attr("value").unwrap_or_default().to_owned())
}

impl Sheet {
    /// The same with a step's field filled in.
    pub fn with(self, field: &str, value: &str) -> Self {
        self.raw(&format!("f.{field}"), value)
    }

    /// The same with any field filled in.
    pub fn raw(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with another button pressed.
    pub fn pressing(self, action: &str) -> Self {
        self.raw("action", action)
    }
}
