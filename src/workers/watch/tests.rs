//! The loop over a real store, beside a provider that answers, hangs, fails or panics as an account's secret says: how the
//! places are shared, which no test from outside can see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::*;
use crate::connect::{Checks, Limits};
use crate::contract::{
    About, Actor, Allowance, Answer, Begin, Checked, Context, Credentials, Detects, Next, Outlook, Profile,
    Provider, Returns, State, Trouble,
};
use crate::kernel::clock::{Clock, Millis};
use crate::kernel::egress::{Egress, Setup};
use crate::kernel::ids::AccountId;
use crate::kernel::random::Random;
use crate::kernel::seal::{Key, KeyRing};
use crate::kernel::words::Status;
use crate::store::{Account, Address, Store, sqlite_url};

/// What was asked about, in order: the hosts, or the slug where there is none.
type Asked = Arc<Mutex<Vec<String>>>;

struct Stage(About, Asked);

/// Longer than a hold stands that nobody renews.
const TAKES_LONG: Duration = Duration::from_secs(17);

#[async_trait]
impl Provider for Stage {
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

    async fn check(&self, _: &Context, secret: State) -> Result<Checked, Trouble> {
        let host = secret.0["host"].as_str().unwrap_or(&self.0.slug).to_owned();
        self.1.lock().unwrap().push(host);
        let silent = Trouble { code: "timeout", actor: Actor::Nobody };
        match secret.0["does"].as_str() {
            Some("hang") => std::future::pending().await,
            Some("fail") => Err(silent),
            Some("fail late") => {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Err(silent)
            }
            Some("take long") => {
                tokio::time::sleep(TAKES_LONG).await;
                Ok(Checked::Fine)
            }
            Some("panic") => panic!("as the test wants"),
            _ => Ok(Checked::Fine),
        }
    }
}

struct Bench {
    connect: Connect,
    asked: Asked,
    accounts: i64,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let (clock, random) = (Clock::system(), Random::system());
        let folder = tempfile::tempdir().unwrap();
        let address = Address { url: sqlite_url(&folder.path().join("vestibule.db")), connections: 4 };
        let ring = KeyRing::new(vec![Key::generate(&random)], random.clone()).unwrap();
        let store = Store::open(&address, ring, clock.clone(), random.clone()).await.unwrap();
        let egress =
            Egress::new(Setup { allow: Vec::new(), name_server: None, extra_ca_file: None }).unwrap();
        let (allowance, returns) = (Allowance::new(0, 0), Returns::default());
        let cx = Context { egress, clock, random, allowance, returns };
        let asked = Asked::default();
        let provider = |slug: &str| {
            let about = About {
                slug: slug.to_owned(),
                groups: Vec::new(),
                methods: Vec::new(),
                detects: Detects::default(),
                refuses_web_views: false,
                strings: BTreeMap::new(),
                icon: "",
            };
            Arc::new(Stage(about, asked.clone())) as Arc<dyn Provider>
        };
        let second = Duration::from_secs(1);
        let limits =
            Limits { checks: Checks { passwords: second, ..Checks::default() }, ..Limits::default() };
        let catalogue = vec![provider("mail"), provider("zeta")];
        let connect = Connect::new(store, catalogue, BTreeMap::new(), cx, limits, "http://localhost").await;
        Self { connect: connect.unwrap(), asked, accounts: 0, _folder: folder }
    }

    /// An account that is due since long ago, those made first for longest.
    async fn due(&mut self, slug: &str, status: Status, secret: Value) -> AccountId {
        self.accounts += 1;
        let now = self.connect.clock().now();
        let lane = match secret["host"].as_str() {
            Some(host) => format!("{slug}/{host}"),
            None => slug.to_owned(),
        };
        let watch = crate::store::Watch { lane, check_at: Millis(self.accounts), ..Default::default() };
        let account = Account {
            id: AccountId::new(now, &Random::system()),
            provider: slug.to_owned(),
            status,
            cause: None,
            identity_mark: self.accounts.to_string(),
            name_mark: None,
            details: Zeroizing::new(b"{}".to_vec()),
            seq: 0,
            version: 1,
            created_at: now,
            updated_at: now,
            status_at: now,
            handed_out_at: None,
            watch,
        };
        let id = account.id.clone();
        let context = (account, secret.to_string());
        let stored = self
            .connect
            .store()
            .write(context, |(account, secret), tx| Box::pin(tx.insert_account(account, secret.as_bytes())));
        stored.await.unwrap();
        id
    }

    fn watch(&self) -> Watch {
        Watch::over(self.connect.clone())
    }

    fn times(&self, host: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == host).count()
    }

    /// Runs the loop until somebody was asked about; everybody who was asked up to then, in order.
    async fn until_asked(&self, host: &str) -> Vec<String> {
        let (_stop, stopped) = watch::channel(false);
        let running = tokio::spawn(run(self.connect.clone(), stopped));
        let begun = Instant::now();
        while self.times(host) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(40), "{host} was not asked");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        running.abort();
        let asked = self.asked.lock().unwrap().clone();
        let at = asked.iter().position(|asked| asked == host).unwrap();
        asked[..at].to_vec()
    }
}

