//! What this process counts about itself, in the text that Prometheus reads. As ambient as the log: whoever has
//! something to count counts it. Labels are routes, slugs, codes and words of ours, never an id or what a person typed,
//! so their number is bounded.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// A request by its route's pattern.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabels {
    /// The method; `OTHER` for what HTTP does not know.
    pub method: String,
    /// The pattern, such as `/v1/accounts/{id}`; `none` where no route fits.
    pub route: String,
}

/// An answered request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// See [`RouteLabels`].
    pub method: String,
    /// See [`RouteLabels`].
    pub route: String,
    /// The answer's status.
    pub status: u16,
}

/// What came of an answer in the wizard.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabels {
    /// The provider's slug.
    pub provider: String,
    /// `step`, `refused`, `connected` or `failed`.
    pub outcome: String,
    /// The stable code of what was wrong; empty otherwise.
    pub code: String,
}

/// A provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ProviderLabels {
    /// Its slug.
    pub provider: String,
}

/// A look at an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CheckLabels {
    /// The provider's slug.
    pub provider: String,
    /// `fine`, `healed`, `doubted`, `refused` or `silent`.
    pub result: String,
}

/// A word.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabels {
    /// What came of it.
    pub result: String,
}

/// Everything that is counted.
pub struct Figures {
    registry: Registry,
    /// Answered requests.
    pub requests: Family<RequestLabels, Counter>,
    /// How long they took.
    pub request_time: Family<RouteLabels, Histogram, fn() -> Histogram>,
    /// Sessions made.
    pub sessions_created: Counter,
    /// Sessions that ended, by how.
    pub sessions_ended: Family<ResultLabels, Counter>,
    /// What came of answers in the wizard.
    pub outcomes: Family<OutcomeLabels, Counter>,
    /// How long providers took to answer.
    pub provider_time: Family<ProviderLabels, Histogram, fn() -> Histogram>,
    /// Looks at accounts.
    pub checks: Family<CheckLabels, Counter>,
    /// Read when asked: for how long the account that is due longest has been.
    pub checks_overdue: Gauge<f64, AtomicU64>,
    /// Refusals that were too many for the audit log.
    pub refusals_unwritten: Counter,
    /// Tries at calls to backends: `done`, `due` (to be tried again) or `dead`.
    pub tries: Family<ResultLabels, Counter>,
    /// How long receivers took.
    pub try_time: Histogram,
    /// Writes that were committed together on SQLite.
    pub batch: Histogram,
    /// How long such a commit took.
    pub commit_time: Histogram,
    /// Read when asked: sessions that may still be used.
    pub sessions_open: Gauge,
    /// Read when asked: calls that are due.
    pub deliveries_due: Gauge,
    /// Read when asked: how long the oldest of them has waited.
    pub oldest_due: Gauge<f64, AtomicU64>,
    /// Read when asked: database connections in use.
    pub connections: Gauge<i64, AtomicI64>,
}

/// From half a millisecond to a minute.
fn times() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

/// What this process has counted so far.
pub fn figures() -> &'static Figures {
    static FIGURES: LazyLock<Figures> = LazyLock::new(Figures::new);
    &FIGURES
}

