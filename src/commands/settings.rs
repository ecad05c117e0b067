//! `vestibule config` and `vestibule migrate`.

use clap::Subcommand;

/// Check the settings.
#[derive(Subcommand)]
pub enum Settings {
    /// Say what is wrong with the settings, or that nothing is; changes nothing.
    Check,
}

/// Runs it.
pub async fn run(Settings::Check: Settings) -> anyhow::Result<()> {
    let config = super::load()?;
    super::egress(&config)?;
    println!(
        "The settings are fine. The server listens on {} and is reached under {}.",
        config.server.listen,
        config.server.public_url.origin()
    );
    Ok(())
}

/// Brings the schema up to date, as every start does.
pub async fn migrate() -> anyhow::Result<()> {
    super::quiet_core().await?;
    println!("The database schema is up to date.");
    Ok(())
}
