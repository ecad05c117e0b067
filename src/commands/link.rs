//! `vestibule link`: a link from the command line, by the same rules as through the API.

use std::io::IsTerminal;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Map, Value, json};
use vestibule::connect::{Error, NewSession};
use vestibule::dialects::postpress::read_link;
use vestibule::kernel::clock::Clock;
use vestibule::web::new_session;

/// Make links.
#[derive(Subcommand)]
pub enum Link {
    /// Make a link: its URL alone on standard output, and a QR code of it on a terminal.
    Create(Create),
}

/// What the link is for.
#[derive(Args)]
pub struct Create {
    /// Providers the person may choose from: *, *:MAILING, or names such as MAIL.
    #[arg(long, value_delimiter = ',', default_value = "*")]
    providers: Vec<String>,
    /// Repair this account instead of connecting a new one.
    #[arg(long)]
    reconnect: Option<String>,
    /// How long the link works, in minutes.
    #[arg(long, default_value_t = 60)]
    minutes: u32,
    /// Your own name for the person, echoed to notify-url.
    #[arg(long)]
    name: Option<String>,
    /// How the first page addresses the person.
    #[arg(long)]
    user_label: Option<String>,
    /// The person's address, to begin with.
    #[arg(long)]
    email: Option<String>,
    /// Called when the account is connected.
    #[arg(long)]
    notify_url: Option<String>,
    /// Where the browser goes afterwards.
    #[arg(long)]
    success_redirect_url: Option<String>,
    /// Where the browser goes when it did not work out.
    #[arg(long)]
    failure_redirect_url: Option<String>,
    /// Go there at once instead of showing the success page.
    #[arg(long)]
    bypass_success_screen: bool,
    /// Hold the account until your backend redeems the code that the browser brings to the success URL.
    #[arg(long)]
    require_finish: bool,
}

/// Runs it.
pub async fn run(Link::Create(create): Link) -> anyhow::Result<()> {
    let core = super::quiet_core().await?;
    let origin = core.config.server.public_url.origin().to_owned();
    let new = read(&create, &origin)?;
    let created = core.connect.create_session(new, None).await.map_err(explain)?;
    let url = format!("{origin}/connect/{}", created.secret.reveal());
    println!("{url}");
    if std::io::stdout().is_terminal() {
        let code = QrCode::new(&url).context("the QR code")?;
        println!("\n{}", code.render::<Dense1x2>().quiet_zone(true).build());
    }
    Ok(())
}

/// Goes through the API's own reading, so that the rules and their sentences are the same.
fn read(create: &Create, origin: &str) -> anyhow::Result<NewSession> {
    let minutes = std::time::Duration::from_secs(u64::from(create.minutes) * 60);
    let mut body = Map::new();
    body.insert("api_url".to_owned(), json!(origin));
    body.insert("expiresOn".to_owned(), json!(Clock::system().now().after(minutes).rfc3339()));
    match &create.reconnect {
        Some(account) => {
            body.insert("type".to_owned(), json!("reconnect"));
            body.insert("reconnect_account".to_owned(), json!(account));
        }
        None => {
            body.insert("type".to_owned(), json!("create"));
            body.insert("providers".to_owned(), json!(create.providers));
        }
    }
    body.insert("bypass_success_screen".to_owned(), json!(create.bypass_success_screen));
    body.insert("require_finish".to_owned(), json!(create.require_finish));
    let texts = [
        ("name", &create.name),
        ("user_label", &create.user_label),
        ("email", &create.email),
        ("notify_url", &create.notify_url),
        ("success_redirect_url", &create.success_redirect_url),
        ("failure_redirect_url", &create.failure_redirect_url),
    ];
    for (name, value) in texts {
        body.insert(name.to_owned(), json!(value));
    }
    let asked = read_link(&Value::Object(body))
        .map_err(|envelope| anyhow!(envelope.detail.unwrap_or(envelope.title)))?;
    new_session(asked).context("--reconnect names no account")
}

fn explain(error: Error) -> anyhow::Error {
    match &error {
        Error::NoProvider(reasons) => {
            let slugs: Vec<_> = reasons.iter().map(|(slug, _)| slug.as_str()).collect();
            anyhow!("{error}: {}", slugs.join(", "))
        }
        _ => error.into(),
    }
}
