//! `vestibule serve`: the server and its loops, until told to stop.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use vestibule::config::Config;
use vestibule::connect::Connect;
use vestibule::kernel::random::Random;
use vestibule::kernel::traces::Traces;
use vestibule::pages::{Brand, Pages, ProviderWords};
use vestibule::store::{Kind, Store};
use vestibule::web::{self, LimitSettings, Settings, Web};
use vestibule::workers::deliver::Deliver;
use vestibule::workers::ring::{self, Reload};
use vestibule::workers::{self, grants, sweep, watch as watching};

use super::Core;

/// How long requests and calls under way may take once the server was told to stop.
const GRACE: Duration = Duration::from_secs(30);

/// Runs it.
pub async fn run() -> anyhow::Result<()> {
    let config = super::load()?;
    let traces = traces(&config)?;
    let (traces, listener) = traces.map_or((None, None), |(traces, listener)| (Some(traces), Some(listener)));
    super::log(&config, listener)?;
    let core = super::core(config).await?;
    // Held as long as the process lives: two servers on one embedded database would deliver twice.
    let _lock = lock(&core).await?;
    // Before anybody can see that we listen: a stop that comes at once is a graceful one, too.
    let told = told_to_stop().context("the signals")?;
    let listener = TcpListener::bind(core.config.server.listen)
        .await
        .with_context(|| format!("could not listen on {}", core.config.server.listen))?;
    let figures = match core.config.server.metrics {
        Some(address) => {
            Some(TcpListener::bind(address).await.with_context(|| format!("could not listen on {address}"))?)
        }
        None => None,
    };
    // Before anything is sealed here: from now on nobody seals with a key that this node lacks.
    let node = core.connect.node().clone();
    let name = node_name(&core.config);
    core.connect.store().join(&node, &name).await.context("the key ring")?;
    // Only now: a key that is printed beside a failed start is easily overlooked, and shown but once.
    announce_first_key(&core).await?;
    let Core { config, connect, egress, random, .. } = core;
    let store = connect.store().clone();
    let (quit, done) = watch::channel(false);
    let (broken, mut broke) = watch::channel(false);
    let ring = ring::run(store.clone(), node, name, reload(&config, &random), done);
    let ring = tokio::spawn(workers::run("ring", ring, broken.clone()));
    let secret = connect.signing_secret().await?;
    let (tell, stop) = watch::channel(false);
    let deliver = Deliver::new(connect.clone(), egress, random, &secret);
    let deliveries = tokio::spawn(workers::run("deliveries", deliver.run(stop.clone()), broken.clone()));
    let ending = grants::run(connect.clone(), stop.clone());
    let ending = tokio::spawn(workers::run("grants", ending, broken.clone()));
    let watching = watching::run(connect.clone(), stop.clone());
    let watching = tokio::spawn(workers::run("watch", watching, broken.clone()));
    let sweep = sweep::run(connect.clone(), stop.clone());
    let sweep = tokio::spawn(workers::run("sweep", sweep, broken.clone()));
    if let Some(listener) = figures {
        tracing::info!(listen = %listener.local_addr()?, "figures can be read");
        let figures = vestibule::web::metrics(connect.clone());
        tokio::spawn(async move { axum::serve(listener, figures).await });
    }
    let trying = connect.clone();
    tokio::spawn(async move { trying.try_settings().await });
    let service = service(connect, &config, stop.clone())?;
    tracing::info!(listen = %listener.local_addr()?, public_url = config.server.public_url.origin(), "ready");
    tokio::spawn(async move {
        tokio::select! {
            () = told => {}
            _ = broke.wait_for(|broke| *broke) => {}
        }
        tracing::info!("stopping");
        let _ = tell.send(true);
    });
    let (connections, proxies) = (connections(&config), config.server.trusted_proxies.clone());
    let server = web::serve(listener, service, connections, proxies, stop.clone());
    let mut late = stop;
    tokio::select! {
        () = server => {}
        () = async {
            let _ = late.wait_for(|stop| *stop).await;
            tokio::time::sleep(GRACE).await;
        } => tracing::warn!("some requests did not end in time"),
    }
    let _ = tokio::time::timeout(GRACE, deliveries).await;
    let _ = tokio::time::timeout(GRACE, sweep).await;
    let _ = tokio::time::timeout(GRACE, ending).await;
    let _ = tokio::time::timeout(GRACE, watching).await;
    let _ = quit.send(true);
    let _ = tokio::time::timeout(GRACE, ring).await;
    let _ = tokio::time::timeout(GRACE, store.close()).await;
    if let Some(traces) = traces {
        // The exporter asks from a thread of its own, on this runtime.
        let _ = tokio::task::spawn_blocking(move || traces.stop()).await;
    }
    if *broken.borrow() {
        bail!("a loop of the server ended in a bug; the log says which");
    }
    Ok(())
}

