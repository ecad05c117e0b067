//! Measures what watching over accounts costs for each account that is due, with few and with many accounts in the table: on
//! SQLite, on PostgreSQL, and on PostgreSQL with two nodes. Run by `cargo xtask bench`; it prints a table and never fails
//! because of a number.
//!
//! The loop is the server's own, over the server's own store; the provider answers at once, so that what is left is ours:
//! finding lanes, taking accounts, opening their secrets, judging, writing down. Every round has as many accounts due, in few
//! lanes or in as many as mail hosts may be.

#![expect(clippy::unwrap_used, reason = "what cannot be measured ends the measurement")]
#![expect(clippy::allow_attributes, reason = "parts and harness are libraries for the tests they belong to")]

#[path = "../../tests/it/app/mod.rs"]
#[allow(dead_code, unused_imports, missing_docs, reason = "what the tests need besides")]
mod app;
#[path = "../../tests/it/parts/mod.rs"]
#[allow(dead_code, unused_imports, missing_docs, reason = "what the tests need besides")]
mod parts;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parts::postgres::schema;
use parts::scratch::Scratch;
use serde_json::json;
use sqlx::{AnyConnection, Connection};
use tokio::sync::watch;
use vestibule::connect::{Connect, Limits};
use vestibule::contract::{
    About, Allowance, Answer, Begin, Checked, Context, Credentials, Detects, Next, Outlook, Profile,
    Provider, Returns, State, Trouble,
};
use vestibule::kernel::clock::Clock;
use vestibule::kernel::egress::{Egress, Setup};
use vestibule::kernel::ids::AccountId;
use vestibule::kernel::random::Random;
use vestibule::kernel::seal::{Key, KeyRing};
use vestibule::kernel::words::Status;
use vestibule::store::{Account, Address, Store, Watch, sqlite_url};
use zeroize::Zeroizing;

const DUE: usize = 1_000;
/// How many lanes the accounts are spread over, and how many accounts there are in turn.
const TABLES: [(usize, &[usize]); 2] = [(20, &[1_000, 10_000, 100_000]), (20_000, &[100_000])];
const ROUNDS: usize = 9;
/// Long enough for a loop to have started.
const STARTED: Duration = Duration::from_secs(2);

/// What the accounts are kept in.
#[derive(Clone, Copy)]
enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A provider that answers at once.
struct AtOnce(About);

#[async_trait]
impl Provider for AtOnce {
    fn about(&self) -> &About {
        &self.0
    }

    async fn begin(&self, _: &Context, _: Begin) -> Result<Next, Trouble> {
        Err(Trouble::bug("not_here"))
    }

    async fn answer(&self, _: &Context, _: State, _: Answer) -> Result<Next, Trouble> {
        Err(Trouble::bug("not_here"))
    }

    fn credentials(&self, _: &State, _: &Profile) -> Result<Credentials, Trouble> {
        Err(Trouble::bug("not_here"))
    }

    fn outlook(&self, secret: &State) -> Result<Outlook, Trouble> {
        let peer = secret.0["host"].as_str().unwrap_or_default().to_owned();
        Ok(Outlook { peer, renews: false, client: None, end: None })
    }

    async fn check(&self, _: &Context, _: State) -> Result<Checked, Trouble> {
        Ok(Checked::Fine)
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        sqlx::any::install_default_drivers();
        println!("For each of {DUE} due accounts, the same ones in {ROUNDS} rounds. Written is what SQLite writes, and PostgreSQL's log.\n");
        println!("| database | nodes | lanes | accounts | µs, best | µs, median | kB written, median |");
        println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        for table in TABLES {
            measure(Database::Sqlite, 1, table).await;
            measure(Database::Postgres, 1, table).await;
            measure(Database::Postgres, 2, table).await;
        }
    });
}

async fn node(url: &str, key: &Key) -> Connect {
    let (clock, random) = (Clock::system(), Random::system());
    let address = Address { url: url.to_owned(), connections: 8 };
    let ring = KeyRing::new(vec![key.clone()], random.clone()).unwrap();
    let store = Store::open(&address, ring, clock.clone(), random.clone()).await.unwrap();
    let egress = Egress::new(Setup { allow: Vec::new(), name_server: None, extra_ca_file: None }).unwrap();
    let allowance = Allowance::new(0, 0);
    let cx = Context { egress, clock, random, allowance, returns: Returns::default() };
    let about = About {
        slug: "mail".to_owned(),
        groups: Vec::new(),
        methods: Vec::new(),
        detects: Detects::default(),
        refuses_web_views: false,
        strings: BTreeMap::new(),
        icon: "",
    };
    let catalogue: Vec<Arc<dyn Provider>> = vec![Arc::new(AtOnce(about))];
    Connect::new(store, catalogue, BTreeMap::new(), cx, Limits::default(), "http://localhost").await.unwrap()
}

/// A database with so many accounts, and its nodes.
struct House {
    accounts: usize,
    nodes: Vec<Connect>,
    behind: AnyConnection,
    /// What each round took, and how many bytes were written in it.
    rounds: Vec<(Duration, i64)>,
}

async fn house(database: Database, url: &str, nodes: usize, lanes: usize, accounts: usize) -> House {
    let key = Key::generate(&Random::system());
    let mut all = Vec::new();
    for _ in 0..nodes {
        all.push(node(url, &key).await);
    }
    fill(all[0].store(), accounts, lanes).await;
    let mut behind = AnyConnection::connect(url).await.unwrap();
    // As the databases do by themselves after a while; if they did so in between, the filling would be measured as well.
    let settled: [&str; 2] = match database {
        Database::Sqlite => ["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"],
        Database::Postgres => ["VACUUM ANALYZE", "CHECKPOINT"],
    };
    for statement in settled {
        sqlx::raw_sql(statement).execute(&mut behind).await.unwrap();
    }
    House { accounts, nodes: all, behind, rounds: Vec::new() }
}