impl Figures {
    fn new() -> Self {
        let mut figures = Self {
            registry: Registry::with_prefix("vestibule"),
            requests: Family::default(),
            request_time: Family::new_with_constructor(times),
            sessions_created: Counter::default(),
            sessions_ended: Family::default(),
            outcomes: Family::default(),
            provider_time: Family::new_with_constructor(times),
            checks: Family::default(),
            checks_overdue: Gauge::default(),
            refusals_unwritten: Counter::default(),
            tries: Family::default(),
            try_time: times(),
            batch: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]),
            commit_time: times(),
            sessions_open: Gauge::default(),
            deliveries_due: Gauge::default(),
            oldest_due: Gauge::default(),
            connections: Gauge::default(),
        };
        figures.register();
        figures
    }

    fn register(&mut self) {
        let all = &mut self.registry;
        let build: Family<[(&str, &str); 1], Gauge> = Family::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        all.register("build_info", "The version that runs", build);
        all.register(
            "http_requests",
            "Answered requests, by route pattern and status",
            self.requests.clone(),
        );
        let seconds = Unit::Seconds;
        let time = "How long requests took, by route pattern";
        all.register_with_unit("http_request_duration", time, seconds.clone(), self.request_time.clone());
        all.register("sessions_created", "Sessions made", self.sessions_created.clone());
        all.register("sessions_ended", "Sessions that ended, by how", self.sessions_ended.clone());
        all.register(
            "sessions_open",
            "Sessions that may still be used, all nodes",
            self.sessions_open.clone(),
        );
        let outcomes = "What came of answers in the wizard, by provider and code";
        all.register("wizard_answers", outcomes, self.outcomes.clone());
        let time = "How long providers took to answer";
        all.register_with_unit("provider_call_duration", time, seconds.clone(), self.provider_time.clone());
        let checks =
            "Looks at accounts, by provider and result: fine, healed, doubted, refused, silent (no answer)";
        all.register("account_checks", checks, self.checks.clone());
        let overdue = "For how long the account that is to be looked at first has been due, all nodes";
        let gauge = self.checks_overdue.clone();
        all.register_with_unit("account_checks_overdue", overdue, seconds.clone(), gauge);
        let unwritten = "Refused calls of a key that were too many a minute for the audit log";
        all.register("audit_refusals_unwritten", unwritten, self.refusals_unwritten.clone());
        let tries = "Tries at calls to backends: done, due (to be tried again), dead (given up)";
        all.register("webhook_tries", tries, self.tries.clone());
        let time = "How long receivers took";
        all.register_with_unit("webhook_try_duration", time, seconds.clone(), self.try_time.clone());
        all.register("webhook_deliveries_due", "Calls on their way, all nodes", self.deliveries_due.clone());
        let oldest = "How long the oldest call on its way has existed, all nodes";
        all.register_with_unit("webhook_oldest_due", oldest, seconds.clone(), self.oldest_due.clone());
        all.register("database_batch_writes", "Writes committed together on SQLite", self.batch.clone());
        let time = "How long a commit of such writes took";
        all.register_with_unit("database_commit_duration", time, seconds, self.commit_time.clone());
        all.register("database_connections_used", "Database connections in use", self.connections.clone());
    }

    /// An answered request.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let (method, route) = (method.to_owned(), route.to_owned());
        let time = RouteLabels { method: method.clone(), route: route.clone() };
        self.request_time.get_or_create(&time).observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    /// What came of an answer in the wizard.
    pub fn outcome(&self, provider: &str, outcome: &str, code: &str) {
        let labels = OutcomeLabels {
            provider: provider.to_owned(),
            outcome: outcome.to_owned(),
            code: code.to_owned(),
        };
        self.outcomes.get_or_create(&labels).inc();
    }

    /// A session that ended so.
    pub fn ended(&self, how: &str) {
        self.sessions_ended.get_or_create(&ResultLabels { result: how.to_owned() }).inc();
    }

    /// A provider took so long to answer.
    pub fn provider(&self, slug: &str, took: Duration) {
        let labels = ProviderLabels { provider: slug.to_owned() };
        self.provider_time.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A look at an account.
    pub fn checked(&self, slug: &str, result: &str) {
        let labels = CheckLabels { provider: slug.to_owned(), result: result.to_owned() };
        self.checks.get_or_create(&labels).inc();
    }

    /// A try at a call to a backend.
    pub fn tried(&self, result: &str, took: Duration) {
        self.tries.get_or_create(&ResultLabels { result: result.to_owned() }).inc();
        self.try_time.observe(took.as_secs_f64());
    }

    /// Everything, as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => unreachable!("writing to a string does not fail"),
        }
    }
}
