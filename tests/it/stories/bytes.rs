//! What both dialects say, byte by byte: replies and calls of a whole story beside what is kept in `bytes/`. Ids,
//! times, secrets and ports, which differ each time, have a placeholder each; everything else must be the same, the
//! order of keys and the headers as well. With `VESTIBULE_TEST_REWRITE` set, what is kept is written anew.

use std::path::Path;

use serde_json::{Value, json};

use super::{Dialect, HOME};
use crate::app::http::Reply;
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::person::Person;
use crate::app::{App, in_an_hour};
use crate::parts::READY;
use crate::parts::sink::Sink;

/// Ids by their beginnings; the rest has this length.
const IDS: [&str; 4] = ["authsess_", "acc_", "dlv_", "req_"];
const ID_LENGTH: usize = 26;
/// What stands before the secret of a link, which has this length.
const BEFORE_SECRETS: [&str; 2] = ["/connect/", "state="];
const SECRET_LENGTH: usize = 43;
/// A time, with a digit for each 0.
const TIME: &str = "0000-00-00T00:00:00.000Z";

/// One story as it is told on the wire.
struct Story {
    mailbox: Mailbox,
    app: App,
    sink: Sink,
    calls: usize,
    ids: Vec<String>,
    ports: Vec<(String, &'static str)>,
    text: String,
}

impl Story {
    fn begin() -> Self {
        let mailbox = Mailbox::start();
        let (app, sink) = (mailbox.app(&[]), Sink::start());
        let ports = [
            (app.address(), "{server}"),
            (sink.address(), "{receiver}"),
            (mailbox.dovecot.tls(), "{imap}"),
            (mailbox.submission.tls(), "{smtp}"),
        ];
        let ports = ports.map(|(address, stands)| (address.port().to_string(), stands)).into();
        Self { mailbox, app, sink, calls: 0, ids: Vec::new(), ports, text: String::new() }
    }

    /// Asks, writes down what came back, and gives it.
    async fn ask(&mut self, method: &str, path: &str, body: Option<Value>) -> Value {
        let reply: Reply = self.app.api(method, path, body).await;
        let head = format!("{method} {path}\n{}", reply.status);
        self.write(&head, &reply.headers, &reply.body);
        reply.json()
    }

    /// Writes down the next call, once it has arrived.
    async fn called(&mut self) {
        let calls = self.sink.wait_for(self.calls + 1, READY).await;
        let call = &calls[self.calls];
        self.calls += 1;
        let head = format!("The call {} {}", call.method, call.path);
        self.write(&head, &call.headers, &call.body);
    }

    fn write(&mut self, head: &str, headers: &axum::http::HeaderMap, body: &[u8]) {
        let mut lines = Vec::new();
        for (name, value) in headers {
            let value = value.to_str().expect("a header of text");
            match name.as_str() {
                // Said by the connection, not by a dialect; the length differs with the ports' digits.
                "date" | "content-length" => {}
                "webhook-timestamp" | "x-riposte-timestamp" if value.parse::<u64>().is_ok() => {
                    lines.push(format!("{name}: {{seconds}}"));
                }
                "webhook-signature" if value.starts_with("v1,") => {
                    lines.push(format!("{name}: v1,{{signature}}"));
                }
                "x-riposte-signature" if value.len() == 64 => {
                    lines.push(format!("{name}: {{signature}}"));
                }
                "user-agent" => {
                    lines.push(format!("{name}: {}", value.replace(env!("CARGO_PKG_VERSION"), "{version}")));
                }
                _ => lines.push(format!("{name}: {value}")),
            }
        }
        lines.sort();
        let body = std::str::from_utf8(body).expect("a body of text");
        let told = self.masked(&format!("{head}\n{}\n\n{body}\n", lines.join("\n")));
        self.text.push_str(&told);
        self.text.push_str("----\n");
    }

    /// The text with its placeholders; an id has the same one wherever it stands.
    fn masked(&mut self, text: &str) -> String {
        let mut masked = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let (length, stands) =
                self.placeholder(rest, &masked).unwrap_or((next.len_utf8(), next.to_string()));
            masked.push_str(&stands);
            rest = &rest[length..];
        }
        masked
    }

