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
const ROUNDS: usize = 3;

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
        println!("| database | nodes | lanes | accounts | due | ms in all, best of {ROUNDS} | µs for each due one |");
        println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        for table in TABLES {
            let folder = Scratch::new("watch");
            measure("SQLite", &sqlite_url(&folder.join("vestibule.db")), 1, table).await;
            let one = schema();
            measure("PostgreSQL", &one.url(), 1, table).await;
            let two = schema();
            measure("PostgreSQL", &two.url(), 2, table).await;
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

async fn measure(name: &str, url: &str, nodes: usize, (lanes, sizes): (usize, &[usize])) {
    let key = Key::generate(&Random::system());
    let mut all = Vec::new();
    for _ in 0..nodes {
        all.push(node(url, &key).await);
    }
    sqlx::any::install_default_drivers();
    let mut behind = AnyConnection::connect(url).await.unwrap();
    let mut there = 0;
    for size in sizes {
        fill(all[0].store(), there, *size, lanes).await;
        there = *size;
        // As the databases do by themselves after a while; if they did so in between, the filling would be measured as well.
        let settled: [&str; 2] = match name {
            "SQLite" => ["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"],
            _ => ["VACUUM ANALYZE", "CHECKPOINT"],
        };
        for statement in settled {
            sqlx::raw_sql(statement).execute(&mut behind).await.unwrap();
        }
        let mut best = Duration::MAX;
        for _ in 0..ROUNDS {
            best = best.min(round(&all, &mut behind).await);
        }
        let micros = best.as_secs_f64() * 1e6 / DUE as f64;
        let all = best.as_secs_f64() * 1e3;
        println!("| {name} | {nodes} | {lanes} | {size} | {DUE} | {all:.0} | **{micros:.0}** |");
    }
}

/// Adds accounts up to a number, none of them due, spread over so many lanes.
async fn fill(store: &Store, from: usize, to: usize, lanes: usize) {
    let now = Clock::system().now();
    let random = Random::system();
    let made: Vec<_> = (from..to)
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

/// Makes some accounts due and lets the nodes' loops look at them; how long until none was.
async fn round(nodes: &[Connect], behind: &mut AnyConnection) -> Duration {
    let some = "UPDATE accounts SET check_at = 1 WHERE id IN (SELECT id FROM accounts ORDER BY identity_mark LIMIT $1)";
    sqlx::query(some).bind(DUE as i64).execute(&mut *behind).await.unwrap();
    let (stop, stopped) = watch::channel(false);
    let began = Instant::now();
    let loops: Vec<_> = nodes
        .iter()
        .map(|node| tokio::spawn(vestibule::workers::watch::run(node.clone(), stopped.clone())))
        .collect();
    loop {
        // By the indexes, so that looking costs the same however many accounts there are.
        let due = "SELECT COUNT(*) FROM accounts WHERE check_at = 1";
        let mut left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM accounts WHERE busy_until > 0")
            .fetch_one(&mut *behind)
            .await
            .unwrap();
        left += sqlx::query_scalar::<_, i64>(due).fetch_one(&mut *behind).await.unwrap();
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed();
    stop.send(true).unwrap();
    for one in loops {
        one.await.unwrap();
    }
    took
}
