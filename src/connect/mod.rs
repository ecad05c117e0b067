//! The use cases: making, claiming and reading sessions, the step engine, accounts, keys, deliveries. Every
//! rule lives here once; the public APIs, the wizard and the command line are mouths on it. It names no provider
//! and no dialect and knows nothing of HTTP.

mod accounts;
mod alerts;
mod attempts;
mod audit;
mod checks;
mod choose;
mod claims;
mod conversations;
mod deliveries;
mod ending;
mod endpoints;
mod error;
mod finish;
mod grants;
mod handouts;
mod import;
mod keys;
mod looks;
mod peers;
mod recognise;
mod releases;
mod repeats;
mod returns;
mod secrets;
mod sessions;
mod settle;
mod sweep;
mod talks;
mod telling;
mod turns;
mod view;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use accounts::AccountView;
pub use audit::{Asker, Audited};
pub use checks::{DueAccount, LaneWalk, Watched};
pub use choose::CHOOSING;
pub use claims::{Claim, Door, Look, Standing};
pub use deliveries::{DeliveryQuery, DeliveryView};
pub use endpoints::{EndpointChange, EndpointReply, EndpointView, MOST_ENDPOINTS, NewEndpoint, Target};
pub use error::{Broken, Error};
pub use finish::Finished;
pub use grants::{Given, Missing};
pub use handouts::Fate;
pub use import::{Import, ImportedAccount, Replying};
pub use keys::{AUDIT, CREDENTIALS, MANAGE, NewKey};
pub use looks::Looked;
pub use peers::Peers;
pub use repeats::{Once, Repeat, Turn};
pub use returns::Landing;
pub use secrets::{KeyStatus, KeyTrouble, Progress};
pub use sessions::{CreatedSession, Goal, NewSession, Page, SessionView};
pub use telling::{Telling, ToTell};

/// What an endpoint wants to hear of.
pub use crate::store::Wanted;
pub use view::{View, Watching};
pub use watch::Checks;

use serde::{Deserialize, Serialize};
use talks::Talks;
use tokio::sync::Semaphore;

use crate::contract::{Catalogue, Context, Profile, Provider};
use crate::kernel::clock::{Clock, Millis};
use crate::kernel::ids::NodeId;
use crate::kernel::random::Random;
use crate::kernel::seal::Marker;
use crate::store::Store;

/// What use cases give.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a provider that exists by name cannot be used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// Switched off in the configuration.
    SwitchedOff,
    /// Its settings are missing.
    NotSetUp,
    /// Not part of this version.
    NotBuilt,
}

/// How far things may go.
#[derive(Clone, Debug)]
pub struct Limits {
    /// A session lives no longer than this, whatever its backend asks for.
    pub session_life: Duration,
    /// How many secrets may be tried in one session.
    pub secrets_per_session: i64,
    /// How many connections to hosts of a person's choice one session may make.
    pub connects_per_session: i64,
    /// How often a session may move to another browser.
    pub takeovers: i64,
    /// How long sessions that ended are kept, and events.
    pub keep_sessions: Duration,
    /// How long calls that were done or given up are kept.
    pub keep_deliveries: Duration,
    /// How long the audit log is kept.
    pub keep_audit: Duration,
    /// How often accounts are looked at.
    pub checks: Checks,
}

impl Default for Limits {
    fn default() -> Self {
        let month = Duration::from_secs(30 * 24 * 3600);
        Self {
            session_life: month,
            secrets_per_session: 10,
            connects_per_session: 30,
            takeovers: 5,
            keep_sessions: month,
            keep_deliveries: month,
            keep_audit: Duration::from_secs(400 * 24 * 3600),
            checks: Checks::default(),
        }
    }
}