    /// What stands for the beginning of this text, and how much of it.
    fn placeholder(&mut self, rest: &str, before: &str) -> Option<(usize, String)> {
        if let Some(prefix) = IDS.iter().find(|prefix| rest.starts_with(**prefix)) {
            let id = rest.get(..prefix.len() + ID_LENGTH)?;
            let whole =
                id[prefix.len()..].bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
            return whole.then(|| (id.len(), format!("{prefix}{{{}}}", self.number(id, prefix))));
        }
        let times = |time: &str| {
            time.bytes()
                .zip(TIME.bytes())
                .all(|(byte, stands)| if stands == b'0' { byte.is_ascii_digit() } else { byte == stands })
        };
        if rest.get(..TIME.len()).is_some_and(times) {
            return Some((TIME.len(), "{time}".to_owned()));
        }
        let secret =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if BEFORE_SECRETS.iter().any(|known| before.ends_with(known))
            && rest.get(..SECRET_LENGTH).is_some_and(secret)
        {
            return Some((SECRET_LENGTH, "{secret}".to_owned()));
        }
        if before.ends_with("cursor=") || before.ends_with("\"cursor\":\"") {
            let length = rest.bytes().take_while(|byte| !b"\"&\n".contains(byte)).count();
            return (length > 0).then(|| (length, "{cursor}".to_owned()));
        }
        if before.ends_with("127.0.0.1:") || before.ends_with("_port\":") {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let known = self.ports.iter().find(|(port, _)| *port == rest[..digits])?;
            return Some((digits, known.1.to_owned()));
        }
        None
    }

    /// Which of its kind this id is, from 1.
    fn number(&mut self, id: &str, prefix: &str) -> usize {
        if !self.ids.iter().any(|known| known == id) {
            self.ids.push(id.to_owned());
        }
        let kind = self.ids.iter().filter(|known| known.starts_with(prefix));
        kind.take_while(|known| *known != id).count() + 1
    }

    /// Compares the story with what is kept.
    #[expect(clippy::disallowed_methods, reason = "the test's own setting, not the server's")]
    fn end(self, name: &str) {
        assert_eq!(self.sink.calls().len(), self.calls, "a call that the story does not tell");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/stories/bytes").join(name);
        if std::env::var_os("VESTIBULE_TEST_REWRITE").is_some() {
            std::fs::write(&file, &self.text).expect("the file can be written");
            return;
        }
        let kept =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let (kept_lines, now_lines) = (kept.split('\n'), self.text.split('\n'));
        for (number, (kept, now)) in kept_lines.zip(now_lines).enumerate() {
            assert_eq!(kept, now, "{}:{}", file.display(), number + 1);
        }
        assert_eq!(kept, self.text, "{}", file.display());
    }
}

