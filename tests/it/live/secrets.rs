//! Nothing that links an account, and nothing that comes of it, is in a log at its most talkative, in the database in clear,
//! or in an address that a person's browser is led to or offered: by a code of either provider and by a phone number.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use scraper::{Html, Selector};
use serde_json::{Value, json};
use url::Url;

use super::telegram::{ADA, PASSWORD};
use super::{LABEL, PHONE};
use crate::app::http::send;
use crate::app::person::{Person, Seen, Sheet};
use crate::app::{App, Link};
use crate::parts::telegram::Telegram;
use crate::parts::whatsapp::Whatsapp;
use crate::parts::{READY, eventually_async};

/// What must stay out of sight, by what it is, in every spelling that somebody may have given it.
#[derive(Default)]
struct Secrets(BTreeSet<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, what: &'static str, text: &str) {
        assert!(text.len() >= 8, "too short to be looked for: {what} {text}");
        self.0.insert((what, text.to_owned()));
        self.0.insert((what, url::form_urlencoded::byte_serialize(text.as_bytes()).collect()));
        self.0.insert((what, text.escape_debug().to_string()));
    }

    /// Bytes, also as a debugger lists them; of many, the first will do.
    fn bytes(&mut self, what: &'static str, bytes: &[u8]) {
        assert!(bytes.len() >= 32, "{what}");
        let head = &bytes[..30];
        for spelt in [STANDARD.encode(head), URL_SAFE.encode(head), hexadecimal(head)] {
            self.add(what, &spelt);
        }
        let listed = format!("{:?}", &bytes[..16]);
        self.add(what, listed.trim_end_matches(']'));
    }

    /// Every one that is found in a text, and where.
    fn found<'a>(&'a self, text: &'a str) -> Vec<(&'static str, &'a str, &'a str)> {
        let found = self.0.iter().filter(|(_, secret)| text.contains(secret.as_str()));
        let line =
            |secret: &String| text.lines().find(|line| line.contains(secret.as_str())).unwrap_or_default();
        found.map(|(what, secret)| (*what, secret.as_str(), line(secret))).collect()
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A person whose browser remembers every address that it was led to, and that a page offered.
struct Visitor {
    person: Person,
    page: Seen,
    trail: Vec<String>,
}

impl Visitor {
    async fn begin(link: &Link) -> Self {
        let (person, trail) = (Person::new(), vec![link.url.clone()]);
        let page = person.open(&link.url).await;
        let mut visitor = Self { person, page, trail };
        visitor.send(visitor.page.sheet()).await;
        visitor
    }

    /// Fills a form in, as it stands.
    async fn answer(&mut self, field: &str, text: &str) {
        self.send(self.page.sheet().with(field, text)).await;
    }

    async fn turn(&mut self, way: &str) {
        self.send(self.page.sheet().pressing(&format!("alternative:{way}"))).await;
    }

    async fn send(&mut self, sheet: Sheet) {
        let url = Url::parse(&self.page.url).unwrap().join(&sheet.action).unwrap();
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&sheet.fields).finish();
        let form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        self.go("POST", url, &form, body.as_bytes()).await;
    }

    async fn go(&mut self, method: &str, mut url: Url, headers: &[(&str, &str)], body: &[u8]) {
        let mut reply = self.person.send(method, url.as_str(), headers, body).await.expect("an answer");
        while (300..400).contains(&reply.status) {
            url = url.join(reply.header("location")).expect("it leads on");
            self.trail.push(url.to_string());
            reply = self.person.send("GET", url.as_str(), &[], b"").await.expect("an answer");
        }
        assert!(reply.status < 400, "{url}: {}", reply.text());
        for header in ["refresh", "link", "content-location"] {
            self.trail.push(reply.header(header).to_owned());
        }
        self.page = Seen { url: url.to_string(), reply };
        let html = Html::parse_document(&self.page.reply.text());
        for name in ["href", "src", "action", "formaction", "data-events", "content"] {
            let having = Selector::parse(&format!("[{name}]")).unwrap();
            self.trail.extend(html.select(&having).filter_map(|one| one.attr(name)).map(str::to_owned));
        }
    }

    /// Loads the page again until a selector finds something.
    async fn until(&mut self, css: &str) {
        let url = Url::parse(&self.page.url).unwrap();
        eventually_async(css, READY, async || {
            self.go("GET", url.clone(), &[], b"").await;
            self.page.has(css).then_some(())
        })
        .await;
    }

    /// What the QR code on the page says.
    async fn scan(&mut self) -> String {
        self.until("#live .qr svg").await;
        let path = self.page.attribute("#live .qr path", "d").expect("a code");
        let view = self
            .page
            .attribute("#live .qr svg", "viewbox")
            .or(self.page.attribute("#live .qr svg", "viewBox"));
        let side: usize =
            view.expect("its size").split(' ').nth(2).expect("a side").parse().expect("a number");
        // As large as a camera sees it.
        const SCALE: usize = 4;
        let mut dark = vec![false; side * side];
        for run in path.split('M').skip(1) {
            let (at, rest) = run.split_once('h').expect("a run");
            let (x, y) = at.split_once(' ').expect("its place");
            let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
            let length: usize = rest.split('v').next().expect("its length").parse().unwrap();
            dark[y * side + x..][..length].fill(true);
        }
        let grey = |x: usize, y: usize| if dark[y / SCALE * side + x / SCALE] { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side * SCALE, side * SCALE, grey);
        image.detect_grids()[0].decode().expect("a code").1
    }

    /// The account at the end of the way.
    async fn connected(mut self, app: &App, link: &Link) -> (Vec<String>, String) {
        let account = eventually_async("an account", READY, async || {
            app.session(&link.id).await["account_id"].as_str().map(str::to_owned)
        })
        .await;
        let url = Url::parse(&self.page.url).unwrap();
        self.go("GET", url, &[], b"").await;
        assert!(self.page.has(".sign-good"), "{}", self.page.text());
        self.trail.push(self.person.cookie_header());
        (self.trail, account)
    }
}