/// Everything the use cases stand on.
#[derive(Clone)]
pub struct Connect {
    store: Store,
    marker: Marker,
    catalogue: Arc<Catalogue>,
    absent: Arc<BTreeMap<String, Absence>>,
    cx: Context,
    limits: Limits,
    /// The public URL, for what is registered at providers.
    origin: Arc<str>,
    /// How many accounts may be being imported at once.
    imports: Arc<Semaphore>,
    /// This process, where conversations are held.
    node: NodeId,
    talks: Talks,
    /// Whom it asks about accounts.
    peers: Arc<Peers>,
}

impl Connect {
    /// Puts them together.
    ///
    /// # Errors
    /// When the store cannot give its marker.
    pub async fn new(
        store: Store,
        catalogue: Catalogue,
        absent: BTreeMap<String, Absence>,
        cx: Context,
        limits: Limits,
        origin: &str,
    ) -> Result<Self> {
        let marker = store.marker().await?;
        let (catalogue, absent, origin) = (Arc::new(catalogue), Arc::new(absent), origin.into());
        let imports = Arc::new(Semaphore::new(import::AT_ONCE));
        let node = NodeId::new(cx.clock.now(), &cx.random);
        let talks = Talks::default();
        let peers = Arc::default();
        Ok(Self { store, marker, catalogue, absent, cx, limits, origin, imports, node, talks, peers })
    }

    /// Has the providers try their settings that ask for it at every start, and logs what is wrong. Nothing waits for it.
    pub async fn try_settings(&self) {
        for provider in self.catalogue().iter().filter(|provider| provider.tries_at_start()) {
            for found in provider.try_settings(&self.cx).await {
                let (slug, code) = (&provider.about().slug, found.code);
                match found.fatal {
                    true => tracing::error!(provider = slug, key = found.key, code, "{}", found.what),
                    false => tracing::warn!(provider = slug, key = found.key, code, "{}", found.what),
                }
            }
        }
    }

    /// The providers that can be used, in the order they are offered.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Whom this node asks about accounts.
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// This process among the nodes.
    pub fn node(&self) -> &NodeId {
        &self.node
    }

    /// The rows, for readiness and for the loops.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The clock everything goes by.
    pub fn clock(&self) -> &Clock {
        &self.cx.clock
    }

    fn now(&self) -> Millis {
        self.cx.clock.now()
    }

    fn random(&self) -> &Random {
        &self.cx.random
    }

    fn provider(&self, slug: &str) -> Result<&Arc<dyn Provider>> {
        let found = self.catalogue.iter().find(|provider| provider.about().slug == slug);
        found.ok_or(Error::ProviderUnavailable)
    }

    fn name_mark(&self, name: &str) -> String {
        self.marker.mark("name", &[name])
    }

    fn identity_mark(&self, provider: &str, identity: &str) -> String {
        self.marker.mark("identity", &[provider, identity])
    }
}

/// What a backend asked for when it made the session: sealed with it, never changed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// The product's own name for the person, echoed to it.
    pub name: Option<String>,
    /// How the product would address the person on our first page.
    pub user_label: Option<String>,
    /// An address the product believes to be the person's.
    pub email: Option<String>,
    /// Called when the account is connected.
    pub notify_url: Option<String>,
    /// Where the browser goes when all went well.
    pub success_redirect_url: Option<String>,
    /// Where the browser goes when it ended otherwise.
    pub failure_redirect_url: Option<String>,
    /// Go home at once instead of showing our success page.
    pub bypass_success_screen: bool,
    /// Ask the provider for the person's consent even where it was given before.
    pub force_consent: bool,
    /// Hold the account until the backend redeems the code that the browser brings it.
    pub require_finish: bool,
}

/// The public part of an account, as it is sealed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Details {
    name: Option<String>,
    identity: String,
    profile: Profile,
}

fn encode<T: Serialize>(value: &T) -> Result<zeroize::Zeroizing<Vec<u8>>> {
    serde_json::to_vec(value)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| Error::internal("encoding a value", error))
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| Error::internal("reading a stored value", error))
}
