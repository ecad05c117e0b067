//! `vestibule config` and `vestibule migrate`.

use anyhow::bail;
use clap::Subcommand;
use vestibule::config::Config;
use vestibule::contract::{Allowance, Context, Returns, approval_callback, callback};
use vestibule::kernel::clock::Clock;
use vestibule::kernel::random::Random;
use vestibule::providers;

/// Check the settings.
#[derive(Subcommand)]
pub enum Settings {
    /// Say what is wrong with the settings, or that nothing is; changes nothing. Providers that have been set up are asked
    /// whether they know this server.
    Check {
        /// Ask no provider.
        #[arg(long)]
        offline: bool,
    },
}

/// Runs it.
pub async fn run(Settings::Check { offline }: Settings) -> anyhow::Result<()> {
    let config = super::load()?;
    super::egress(&config)?;
    let Found { fatal, notes } = if offline { Found::default() } else { ask_providers(&config).await? };
    if fatal > 0 {
        bail!("nobody can connect with the settings marked ERROR");
    }
    let verdict = match notes {
        _ if offline => "The settings can be read. No provider was asked.",
        0 => "The settings are fine.",
        _ => {
            "Nothing is wrong that could be tried; what the notes above name was not proven, or wants a look."
        }
    };
    println!(
        "{verdict} The server listens on {} and is reached under {}.",
        config.server.listen,
        config.server.public_url.origin()
    );
    Ok(())
}

/// How much was found: what leaves nobody able to connect, and what is worth knowing.
#[derive(Default)]
struct Found {
    fatal: usize,
    notes: usize,
}

/// Asks every provider that has been set up, and says what was found.
async fn ask_providers(config: &Config) -> anyhow::Result<Found> {
    let offer = providers::catalogue(&config.providers).map_err(|all| anyhow::anyhow!(all.join("\n  ")))?;
    let origin = config.server.public_url.origin();
    let mut found = Found::default();
    for provider in &offer.built {
        let slug = &provider.about().slug;
        let returns = Returns {
            callback: callback(origin, slug),
            approval_callback: approval_callback(origin, slug),
            ..Returns::default()
        };
        let cx = Context {
            egress: super::egress(config)?,
            clock: Clock::system(),
            random: Random::system(),
            allowance: Allowance::new(0, 0),
            returns,
        };
        for finding in provider.try_settings(&cx).await {
            let level = if finding.fatal { "ERROR" } else { "note" };
            let key = match finding.key {
                "" => format!("providers.{slug}"),
                key => format!("providers.{slug}.{key}"),
            };
            println!("{level} {key}: {} ({})", finding.what, finding.code);
            found.fatal += usize::from(finding.fatal);
            found.notes += usize::from(!finding.fatal);
        }
    }
    Ok(found)
}

/// Brings the schema up to date, as every start does.
pub async fn migrate() -> anyhow::Result<()> {
    super::quiet_core().await?;
    println!("The database schema is up to date.");
    Ok(())
}
