//! The bare handlers: axum, a JSON body, one durable insert; or an indexed read and a plain template. No key is
//! checked, no field validated, no host compared, no header added.
//!
//! Two inserts, since what is durable can be had in two ways at the same `synchronous = FULL`:
//! - `/grouped` gives its row to the server's own store, which commits the writes that are waiting together;
//! - `/single` is what one writes without a second thought: one statement, committed by itself, over SQLite's own
//!   driver. Its pool has one connection, as more of them would only fight for the one write lock.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use minijinja::{Environment, context};
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row, SqlitePool};
use vestibule::kernel::clock::Clock;
use vestibule::kernel::ids::SessionId;
use vestibule::kernel::random::{Random, Token, hash};
use vestibule::kernel::seal::{Key, KeyRing};
use vestibule::kernel::words::{Dialect, Purpose};
use vestibule::store::{Address, Session, Store, sqlite_url};

/// The argument that makes this program the bare server.
pub const VERB: &str = "--bare-handlers";

#[derive(Clone)]
struct Bare {
    store: Store,
    writing: SqlitePool,
    reading: SqlitePool,
    templates: Arc<Environment<'static>>,
    clock: Clock,
    random: Random,
}

/// Serves until it is killed.
pub fn run(folder: &str) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(folder))
}

#[expect(clippy::disallowed_methods, reason = "the bench tells its own copy which port to take")]
async fn serve(folder: &str) -> Result<()> {
    let port: u16 = std::env::var("PORT")?.parse()?;
    std::fs::create_dir_all(folder)?;
    let file = std::path::Path::new(folder).join("bare.db");
    let (clock, random) = (Clock::system(), Random::system());
    let ring = KeyRing::new(vec![Key::generate(&random)], random.clone())?;
    let address = Address { url: sqlite_url(&file), connections: 8 };
    let store = Store::open(&address, ring, clock.clone(), random.clone()).await?;
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|_| minijinja::AutoEscape::Html);
    templates.add_template("page", include_str!("plain.html"))?;
    let bare = Bare {
        store,
        writing: pool(&file, 1).await?,
        reading: pool(&file, 8).await?,
        templates: Arc::new(templates),
        clock,
        random,
    };
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/grouped", post(grouped))
        .route("/single", post(single))
        .route("/connect/{secret}", get(page))
        .with_state(bare);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, routes).await.context("serving")
}

/// The same settings as the server's connections have.
async fn pool(file: &std::path::Path, connections: u32) -> Result<SqlitePool> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(10))
        .foreign_keys(false)
        .pragma("cache_size", "-2000");
    let pool = SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
    Ok(pool.connect_with(options).await?)
}

/// A row of the same columns and the same size.
fn row(bare: &Bare, body: &Value) -> (Session, Token) {
    let now = bare.clock.now();
    let secret = Token::new(&bare.random);
    let session = Session {
        providers: vec!["imap".to_owned()],
        name_mark: Some(secret.hash()),
        ..Session::unopened(
            SessionId::new(now, &bare.random),
            Dialect::Postpress,
            Purpose::Create,
            secret.hash(),
            body.to_string().into_bytes().into(),
            now,
            now.after(Duration::from_secs(3600)),
        )
    };
    (session, secret)
}

fn created(secret: &Token) -> Response {
    let url = format!("http://127.0.0.1/connect/{}", secret.reveal());
    (StatusCode::CREATED, Json(json!({ "object": "HostedAuthURL", "url": url }))).into_response()
}

async fn grouped(State(bare): State<Bare>, Json(body): Json<Value>) -> Result<Response, StatusCode> {
    let (session, secret) = row(&bare, &body);
    let write = bare.store.write(session, |session, tx| Box::pin(tx.insert_session(session)));
    write.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(created(&secret))
}

async fn single(State(bare): State<Bare>, Json(body): Json<Value>) -> Result<Response, StatusCode> {
    let (session, secret) = row(&bare, &body);
    sqlx::query(
        "INSERT INTO sessions (id, dialect, purpose, state, link_hash, providers, request, name_mark, claim_no, \
         secrets_tried, seq, version, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(session.id.as_str())
    .bind(session.dialect.as_str())
    .bind(session.purpose.as_str())
    .bind(session.state.as_str())
    .bind(&*session.link_hash)
    .bind(json!(session.providers).to_string())
    .bind(session.request.as_slice())
    .bind(session.name_mark.as_deref())
    .bind(session.claim_no)
    .bind(session.secrets_tried)
    .bind(session.seq)
    .bind(session.version)
    .bind(session.created_at.0)
    .bind(session.expires_at.0)
    .execute(&bare.writing)
    .await
    .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(created(&secret))
}

async fn page(State(bare): State<Bare>, Path(secret): Path<String>) -> Result<Html<String>, StatusCode> {
    let found =
        sqlx::query("SELECT id, state, providers, request, expires_at FROM sessions WHERE link_hash = $1")
            .bind(hash(&secret))
            .fetch_optional(&bare.reading)
            .await
            .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?
            .ok_or(StatusCode::NOT_FOUND)?;
    let state: &str = found.try_get("state").map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let values = context! {
        product => "app.example.com",
        initial => "A",
        action => format!("/connect/{secret}"),
        state => state,
        form_token => hash(&secret),
    };
    let page = bare.templates.get_template("page").and_then(|template| template.render(values));
    Ok(Html(page.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?))
}
