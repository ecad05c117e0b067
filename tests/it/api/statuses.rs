//! Every status that the document promises comes from a real server, and none that it does not.

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use super::book::{Ask, Book, Operation, sent};
use super::{away, hooks, pages};
use crate::app::http::{Reply, send};
use crate::app::mailbox::{ADDRESS, Mailbox, PASSWORD};
use crate::app::person::Person;
use crate::app::{App, Link, in_an_hour};
use crate::parts::pgproxy::PgProxy;
use crate::parts::postgres::{Schema, schema};
use crate::parts::{READY, eventually_async};
use crate::stories::Dialect;

/// The id of a session that there is not.
pub const NOBODY: &str = "authsess_01M82PHGHBGKDEDC0B9CQ0DRNV";
/// Whose trouble is another server's, not the database's: see `away::events`.
const EVENTS: &str = "receiveSecurityEvent";
const HOME: &str = "https://app.example.com/done";
const SECOND: &str = "second@example.test";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_documented_status_is_produced_and_no_other() {
    let mut book = Book::new();
    let mailbox = Mailbox::start();
    mailbox.dovecot.set_password(SECOND, PASSWORD);
    let schema = schema();
    let proxy = PgProxy::start(schema.port());
    let app = mailbox.app(&[("DATABASE_URL", &schema.url_at(proxy.port()))]);
    strangers(&mut book, &app, &schema).await;
    let connected = postpress(&mut book, &app, &schema, &mailbox).await;
    finishes(&mut book, &app, &mailbox).await;
    riposte(&mut book, &app, &schema, &connected).await;
    steps(&mut book, &app, &schema).await;
    hooks::walk(&mut book, &app, &schema).await;
    pages::walk(&mut book, &app, &schema).await;
    away::walk(&mut book).await;
    away::approval(&mut book).await;
    away::switched_off(&mut book).await;
    away::events(&mut book).await;
    away::session_back(&mut book).await;
    document(&mut book, &app).await;
    book.ask(&app, "health", 200, Ask::default()).await;
    book.ask(&app, "ready", 200, Ask::default()).await;
    crowd(&mut book).await;
    trouble(&mut book, &app, &schema, proxy).await;
    book.close();
}

pub fn keyed(app: &App) -> [(&str, &str); 2] {
    [("x-api-key", app.key()), ("content-type", "application/json")]
}

fn ids(book: &Book, of: impl Fn(&Operation) -> bool) -> Vec<String> {
    book.operations.iter().filter(|one| of(one)).map(|one| one.id.clone()).collect()
}