async fn credentials(app: &App, account: &str) -> Value {
    let (key, url) = (app.trusted_key(), app.url(&format!("/v1/accounts/{account}/credentials")));
    let reply = send("POST", &url, &[("x-api-key", &key), ("content-type", "application/json")], b"{}").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["credentials"].clone()
}

#[tokio::test]
async fn nothing_secret_of_a_linking_is_in_the_log_in_an_address_or_in_the_database() {
    let (whatsapp, telegram) = (Whatsapp::start(), Telegram::start(500));
    // Words are as good a code as digits, and cannot stand in a log by chance.
    telegram.account(ADA, json!({ "dc": 2, "password": PASSWORD, "code_via": "word" })).await;
    let own = [whatsapp.variables(), telegram.variables()].concat();
    let mut all: Vec<_> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.push(("LOG", "trace"));
    let app = App::with(&all);
    let (mut secrets, mut trails, mut accounts) = (Secrets::default(), Vec::new(), Vec::new());
    let link = async |provider: &str, name: &str| {
        let home = "https://app.example.com/done";
        app.link(json!({ "providers": [provider], "name": name, "success_redirect_url": home })).await
    };
    let mut keep = |(trail, account): (Vec<String>, String)| {
        trails.push(trail);
        accounts.push(account);
    };

    let wanted = link("WHATSAPP", "user_1").await;
    let mut visitor = Visitor::begin(&wanted).await;
    let code = visitor.scan().await;
    for field in code.split('#').next_back().expect("fields").split(',').filter(|field| field.len() > 1) {
        secrets.add("a code of WhatsApp's", field);
    }
    whatsapp.scan(PHONE, &code).await.expect("a scan");
    keep(visitor.connected(&app, &wanted).await);

    let wanted = link("WHATSAPP", "user_2").await;
    let mut visitor = Visitor::begin(&wanted).await;
    visitor.turn("pairing_code").await;
    visitor.answer("phone", LABEL).await;
    visitor.until("#live .typed code").await;
    let html = Html::parse_document(&visitor.page.reply.text());
    let groups = html
        .select(&Selector::parse("#live .typed code span").unwrap())
        .flat_map(|one| one.text())
        .collect::<Vec<_>>();
    secrets.add("a pairing code", &groups.concat());
    secrets.add("a pairing code", &groups.join("-"));
    whatsapp.type_code(PHONE, &groups.concat()).await.expect("a typed code");
    keep(visitor.connected(&app, &wanted).await);

    let wanted = link("TELEGRAM", "user_3").await;
    let mut visitor = Visitor::begin(&wanted).await;
    let code = visitor.scan().await;
    let token = code.strip_prefix("tg://login?token=").expect("a token");
    secrets.add("a code of Telegram's", token);
    secrets.bytes("a code of Telegram's", &URL_SAFE_NO_PAD.decode(token).expect("bytes"));
    telegram.scan(&code, ADA).await;
    visitor.until("[name=\"f.password\"]").await;
    visitor.answer("password", PASSWORD).await;
    keep(visitor.connected(&app, &wanted).await);

    let wanted = link("TELEGRAM", "user_4").await;
    let mut visitor = Visitor::begin(&wanted).await;
    visitor.turn("phone_code").await;
    visitor.answer("phone", ADA).await;
    let sent = telegram.code(ADA).await;
    secrets.add("a code that was sent", &sent);
    visitor.answer("code", &sent).await;
    visitor.answer("password", "wrong, and no less a secret").await;
    visitor.answer("password", PASSWORD).await;
    keep(visitor.connected(&app, &wanted).await);
    secrets.add("a password", PASSWORD);
    secrets.add("a password", "wrong, and no less a secret");

    for account in &accounts {
        let given = credentials(&app, account).await;
        if given["type"] == "telegram_session" {
            let text = given["auth_key"].as_str().expect("a key");
            let key: Vec<u8> = (0..text.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
                .collect();
            secrets.bytes("an auth key", &key);
            secrets.add("a session of Telethon's", &given["telethon"].as_str().expect("a session")[..40]);
            continue;
        }
        let session = &given["session"];
        let first = session["preKeys"].as_object().expect("keys").values().next().expect("a key").clone();
        for (what, key) in [
            ("a noise key", &session["noiseKey"]["private"]),
            ("an identity key", &session["identityKey"]["private"]),
            ("a signed key", &session["signedPreKey"]["private"]),
            ("a one-time key", &first),
            ("an ADV secret", &session["advSecret"]),
        ] {
            let text = key.as_str().expect("a key").trim_end_matches('=');
            secrets.bytes(what, &STANDARD_NO_PAD.decode(text).expect("bytes"));
        }
    }
    let kinds: BTreeSet<_> = secrets.0.iter().map(|(what, _)| *what).collect();
    assert_eq!(kinds.len(), 12, "{kinds:?}");

    let log = app.output();
    assert!(log.contains("DEBUG") && log.matches("a link was opened").count() == 4, "the log is on");
    assert_eq!(secrets.found(&log), Vec::new(), "in the log");
    for (trail, name) in trails.iter().zip(["user_1", "user_2", "user_3", "user_4"]) {
        assert!(
            trail.len() > 10 && trail.iter().any(|url| url.starts_with("https://app.example.com/done?")),
            "{trail:?}"
        );
        assert_eq!(secrets.found(&trail.join("\n")), Vec::new(), "in an address of {name}");
    }
    let files =
        ["vestibule.db", "vestibule.db-wal"].map(|name| std::fs::read(app.data(name)).unwrap_or_default());
    let database = String::from_utf8_lossy(&files.concat()).into_owned();
    assert!(database.len() > 10_000, "it is not where it is looked for");
    assert_eq!(secrets.found(&database), Vec::new(), "in the database in clear");
}