/// Measures a kind of house in all its sizes, one after the other in each round: the machine is not as fast at all times, and
/// the sizes are to be compared.
async fn measure(database: Database, nodes: usize, (lanes, sizes): (usize, &[usize])) {
    let folder = Scratch::new("watch");
    let mut schemas = Vec::new();
    let mut houses = Vec::new();
    for accounts in sizes {
        let url = match database {
            Database::Sqlite => sqlite_url(&folder.join(&format!("{accounts}.db"))),
            Database::Postgres => {
                let schema = schema();
                let url = schema.url();
                schemas.push(schema);
                url
            }
        };
        houses.push(house(database, &url, nodes, lanes, *accounts).await);
    }
    for _ in 0..ROUNDS {
        for house in &mut houses {
            let measured = round(database, &house.nodes, &mut house.behind).await;
            house.rounds.push(measured);
        }
    }
    for House { accounts, mut rounds, .. } in houses {
        let micros = |took: Duration| took.as_secs_f64() * 1e6 / DUE as f64;
        let kilobytes = |bytes: i64| bytes as f64 / 1e3 / DUE as f64;
        rounds.sort();
        let (best, median) = (micros(rounds[0].0), micros(rounds[ROUNDS / 2].0));
        rounds.sort_by_key(|(_, bytes)| *bytes);
        let wrote = kilobytes(rounds[ROUNDS / 2].1);
        let name = database.name();
        println!("| {name} | {nodes} | {lanes} | {accounts} | {best:.0} | **{median:.0}** | {wrote:.1} |");
    }
}

/// How many bytes were written so far: by this process, in which the embedded database lives, or to the server's log.
async fn written(database: Database, behind: &mut AnyConnection) -> i64 {
    match database {
        Database::Sqlite => {
            let counts = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
            let wrote = counts.lines().find_map(|line| line.strip_prefix("wchar: "));
            wrote.and_then(|bytes| bytes.parse().ok()).expect("a kernel that counts")
        }
        Database::Postgres => {
            let sql = "SELECT CAST(pg_current_wal_lsn() - '0/0' AS BIGINT)";
            sqlx::query_scalar(sql).fetch_one(behind).await.unwrap()
        }
    }
}

/// Adds so many accounts, none of them due, spread over so many lanes.
async fn fill(store: &Store, accounts: usize, lanes: usize) {
    let now = Clock::system().now();
    let random = Random::system();
    let made: Vec<_> = (0..accounts)
        .map(|number| {
            let host = format!("mail{}.example.org", number % lanes);
            let watch = Watch {
                lane: format!("mail/{host}"),
                check_at: now.after(Duration::from_secs(40_000)),
                ..Watch::default()
            };
            let account = Account {
                id: AccountId::new(now, &random),
                provider: "mail".to_owned(),
                status: Status::Ok,
                cause: None,
                identity_mark: number.to_string(),
                name_mark: None,
                details: Zeroizing::new(vec![b'x'; 400]),
                seq: 0,
                version: 1,
                created_at: now,
                updated_at: now,
                status_at: now,
                handed_out_at: None,
                watch,
            };
            (account, json!({ "host": host, "password": "x".repeat(200) }).to_string())
        })
        .collect();
    for some in made.chunks(500) {
        let written = store.write(some.to_vec(), |some, tx| {
            Box::pin(async move {
                for (account, secret) in some {
                    tx.insert_account(account, secret.as_bytes()).await?;
                }
                Ok(())
            })
        });
        written.await.unwrap();
    }
}

/// Makes some accounts due and lets the nodes' loops look at them: how long from the first that was taken until none was left,
/// and how many bytes were written. What a loop does once when it starts, and its waiting for its next look for lanes, are
/// no part of it.
async fn round(database: Database, nodes: &[Connect], behind: &mut AnyConnection) -> (Duration, i64) {
    let (stop, stopped) = watch::channel(false);
    let loops: Vec<_> = nodes
        .iter()
        .map(|node| tokio::spawn(vestibule::workers::watch::run(node.clone(), stopped.clone())))
        .collect();
    tokio::time::sleep(STARTED).await;
    let some = "UPDATE accounts SET check_at = 1 WHERE id IN (SELECT id FROM accounts ORDER BY identity_mark LIMIT $1)";
    sqlx::query(some).bind(DUE as i64).execute(&mut *behind).await.unwrap();
    let before = written(database, behind).await;
    let mut began = None;
    loop {
        // By the indexes, so that looking costs the same however many accounts there are.
        let held = "SELECT COUNT(*) FROM accounts WHERE busy_until > 0";
        let held: i64 = sqlx::query_scalar(held).fetch_one(&mut *behind).await.unwrap();
        let due = "SELECT COUNT(*) FROM accounts WHERE check_at = 1";
        let due: i64 = sqlx::query_scalar(due).fetch_one(&mut *behind).await.unwrap();
        if held > 0 || due < DUE as i64 {
            began.get_or_insert_with(Instant::now);
        }
        if held + due == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let took = began.map(|began| began.elapsed()).unwrap_or_default();
    let wrote = written(database, behind).await - before;
    stop.send(true).unwrap();
    for one in loops {
        one.await.unwrap();
    }
    (took, wrote)
}
