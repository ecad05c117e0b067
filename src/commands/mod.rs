//! What the commands share: from settings to a running core, and how results and failures are printed. Results
//! go to standard output alone, so that scripts can take them; everything else goes to standard error.

pub mod accounts;
pub mod audit;
pub mod care;
pub mod deliveries;
pub mod keys;
pub mod link;
pub mod secrets;
pub mod serve;
pub mod sessions;
pub mod settings;

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};
use vestibule::config::{self, Config, KeyFileError};
use vestibule::connect::{Absence, Checks, Connect, Limits};
use vestibule::contract::{Allowance, Context, Method, Returns};
use vestibule::kernel::clock::Clock;
use vestibule::kernel::egress::{Egress, Setup};
use vestibule::kernel::random::Random;
use vestibule::kernel::seal::KeyRing;
use vestibule::kernel::traces::TARGET;
use vestibule::providers;
use vestibule::store::{Address, Store, sqlite_url};

/// What a list shows.
#[derive(clap::Args)]
pub struct Listed {
    /// Only those under this name.
    #[arg(long)]
    name: Option<String>,
    /// At most this many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

/// A core that is ready to be asked.
pub struct Core {
    pub config: Config,
    pub connect: Connect,
    pub egress: Egress,
    pub random: Random,
}

/// Reads the settings; every problem is told at once.
pub fn load() -> anyhow::Result<Config> {
    let mut environment = Vec::new();
    for (name, value) in std::env::vars_os() {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => environment.push((name, value)),
            // Passed over, it would leave the default in force without a word.
            (Ok(name), Err(_)) if name.starts_with("VESTIBULE_") => bail!("{name}: must be text in UTF-8"),
            _ => {}
        }
    }
    let wrong =
        |problems: Vec<String>| anyhow::anyhow!("the settings have problems:\n  {}", problems.join("\n  "));
    let config =
        Config::load(environment, |sections| providers::catalogue(sections).err().unwrap_or_default())
            .map_err(wrong)?;
    if config.server.public_url.is_loopback() {
        return Ok(config);
    }
    let offer = providers::catalogue(&config.providers).map_err(wrong)?;
    let problem = in_clear(&config, &offer).or_else(|| in_earnest(&offer));
    problem.map_or(Ok(config), |problem| Err(wrong(vec![problem])))
}

/// What is wrong where people bring codes back from a provider's pages over a network in clear (RFC 9700, 2.6).
fn in_clear(config: &Config, offer: &providers::Offer) -> Option<String> {
    if config.server.public_url.is_secure() {
        return None;
    }
    let abouts = offer.built.iter().map(|provider| provider.about());
    let signing_in = abouts.filter(|about| about.methods.contains(&Method::Oauth));
    let names: Vec<_> = signing_in.map(|about| about.slug.as_str()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "public_url: must begin with https:// while people sign in at {}, since what they bring back is secret",
            names.join(" and ")
        )
    })
}

/// What is wrong where people would sign in at a stand-in for their provider.
fn in_earnest(offer: &providers::Offer) -> Option<String> {
    let keys = &offer.stand_ins;
    (!keys.is_empty()).then(|| {
        format!(
            "{}: for tests only, while public_url is on this machine's own loopback address; leave it empty",
            keys.join(" and ")
        )
    })
}

/// Starts logging, to standard error, and whatever else listens to what happens.
pub fn log(config: &Config, more: Option<Listener>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log.filter).context("log: must be a level or a filter")?;
    // Spans are for traces; in the log they would repeat what its lines say.
    let filter = filter.and(filter_fn(|about| about.target() != TARGET));
    let writer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines: Listener = if config.log.json {
        writer.json().with_filter(filter).boxed()
    } else {
        writer.with_ansi(std::io::stderr().is_terminal()).with_target(false).with_filter(filter).boxed()
    };
    let mut all = vec![lines];
    all.extend(more);
    tracing_subscriber::registry().with(all).init();
    Ok(())
}

/// Something that listens to what happens.
pub type Listener = Box<dyn Layer<Registry> + Send + Sync>;