/// Whoever may not ask, or asks elsewhere, or for what is not served.
async fn strangers(book: &mut Book, app: &App, schema: &Schema) {
    let scopes = schema.psql("SELECT MIN(scopes) FROM api_keys");
    for id in ids(book, |one| one.keyed) {
        book.ask(app, &id, 401, Ask::default()).await;
        let unknown = [("x-api-key", "vst_unknown")];
        book.ask(app, &id, 401, Ask { headers: &unknown, ..Ask::default() }).await;
    }
    schema.psql("UPDATE api_keys SET scopes = '[]'");
    for id in ids(book, |one| one.keyed) {
        let reply = book.ask(app, &id, 401, Ask { headers: &keyed(app), ..Ask::default() }).await;
        assert_eq!(reply.json()["type"], "errors/insufficient_privileges");
    }
    schema.psql(&format!("UPDATE api_keys SET scopes = '{}'", scopes.trim()));
    for id in ids(book, |one| one.held) {
        book.ask(app, &id, 401, Ask::default()).await;
        let unknown = [("authorization", "Bearer unknown")];
        book.ask(
            app,
            &id,
            401,
            Ask { values: &[NOBODY], headers: &unknown, body: r#"{"version":1}"#, ..Ask::default() },
        )
        .await;
    }
    for id in ids(book, |one| one.has(421)) {
        let accept = if book.operation(&id).tag == "Pages" { "text/html" } else { "application/json" };
        let headers = [("host", "other.example.com"), ("accept", accept)];
        book.ask(app, &id, 421, Ask { headers: &headers, ..Ask::default() }).await;
    }
    for id in ids(book, |one| one.tag == "postpress, not served") {
        book.ask(app, &id, 501, Ask { headers: &keyed(app), ..Ask::default() }).await;
    }
    for id in ids(book, |one| one.method == "OPTIONS") {
        book.ask(app, &id, 204, Ask { values: &[NOBODY], ..Ask::default() }).await;
    }
}

/// What every call that takes an idempotency key does with it: `body` has its effect once.
pub async fn again(
    book: &mut Book,
    app: &App,
    schema: &Schema,
    id: &str,
    values: &[&str],
    body: &str,
    other: &str,
) {
    let [key, kind] = keyed(app);
    let headers = [key, kind, ("idempotency-key", "k")];
    let ask = Ask { values, headers: &headers, body, ..Ask::default() };
    let calls = || schema.psql("SELECT COUNT(*) FROM idempotent_calls");
    let before = calls();
    let mut blocker = PgConnection::connect(&schema.url()).await.expect("a connection");
    sqlx::raw_sql("BEGIN; LOCK TABLE sessions, accounts, endpoints IN EXCLUSIVE MODE")
        .execute(&mut blocker)
        .await
        .expect("a lock");
    let operation = book.operation(id);
    let (first, second) = tokio::join!(sent(app, operation, &ask), async {
        eventually_async("the first to run", READY, async || (calls() != before).then_some(())).await;
        let second = sent(app, operation, &ask).await;
        sqlx::raw_sql("COMMIT").execute(&mut blocker).await.expect("the lock is let go");
        second
    });
    book.enter(id, 409, &second);
    let made = first.status;
    book.enter(id, made, &first);
    let replayed = book.ask(app, id, made, ask.clone()).await;
    assert_eq!((&replayed.body, replayed.header("idempotency-replayed")), (&first.body, "true"));
    book.ask(app, id, 422, Ask { body: other, ..ask }).await;
}

/// The links and accounts of postpress; gives a connected link.
async fn postpress(book: &mut Book, app: &App, schema: &Schema, mailbox: &Mailbox) -> String {
    let key = keyed(app);
    let plain = Ask { headers: &key, ..Ask::default() };
    let asked =
        json!({ "type": "create", "providers": "*", "api_url": app.url("/v1"), "expiresOn": in_an_hour() });
    let mut other = asked.clone();
    other["name"] = json!("other");
    again(book, app, schema, "createLink", &[], &asked.to_string(), &other.to_string()).await;
    for body in ["{", "{}", r#"{"type":"none"}"#] {
        book.ask(app, "createLink", 400, Ask { body, ..plain.clone() }).await;
    }
    let large = " ".repeat(300_000);
    book.ask(app, "createLink", 400, Ask { body: &large, ..plain.clone() }).await;
    let mut lost = asked.clone();
    lost["type"] = json!("reconnect");
    lost["reconnect_account"] = json!("acc_01M82PMF2KM01WCYP2MQRYWX7J");
    book.ask(app, "createLink", 404, Ask { body: &lost.to_string(), ..plain.clone() }).await;
    let mut connected = String::new();
    for address in [ADDRESS, SECOND] {
        let link = app.link(json!({ "name": "twin" })).await;
        connect(mailbox, &link, address).await;
        connected = link.id;
    }
    for id in ["listLinks", "listAccounts"] {
        let list = book.ask(app, id, 200, plain.clone()).await;
        assert!(list.json()["items"].as_array().is_some_and(|items| items.len() >= 2), "{}", list.text());
        for query in ["?limit=0", "?limit=251", "?cursor=none"] {
            book.ask(app, id, 400, Ask { query, ..plain.clone() }).await;
        }
    }
    book.ask(app, "readLink", 200, Ask { values: &[&connected], ..plain.clone() }).await;
    let fresh = app.link(json!({})).await;
    book.ask(app, "cancelLink", 200, Ask { values: &[&fresh.id], ..plain.clone() }).await;
    book.ask(app, "cancelLink", 422, Ask { values: &[&connected], ..plain.clone() }).await;
    for id in ["readLink", "cancelLink", "readAccount", "deleteAccount"] {
        book.ask(app, id, 404, Ask { values: &[NOBODY], ..plain.clone() }).await;
    }
    book.ask(app, "readRiposteAccount", 409, Ask { values: &["twin"], ..plain.clone() }).await;
    book.ask(app, "deleteRiposteAccount", 409, Ask { values: &["twin"], ..plain.clone() }).await;
    let accounts = app.accounts().await;
    let account = |at: usize| accounts[at]["id"].as_str().expect("an id");
    let at = [account(0)];
    book.ask(app, "readAccount", 200, Ask { values: &at, ..plain.clone() }).await;
    credentials(book, app, &at).await;
    audit(book, app).await;
    import(book, app, schema, mailbox).await;
    book.ask(app, "deleteAccount", 200, Ask { values: &[account(0)], ..plain.clone() }).await;
    let list = book.ask(app, "listRiposteAccounts", 200, plain.clone()).await;
    assert_eq!(list.json()["accounts"].as_array().map(Vec::len), Some(1));
    book.ask(app, "readRiposteAccount", 200, Ask { values: &["twin"], ..plain.clone() }).await;
    book.ask(app, "deleteRiposteAccount", 200, Ask { values: &[account(1)], ..plain.clone() }).await;
    connected
}

async fn credentials(book: &mut Book, app: &App, at: &[&str]) {
    let key = app.trusted_key();
    let trusted = [("x-api-key", key.as_str())];
    let ask = Ask { values: at, headers: &trusted, ..Ask::default() };
    book.ask(app, "readCredentials", 200, ask.clone()).await;
    book.ask(app, "readCredentials", 400, Ask { body: r#"{"refresh":"perhaps"}"#, ..ask.clone() }).await;
    book.ask(app, "readCredentials", 404, Ask { values: &[NOBODY], ..ask }).await;
}

async fn audit(book: &mut Book, app: &App) {
    let key = app.key_for(&["--audit", "--no-manage"]);
    let auditor = [("x-api-key", key.as_str())];
    let ask = Ask { headers: &auditor, ..Ask::default() };
    let lines = book.ask(app, "listAudit", 200, ask.clone()).await;
    assert!(lines.json()["items"].as_array().is_some_and(|items| items.len() >= 3), "{}", lines.text());
    for query in ["?limit=0", "?limit=251", "?cursor=none"] {
        book.ask(app, "listAudit", 400, Ask { query, ..ask.clone() }).await;
    }
}

/// Accounts from elsewhere; what came of it is removed again.
async fn import(book: &mut Book, app: &App, schema: &Schema, mailbox: &Mailbox) {
    let mut body = crate::callers::imports::mailbox(mailbox);
    let first = body.to_string();
    body["name"] = json!("other");
    again(book, app, schema, "importAccount", &[], &first, &body.to_string()).await;
    let key = keyed(app);
    for body in ["{", "{}", r#"{"provider":"imap","credentials":{}}"#] {
        book.ask(app, "importAccount", 400, Ask { headers: &key, body, ..Ask::default() }).await;
    }
    schema.psql("DELETE FROM accounts WHERE id = (SELECT MAX(id) FROM accounts)");
}

/// A sign-in that waits is finished, with the wrong code and the right one.
async fn finish(book: &mut Book, app: &App, id: &str, at: &str, code: &str, field: &str) {
    let key = keyed(app);
    let body = json!({ field: code }).to_string();
    let wrong = json!({ field: "wrong" }).to_string();
    let ask = Ask { values: &[at], headers: &key, ..Ask::default() };
    for body in ["{", "{}", &wrong] {
        book.ask(app, id, 400, Ask { body, ..ask.clone() }).await;
    }
    book.ask(app, id, 404, Ask { values: &[NOBODY], body: &body, ..ask.clone() }).await;
    book.ask(app, id, 200, Ask { body: &body, ..ask.clone() }).await;
    book.ask(app, id, 422, Ask { body: &body, ..ask }).await;
}

/// Both dialects' links that wait; what came of them is removed again.
async fn finishes(book: &mut Book, app: &App, mailbox: &Mailbox) {
    let waits = json!({ "require_finish": true, "success_redirect_url": HOME });
    let link = app.link(waits).await;
    let end = Person::new().connect(mailbox, &link).await;
    finish(book, app, "finishLink", &link.id, &code(&end), "finish_code").await;
    let body = json!({ "redirectUri": HOME, "provider": "imap", "requireFinish": true });
    let link = Dialect::Riposte.made(&app.api("POST", "/auth/sessions", Some(body)).await);
    let person = Person::new();
    let password = Dialect::Riposte.until_password(&person, mailbox, &link).await;
    let end = person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
    finish(book, app, "finishSession", &link.id, &code(&end), "finishCode").await;
    for account in app.accounts().await {
        let path = format!("/v1/accounts/{}", account["id"].as_str().expect("an id"));
        assert_eq!(app.api("DELETE", &path, None).await.status, 200);
    }
}

/// The code with which a page sends somebody home.
fn code(end: &crate::app::person::Seen) -> String {
    let url = crate::app::signing::leaves_for(end);
    crate::app::signing::parameter(&url, "finish_code").expect("a code")
}

/// Walks through the wizard with one of the mailbox's addresses.
async fn connect(mailbox: &Mailbox, link: &Link, address: &str) {
    let person = Person::new();
    let first = person.begin(link).await;
    let servers = person.submit(&first, &first.sheet().with("email", address)).await;
    let mut sheet = servers.sheet();
    for (name, value) in mailbox.servers() {
        sheet = sheet.with(name, if name == "login" { address } else { &value });
    }
    let password = person.submit(&servers, &sheet).await;
    let end = person.submit(&password, &password.sheet().with("password", PASSWORD)).await;
    assert_eq!(end.reply.status, 200, "{}", end.text());
}

/// A new session of Riposte: its code and its state.
pub async fn session(app: &App) -> (String, String) {
    let reply =
        app.api("POST", "/auth/sessions", Some(json!({ "redirectUri": HOME, "provider": "imap" }))).await;
    let made = reply.json();
    let url = made["authUrl"].as_str().expect("a link");
    let state = url.rsplit_once("state=").expect("a state").1;
    (made["code"].as_str().expect("a code").to_owned(), state.to_owned())
}

fn start(state: &str) -> String {
    json!({ "state": state, "provider": "imap" }).to_string()
}

async fn riposte(book: &mut Book, app: &App, schema: &Schema, connected: &str) {
    let key = keyed(app);
    let plain = Ask { headers: &key, ..Ask::default() };
    let body = |person: &str| json!({ "redirectUri": HOME, "customUserId": person }).to_string();
    again(book, app, schema, "createSession", &[], &body("one"), &body("two")).await;
    book.ask(app, "createSession", 400, Ask { body: "{}", ..plain.clone() }).await;
    let (code, state) = session(app).await;
    let at = Ask { values: &[&code], ..plain.clone() };
    let list = book.ask(app, "listSessions", 200, plain.clone()).await;
    assert!(list.json()["sessions"].as_array().is_some_and(|all| !all.is_empty()));
    for id in ["listSessions", "listRiposteAccounts"] {
        for query in ["?page=0", "?limit=0", "?limit=251"] {
            book.ask(app, id, 400, Ask { query, ..plain.clone() }).await;
        }
    }
    book.ask(app, "readSession", 200, at.clone()).await;
    let mine = start(&state);
    let open = Ask { values: &[&code], body: &mine, ..Ask::default() };
    let foreign = [("sec-fetch-site", "cross-site")];
    book.ask(app, "startSession", 401, Ask { headers: &foreign, ..open.clone() }).await;
    book.ask(app, "startSession", 400, Ask { body: "{", ..open.clone() }).await;
    book.ask(app, "startSession", 404, Ask { values: &[NOBODY], ..open.clone() }).await;
    book.ask(app, "startSession", 200, open.clone()).await;
    book.ask(app, "startSession", 409, open.clone()).await;
    book.ask(app, "cancelSession", 200, at.clone()).await;
    book.ask(app, "startSession", 410, open).await;
    book.ask(app, "cancelSession", 422, Ask { values: &[connected], ..plain.clone() }).await;
    for id in ["readSession", "cancelSession", "readRiposteAccount", "deleteRiposteAccount"] {
        book.ask(app, id, 404, Ask { values: &[NOBODY], ..plain.clone() }).await;
    }
}

async fn steps(book: &mut Book, app: &App, schema: &Schema) {
    let key = keyed(app);
    let link = app.link(json!({})).await;
    let at = Ask { values: &[&link.id], headers: &key, ..Ask::default() };
    again(book, app, schema, "startSteps", &[&link.id], "{}", r#"{"takeover":true}"#).await;
    let held = book.ask(app, "startSteps", 409, at.clone()).await;
    assert_eq!(held.json()["type"], "errors/session_held");
    book.ask(app, "startSteps", 400, Ask { body: "{", ..at.clone() }).await;
    book.ask(app, "startSteps", 404, Ask { values: &[NOBODY], ..at.clone() }).await;
    let begun = book.ask(app, "startSteps", 201, Ask { body: r#"{"takeover":true}"#, ..at.clone() }).await;
    let bearer = token(&begun);
    let headers = [("authorization", bearer.as_str())];
    let mine = Ask { headers: &headers, ..at.clone() };
    let seen = book.ask(app, "readSteps", 200, mine.clone()).await;
    let body = json!({ "version": seen.json()["version"], "fields": { "email": ADDRESS } }).to_string();
    book.ask(app, "answerStep", 200, Ask { body: &body, ..mine.clone() }).await;
    book.ask(app, "answerStep", 400, Ask { body: "{}", ..mine.clone() }).await;
    // Streams end with the session; two may be open until then.
    let watch = book.operation("watchSteps");
    let refused = async {
        let refused = eventually_async("two streams to be open", READY, async || {
            let url = app.url(&watch.path(&[&link.id]));
            let asked =
                tokio::time::timeout(std::time::Duration::from_millis(200), send("GET", &url, &headers, b""));
            asked.await.ok().filter(|reply| reply.status == 429)
        });
        let refused = refused.await;
        let ended = sent(app, book.operation("cancelSteps"), &mine).await;
        (refused, ended)
    };
    // Whoever asks whether both are open may take a place for a moment, so a stream that was refused comes again.
    let stream = async || loop {
        let reply = sent(app, watch, &mine).await;
        if reply.status != 429 {
            break reply;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let (one, two, (refused, ended)) = tokio::join!(stream(), stream(), refused);
    book.enter("cancelSteps", 200, &ended);
    book.enter("watchSteps", 429, &refused);
    for stream in [one, two] {
        assert!(stream.text().contains("event: session"), "{}", stream.text());
        book.enter("watchSteps", 200, &stream);
    }
    book.ask(app, "startSteps", 410, at).await;
}

fn token(begun: &Reply) -> String {
    format!("Bearer {}", begun.json()["token"].as_str().expect("a token"))
}

async fn document(book: &mut Book, app: &App) {
    for id in ids(book, |one| one.tag == "Document") {
        let reply = book.ask(app, &id, 200, Ask::default()).await;
        let tag = [("if-none-match", reply.header("etag"))];
        book.ask(app, &id, 304, Ask { headers: &tag, ..Ask::default() }).await;
        if reply.header("content-type").contains("json") {
            assert_eq!(reply.json(), vestibule::dialects::document::json().expect("the document"));
        }
    }
}

/// One address that asks too often.
async fn crowd(book: &mut Book) {
    let app = App::with(&[("TRUSTED_PROXIES", "127.0.0.0/8"), ("REQUESTS_PER_MINUTE_ADDRESS", "1")]);
    let from = ("x-forwarded-for", "198.51.100.1");
    assert_eq!(send("GET", &app.url("/openapi.json"), &[from], b"").await.status, 200);
    for id in ids(book, |one| one.has(429)) {
        let accept = if book.operation(&id).tag == "Pages" { "text/html" } else { "application/json" };
        book.ask(&app, &id, 429, Ask { headers: &[from, ("accept", accept)], ..Ask::default() }).await;
    }
}

/// Rows that cannot be read, and then no database at all.
async fn trouble(book: &mut Book, app: &App, schema: &Schema, proxy: PgProxy) {
    let (code, state) = session(app).await;
    let link = app.link(json!({})).await;
    let secret = link.url.rsplit_once('/').expect("a secret").1.to_owned();
    let gmail = "gmail".to_owned();
    let (body, form) = (start(&state), format!("session={code}&state={state}"));
    let key = keyed(app);
    let begun = sent(
        app,
        book.operation("startSteps"),
        &Ask { values: &[&link.id], headers: &key, ..Ask::default() },
    )
    .await;
    let bearer = token(&begun);
    let [own, _] = key;
    let origin = app.url("");
    let pair = format!("?{form}");
    // As each operation is asked when nothing is wrong.
    let well = |one: &Operation| -> (Vec<String>, &str, Vec<(&str, &str)>, &str) {
        let (value, query, body) = match one.id.as_str() {
            "openLink" | "claimLink" => (&secret, "", ""),
            "openSession" => (&secret, &*pair, ""),
            "claimSession" => (&secret, "", &*form),
            "startSession" => (&code, "", &*body),
            "providerCallback" => (&gmail, "?state=x&code=y", ""),
            "answerStep" => (&link.id, "", r#"{"version":1}"#),
            _ => (&link.id, "", ""),
        };
        let mut headers = vec![("accept", if one.tag == "Pages" { "text/html" } else { "application/json" })];
        match (one.keyed, one.held) {
            (true, _) => headers.push(own),
            (_, true) => headers.push(("authorization", &bearer)),
            // What is none of ours is told so without a look into the database.
            _ if one.id == "adminConsent" => headers.push(("sec-purpose", "prefetch")),
            _ => headers.push(("origin", &origin)),
        }
        (vec![value.clone()], query, headers, body)
    };
    let all = async |book: &mut Book, status: u16| {
        let asked =
            book.operations.iter().filter(|one| one.has(status) && one.id != EVENTS).map(async |one| {
                let (values, query, headers, body) = well(one);
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                (
                    one.id.clone(),
                    sent(app, one, &Ask { values: &values, query, headers: &headers, body }).await,
                )
            });
        for (id, reply) in join_all(asked).await {
            book.enter(&id, status, &reply);
        }
    };
    schema.psql("UPDATE api_keys SET scopes = 'spoilt'; UPDATE sessions SET providers = 'spoilt'");
    all(book, 500).await;
    drop(proxy);
    all(book, 503).await;
    // What passes leads back to where it was asked for.
    let page = sent(
        app,
        book.operation("openLink"),
        &Ask { values: &[&secret], headers: &[("accept", "text/html")], ..Ask::default() },
    )
    .await;
    let way_on = format!("class=\"button\" href=\"{}\"", format!("/connect/{secret}").replace('/', "&#x2f;"));
    assert!(page.text().contains(&way_on), "{}", page.text());
}
