//! The command line and the wiring.

mod commands;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Gives memory back after a burst, and is quicker than the system's under many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Connects your users' accounts through a hosted wizard.
#[derive(Parser)]
#[command(name = "vestibule", version, about, subcommand_required = false)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (the default).
    Serve,
    /// Make links.
    #[command(subcommand)]
    Link(commands::link::Link),
    /// Make, list and revoke API keys.
    #[command(subcommand)]
    Keys(commands::keys::Keys),
    /// List, show and delete accounts.
    #[command(subcommand)]
    Accounts(commands::accounts::Accounts),
    /// List and show sessions.
    #[command(subcommand)]
    Sessions(commands::sessions::Sessions),
    /// Show who had to do with accounts' secrets.
    #[command(subcommand)]
    Audit(commands::audit::Audit),
    /// List deliveries and send one once more.
    #[command(subcommand)]
    Deliveries(commands::deliveries::Deliveries),
    /// Show the secret that calls to your backend are signed with.
    #[command(subcommand)]
    Webhooks(commands::deliveries::Webhooks),
    /// Add, rotate and remove the keys that everything secret is sealed with.
    #[command(subcommand)]
    Secrets(commands::secrets::Secrets),
    /// Copy the embedded database to a new file while servers serve.
    Backup {
        /// The new file.
        file: std::path::PathBuf,
    },
    /// Say whether the server with these settings is ready; fails when it is not.
    Health,
    /// Bring the database schema up to date.
    Migrate,
    /// Check the settings.
    #[command(subcommand)]
    Config(commands::settings::Settings),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return commands::fail(&anyhow::Error::new(error).context("the runtime could not be started"));
        }
    };
    let done = runtime.block_on(async {
        match arguments.command.unwrap_or(Command::Serve) {
            Command::Serve => commands::serve::run().await,
            Command::Link(verb) => commands::link::run(verb).await,
            Command::Keys(verb) => commands::keys::run(verb).await,
            Command::Accounts(verb) => commands::accounts::run(verb).await,
            Command::Sessions(verb) => commands::sessions::run(verb).await,
            Command::Audit(verb) => commands::audit::run(verb).await,
            Command::Deliveries(verb) => commands::deliveries::run(verb).await,
            Command::Webhooks(verb) => commands::deliveries::webhooks(verb).await,
            Command::Secrets(verb) => commands::secrets::run(verb).await,
            Command::Backup { file } => commands::care::backup(file).await,
            Command::Health => commands::care::health().await,
            Command::Migrate => commands::settings::migrate().await,
            Command::Config(verb) => commands::settings::run(verb).await,
        }
    });
    // What computes in a thread of its own cannot be told to stop, and is not waited for without end.
    runtime.shutdown_timeout(Duration::from_secs(10));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => commands::fail(&error),
    }
}