/// The address of the database.
pub fn address(config: &Config) -> Address {
    let url = match &config.database.url {
        Some(url) => url.reveal().to_owned(),
        None => sqlite_url(&config::database_file(&config.data_dir)),
    };
    Address { url, connections: config.database.connections }
}

/// Puts the core together. The first start makes the data directory, the database and the key file.
pub async fn core(config: Config) -> anyhow::Result<Core> {
    let (clock, random) = (Clock::system(), Random::system());
    make_private(&config.data_dir)?;
    let address = address(&config);
    let ring = ring(&config, &address, &random).await?;
    let egress = egress(&config)?;
    let offer = providers::catalogue(&config.providers)
        .map_err(|problems| anyhow::anyhow!("the settings have problems:\n  {}", problems.join("\n  ")))?;
    let built = |slug: &str| offer.built.iter().any(|provider| provider.about().slug == slug);
    let why = |slug: &String| match offer.unset.contains(slug) {
        true => Absence::NotSetUp,
        false => Absence::SwitchedOff,
    };
    let absent = config.providers.keys().filter(|slug| !built(slug));
    let absent = absent.map(|slug| (slug.clone(), why(slug))).collect();
    let store = Store::open(&address, ring, clock.clone(), random.clone())
        .await
        .context("the database could not be opened")?;
    let allowance = Allowance::new(config.tries.host_connects, config.tries.login_tries);
    let cx = Context {
        egress: egress.clone(),
        clock: clock.clone(),
        random: random.clone(),
        allowance,
        returns: Returns::default(),
    };
    let limits = Limits {
        session_life: config.session_life,
        keep_sessions: config.keep_sessions,
        keep_deliveries: config.keep_deliveries,
        keep_audit: config.keep_audit,
        checks: Checks {
            grants: config.checks.grants,
            passwords: config.checks.passwords,
            broken: config.checks.broken,
            error_after: config.checks.error_after,
            warn: config.checks.warn,
        },
        ..Limits::default()
    };
    let connect =
        Connect::new(store, offer.built, absent, cx, limits, config.server.public_url.origin()).await?;
    Ok(Core { config, connect, egress, random })
}

/// The way out.
pub fn egress(config: &Config) -> anyhow::Result<Egress> {
    let setup = Setup {
        allow: config.egress.allow.clone(),
        name_server: config.egress.dns_server,
        extra_ca_file: config.egress.extra_ca_file.as_deref(),
    };
    Egress::new(setup).map_err(anyhow::Error::msg)
}

/// The core of a command that is not the server: it logs only what is wrong.
pub async fn quiet_core() -> anyhow::Result<Core> {
    let mut config = load()?;
    config.log.filter = "warn".to_owned();
    log(&config, None)?;
    core(config).await
}

fn make_private(folder: &std::path::Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .with_context(|| format!("the data directory {} could not be made", folder.display()))
}

/// The key ring. A key file is made only for a database that was sealed with no key yet: a lost key file must
/// never be papered over by a fresh one.
async fn ring(config: &Config, address: &Address, random: &Random) -> anyhow::Result<KeyRing> {
    if let Some(ring) = &config.keys.ring {
        return KeyRing::parse(ring.reveal(), random.clone()).context("keys");
    }
    let file = &config.keys.file;
    match config::read_key_file(file, random.clone()) {
        Ok(ring) => Ok(ring),
        Err(KeyFileError::Absent(name)) => {
            let sealed_with =
                Store::sealed_with(address).await.context("the database could not be opened")?;
            if !sealed_with.is_empty() {
                bail!(
                    "the database was sealed with key {}, but the key file {name} does not exist; put it back \
                     (see SECURITY.md, \"Losing the key file\")",
                    sealed_with.join(", ")
                );
            }
            config::create_key_file(file, random).or_else(|error| match error {
                // Another command was quicker: its key is as good.
                KeyFileError::Io(_, io) if io.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
                error => Err(error),
            })?;
            Ok(config::read_key_file(file, random.clone())?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Prints a result, indented for people.
pub fn print(value: &Value) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Says what went wrong and why, on standard error.
pub fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("vestibule: {error:#}");
    ExitCode::FAILURE
}