impl Watch {
    /// Takes some of a lane, and waits for what comes of them.
    async fn look(&mut self, lane: &str, some: usize) {
        let taken = self.connect.take_due(lane, some).await.unwrap();
        assert_eq!(taken.len(), some);
        for due in taken {
            self.start(lane.to_owned(), due);
        }
        while let Some(looked) = self.looks.join_next_with_id().await {
            self.ended(looked).await;
        }
    }
}

#[tokio::test]
async fn hosts_that_hang_leave_places_to_providers_whatever_their_names_and_numbers() {
    let mut bench = Bench::new().await;
    for number in 0..100 {
        bench.due("mail", Status::Ok, json!({ "host": format!("h{number}"), "does": "hang" })).await;
    }
    bench.due("zeta", Status::Ok, json!({})).await;
    let before = bench.until_asked("zeta").await;
    assert_eq!(before.len(), HOST_PLACES, "{before:?}");
}

#[tokio::test]
async fn a_working_host_has_its_turn_before_those_that_hang_have_another() {
    let mut bench = Bench::new().await;
    for number in 0..150 {
        bench.due("mail", Status::Ok, json!({ "host": format!("h{number}"), "does": "fail late" })).await;
    }
    bench.due("mail", Status::Ok, json!({ "host": "z" })).await;
    let before = bench.until_asked("z").await;
    let twice = (0..150).map(|number| format!("h{number}"));
    let twice = twice.filter(|host| before.iter().filter(|asked| *asked == host).count() > 1).count();
    assert_eq!(twice, 0, "{before:?}");
    // And hosts that are known to hang leave half of the places to the others.
    let mut watch = bench.watch();
    for number in 0..60 {
        let host = format!("d{number}");
        let id = bench.due("mail", Status::Ok, json!({ "host": host, "does": "hang" })).await;
        let silent = Looked::Silent(Trouble { code: "timeout", actor: Actor::Nobody });
        watch.connect.peers().noted(&format!("mail/{host}"), &id, &silent);
    }
    let mut lanes: Vec<String> = (0..60).map(|number| format!("mail/d{number}")).collect();
    watch.fill(&mut lanes).await;
    assert_eq!(watch.places.len(), DOUBTED_PLACES);
}

#[tokio::test]
async fn a_look_that_panics_gives_its_place_back_and_its_account_is_left_alone() {
    let mut bench = Bench::new().await;
    let mut all = Vec::new();
    for _ in 0..LANE_PLACES {
        all.push(bench.due("zeta", Status::Ok, json!({ "does": "panic" })).await);
    }
    let mut watch = bench.watch();
    watch.look("zeta", LANE_PLACES).await;
    assert!(watch.places.is_empty() && watch.in_lane.is_empty());
    for id in all {
        let read = bench.connect.store().read().await.unwrap().account_secret(&id).await.unwrap();
        let (account, _, hold) = read.unwrap();
        assert!(account.watch.check_at > bench.connect.clock().now(), "it is looked at later");
        assert_eq!((account.status, hold.map(|hold| hold.until)), (Status::Ok, Some(Millis(0))));
    }
}

#[tokio::test]
async fn a_look_that_asks_nobody_says_nothing_about_its_lane() {
    let mut bench = Bench::new().await;
    for (status, does) in [(Status::Ok, "fail"), (Status::Stopped, "fail"), (Status::Ok, "fail")] {
        for _ in 0..3 {
            bench.due("zeta", status, json!({ "does": does })).await;
        }
    }
    let mut watch = bench.watch();
    for _ in 0..3 {
        watch.look("zeta", 3).await;
    }
    assert_eq!(bench.times("zeta"), 6);
    assert_eq!(watch.connect.peers().admits("zeta", LANE_PLACES), 0);
    assert!(watch.connect.peers().doubts("zeta"));
}

#[tokio::test]
async fn a_look_that_takes_long_keeps_its_hold_beside_another_node() {
    let mut bench = Bench::new().await;
    let id = bench.due("zeta", Status::Ok, json!({ "does": "take long" })).await;
    let (stop, stopped) = watch::channel(false);
    let nodes = [(); 2].map(|()| tokio::spawn(run(bench.connect.clone(), stopped.clone())));
    let begun = Instant::now();
    while begun.elapsed() < TAKES_LONG {
        assert!(bench.times("zeta") <= 1, "taken over from who lives, after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.send(true).unwrap();
    for node in nodes {
        node.await.unwrap();
    }
    let read = bench.connect.store().read().await.unwrap().account_secret(&id).await.unwrap();
    let (account, _, hold) = read.unwrap();
    assert!(account.watch.checked_at.is_some(), "and what it came to is written down");
    assert_eq!((account.status, hold), (Status::Ok, None));
}