/// The story of a link, as the clients of this base path hear it.
async fn postpress(base: &str, name: &str) {
    let mut story = Story::begin();
    let (links, list) = (format!("{base}/hosted/accounts/link"), format!("{base}/accounts"));
    let body = json!({
        "type": "create",
        "providers": ["MAIL"],
        "api_url": story.app.url(base),
        "expiresOn": in_an_hour(),
        "name": "user_1234",
        "notify_url": story.sink.url("/told"),
        "success_redirect_url": HOME,
        "failure_redirect_url": HOME,
    });
    let link = |made: &Value| crate::app::Link {
        id: made["id"].as_str().expect("an id").to_owned(),
        url: made["url"].as_str().expect("a url").to_owned(),
    };
    let made = link(&story.ask("POST", &links, Some(body.clone())).await);
    let one = format!("{links}/{}", made.id);
    story.ask("GET", &one, None).await;
    let account = Person::new().account(&story.app, &story.mailbox, &made).await;
    story.called().await;
    story.ask("GET", &one, None).await;

    let other = link(&story.ask("POST", &links, Some(body)).await);
    story.ask("DELETE", &format!("{links}/{}", other.id), None).await;
    story.ask("DELETE", &one, None).await;
    story.ask("GET", &format!("{links}/{}", other.id), None).await;
    let page = story.ask("GET", &format!("{links}?limit=1"), None).await;
    let cursor = page["cursor"].as_str().expect("one more page").as_bytes();
    let cursor: String = url::form_urlencoded::byte_serialize(cursor).collect();
    story.ask("GET", &format!("{links}?limit=1&cursor={cursor}"), None).await;
    story.ask("GET", &format!("{links}?name=nobody"), None).await;

    let repair = json!({
        "type": "reconnect",
        "reconnect_account": account,
        "api_url": story.app.url(base),
        "expiresOn": in_an_hour(),
        "notify_url": story.sink.url("/told"),
    });
    let repair = link(&story.ask("POST", &links, Some(repair)).await);
    let person = Person::new();
    let password = person.begin(&repair).await;
    person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
    story.called().await;
    story.ask("GET", &format!("{links}/{}", repair.id), None).await;

    story.ask("GET", &list, None).await;
    let one = format!("{list}/{account}");
    story.ask("GET", &one, None).await;
    story.ask("DELETE", &one, None).await;
    story.ask("GET", &one, None).await;
    story.ask("GET", &list, None).await;
    story.ask("POST", &links, Some(json!({ "type": "create", "providers": "WHATSAPP" }))).await;
    story.end(name);
}

#[tokio::test]
async fn postpress_says_under_v1_what_it_said() {
    postpress("/v1", "postpress-v1.txt").await;
}

#[tokio::test]
async fn postpress_says_under_api_v1_what_it_said() {
    postpress("/api/v1", "postpress-api-v1.txt").await;
}

#[tokio::test]
async fn riposte_says_what_it_said() {
    let dialect = Dialect::Riposte;
    let mut story = Story::begin();
    let body = json!({
        "redirectUri": HOME,
        "customUserId": "user_1234",
        "email": ADDRESS,
        "provider": "imap",
        "notifyUrl": story.sink.url("/told"),
    });
    let link = |made: &Value| crate::app::Link {
        id: made["code"].as_str().expect("a code").to_owned(),
        url: made["authUrl"].as_str().expect("a url").to_owned(),
    };
    let made = link(&story.ask("POST", "/auth/sessions", Some(body)).await);
    let one = format!("/auth/sessions/{}", made.id);
    story.ask("GET", &one, None).await;
    let person = Person::new();
    let password = dialect.until_password(&person, &story.mailbox, &made).await;
    person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
    story.called().await;
    let account = story.ask("GET", &one, None).await["accountId"].as_str().expect("an account").to_owned();

    let least = json!({ "redirectUri": HOME, "notifyUrl": story.sink.url("/told") });
    let other = link(&story.ask("POST", "/auth/sessions", Some(least.clone())).await);
    story.ask("DELETE", &format!("/auth/sessions/{}", other.id), None).await;
    story.called().await;
    story.ask("DELETE", &one, None).await;
    let given_up = link(&story.ask("POST", "/auth/sessions", Some(least)).await);
    let password = dialect.until_password(&person, &story.mailbox, &given_up).await;
    let asked = person.submit(&password, &password.sheet().pressing("cancel")).await;
    person.submit(&asked, &asked.sheet()).await;
    story.called().await;
    story.ask("GET", "/auth/sessions?limit=2", None).await;
    story.ask("GET", "/auth/sessions?customUserId=user_1234", None).await;
    story.ask("GET", "/auth/sessions?customUserId=nobody", None).await;

    story.ask("GET", "/accounts", None).await;
    let one = format!("/accounts/{account}");
    story.ask("GET", &one, None).await;
    story.ask("DELETE", &one, None).await;
    story.ask("GET", &one, None).await;
    story.ask("GET", "/accounts", None).await;
    story.ask("POST", "/auth/sessions", Some(json!({ "provider": "yahoo" }))).await;
    story.end("riposte.txt");
}
