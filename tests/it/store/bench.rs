//! A database under test: nodes open it through the store, and the laws look behind the store's back.

use std::time::Duration;

use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};
use vestibule::kernel::clock::{Clock, Millis};
use vestibule::kernel::random::Random;
use vestibule::kernel::seal::{Key, KeyRing};
use vestibule::store::{Address, Result, Store, sqlite_url};

use crate::parts::postgres::{Schema, schema};
use crate::parts::scratch::Scratch;

/// How long something that happens by itself may take.
pub const SOON: Duration = Duration::from_secs(20);

enum Place {
    File(Scratch),
    Schema(Schema),
}

/// One database, and the key that its nodes share.
pub struct Database {
    place: Place,
    key: Key,
}

impl Database {
    /// An empty SQLite file in a folder of its own.
    pub fn sqlite() -> Self {
        Self { place: Place::File(Scratch::new("store")), key: Key::generate(&Random::system()) }
    }

    /// An empty PostgreSQL schema.
    pub fn postgres() -> Self {
        Self { place: Place::Schema(schema()), key: Key::generate(&Random::system()) }
    }

    pub fn url(&self) -> String {
        match &self.place {
            Place::File(folder) => sqlite_url(&folder.join("vestibule.db")),
            // Named, so that its connections are told from other tests'.
            Place::Schema(schema) => format!("{}&application_name={}", schema.url(), schema.name()),
        }
    }

    /// The schema's name, which its connections bear.
    pub fn name(&self) -> &str {
        match &self.place {
            Place::File(_) => "",
            Place::Schema(schema) => schema.name(),
        }
    }

    pub fn address(&self) -> Address {
        Address { url: self.url(), connections: 6 }
    }

    pub fn key(&self) -> Key {
        self.key.clone()
    }

    /// One more node.
    pub async fn open(&self) -> Store {
        self.open_with(vec![self.key()]).await.expect("the store opens")
    }

    /// One more node with a ring of its own.
    pub async fn open_with(&self, keys: Vec<Key>) -> Result<Store> {
        Store::open(&self.address(), ring(keys), Clock::system(), Random::system()).await
    }

    /// A connection that the store knows nothing of.
    pub async fn raw(&self) -> Raw {
        sqlx::any::install_default_drivers();
        Raw(AnyConnection::connect(&self.url()).await.expect("a connection"))
    }

    /// Every byte at rest: the files, or each row as text with its bytes in hexadecimal.
    pub async fn at_rest(&self) -> Vec<u8> {
        match &self.place {
            Place::File(folder) => ["vestibule.db", "vestibule.db-wal"]
                .iter()
                .flat_map(|name| std::fs::read(folder.join(name)).unwrap_or_default())
                .collect(),
            Place::Schema(schema) => {
                let tables = schema.psql(
                    "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()",
                );
                tables
                    .lines()
                    .map(|table| schema.psql(&format!("SELECT CAST(t AS TEXT) FROM {table} t")))
                    .collect::<String>()
                    .into_bytes()
            }
        }
    }
}

/// A ring of these keys.
pub fn ring(keys: Vec<Key>) -> KeyRing {
    KeyRing::new(keys, Random::system()).expect("a key")
}

/// The time by the clock that the nodes use.
pub fn now() -> Millis {
    Clock::system().now()
}

/// A connection behind the store's back.
pub struct Raw(AnyConnection);

impl Raw {
    pub async fn run(&mut self, sql: &str) {
        let ran = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.0).await;
        ran.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The one number that a query gives.
    pub async fn number(&mut self, sql: &str) -> i64 {
        let row = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.0).await;
        row.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
    }

    /// The first column of every row, as bytes.
    pub async fn bytes(&mut self, sql: &str) -> Vec<Vec<u8>> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.0).await;
        rows.unwrap_or_else(|error| panic!("{sql}: {error}")).iter().map(|row| row.get(0)).collect()
    }

    /// The first column of every row, as text.
    pub async fn texts(&mut self, sql: &str) -> Vec<String> {
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut self.0).await;
        rows.unwrap_or_else(|error| panic!("{sql}: {error}")).iter().map(|row| row.get(0)).collect()
    }

    /// Puts bytes into a column of the row that `condition` names.
    pub async fn put(&mut self, table: &str, column: &str, condition: &str, bytes: &[u8]) {
        let sql = format!("UPDATE {table} SET {column} = $1 WHERE {condition}");
        let done = sqlx::query(AssertSqlSafe(sql.clone())).bind(bytes.to_vec()).execute(&mut self.0).await;
        let done = done.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(done.rows_affected(), 1, "{sql}");
    }
}