/// The export of traces, where a collector is named.
fn traces(config: &Config) -> anyhow::Result<Option<(Traces, super::Listener)>> {
    let egress = &config.egress;
    match &config.otlp_endpoint {
        Some(url) => Traces::start(url, egress.dns_server, egress.extra_ca_file.as_deref())
            .map(Some)
            .map_err(anyhow::Error::msg),
        None => Ok(None),
    }
}

fn service(
    connect: Connect,
    config: &Config,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<vestibule::web::Service> {
    let words = connect.catalogue().iter().map(|provider| {
        let about = provider.about();
        ProviderWords { slug: about.slug.clone(), icon: about.icon, strings: about.strings.clone() }
    });
    let branding = config.branding.clone();
    let logo = |picture: vestibule::config::Picture| (picture.bytes, picture.is_svg);
    let brand = Brand {
        accents: branding.accents,
        logo: branding.logo.map(logo),
        logo_dark: branding.logo_dark.map(logo),
        support: branding.support,
    };
    let pages = Pages::new(words.collect(), brand).map_err(anyhow::Error::msg).context("the pages")?;
    let server = &config.server;
    let settings = Settings {
        public_url: server.public_url.clone(),
        product_name: config.product_name.clone(),
        limits: LimitSettings {
            per_key: server.requests_per_minute,
            per_address: server.requests_per_minute_address,
            trusted_proxies: server.trusted_proxies.clone(),
        },
    };
    Ok(Web::new(connect, pages, settings, stop).service())
}

/// Files that this process opens besides connections from outside: the database, calls, mail servers.
const OTHER_FILES: u64 = 512;

/// How many connections are served: as many as are wanted, or as the system's limit of open files leaves.
fn connections(config: &Config) -> usize {
    let wanted = config.server.max_connections;
    let files = rlimit::increase_nofile_limit(u64::from(wanted) + OTHER_FILES).unwrap_or(1024);
    let room = files.saturating_sub(OTHER_FILES).max(files / 2);
    if room < u64::from(wanted) {
        tracing::warn!(
            max_connections = wanted,
            served = room,
            open_files = files,
            "the limit of open files is too low"
        );
    }
    usize::try_from(room.min(u64::from(wanted))).unwrap_or(usize::MAX)
}

/// What this server is called in the list of nodes: its machine and port.
fn node_name(config: &Config) -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", machine.trim(), config.server.listen.port())
}

/// How the key file is read again; a ring from the settings is fixed.
fn reload(config: &Config, random: &Random) -> Option<Reload> {
    if config.keys.ring.is_some() {
        return None;
    }
    let (file, random) = (config.keys.file.clone(), random.clone());
    Some(Box::new(move || {
        vestibule::config::read_key_file(&file, random.clone()).map_err(|error| error.to_string())
    }))
}

/// One server per embedded database; whatever a former one held when it died is free again.
async fn lock(core: &Core) -> anyhow::Result<Option<std::fs::File>> {
    let store = core.connect.store();
    if store.kind() != Kind::Sqlite {
        return Ok(None);
    }
    // Beside the database, since that is what must not be shared: two data directories may name one file.
    let path = Store::file(&super::address(&core.config))
        .and_then(|file| file.canonicalize().ok())
        .map_or_else(|| core.config.data_dir.join("vestibule.lock"), |file| file.with_extension("lock"));
    let file =
        std::fs::File::create(&path).with_context(|| format!("{} could not be made", path.display()))?;
    if file.try_lock().is_err() {
        bail!(
            "another server is running on this database (it holds {}); use PostgreSQL for several nodes",
            path.display()
        );
    }
    store.release_leases().await?;
    Ok(Some(file))
}

/// Makes the first API key when somebody who may see it is looking.
async fn announce_first_key(core: &Core) -> anyhow::Result<()> {
    let server = &core.config.server;
    let alone = server.public_url.is_loopback() && server.listen.ip().is_loopback();
    let shown = std::io::stderr().is_terminal() || alone;
    if !shown {
        if core.connect.keys().await?.is_empty() {
            tracing::info!("there is no API key yet; make one with: vestibule keys create --name NAME");
        }
        return Ok(());
    }
    if let Some(made) = core.connect.create_first_key().await? {
        // Not through the log: a key has no business there.
        eprintln!("\n  Your first API key, shown this once:\n\n      {}\n", made.text.reveal());
    }
    Ok(())
}

/// Listens for the signals from now on; the future ends when one came.
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
