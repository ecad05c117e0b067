//! Trying the settings without a person: a code is asked for, which nobody will scan. It proves the way to WhatsApp, that
//! it is WhatsApp, and that the version does.

use std::sync::Arc;

use wire_whatsapp::{End as Over, Event, Linking, Version};

use crate::contract::{Context, Finding};

use super::House;
use super::end::End;
use super::version::Versions;
use super::way::Way;

/// Everything that is wrong or worth knowing.
pub async fn findings(house: &House, cx: &Context) -> Vec<Finding> {
    let config = &house.config;
    let mut found = Vec::new();
    let current = Versions::ask(cx, config).await;
    match (config.version, current) {
        (Some(own), Some(current)) if own < current => found.push(finding(
            "config_client_version_old",
            "client_version",
            false,
            format!("WhatsApp's own client has {current} by now; leave this empty to follow it"),
        )),
        (None, None) if config.versions.is_some() => found.push(finding(
            "client_version_unknown",
            "client_version",
            false,
            format!(
                "the version of WhatsApp's own client could not be asked for; the built-in {} is used",
                Version::BUILT_IN
            ),
        )),
        _ => {}
    }
    let version = config.version.or(current).unwrap_or(Version::BUILT_IN);
    let settings = config.settings(version, &cx.clock);
    let mut linking = Linking::start(Arc::new(settings), Arc::new(Way(cx.egress.clone())));
    let end = match linking.next().await {
        Some(Event::Ended(Over::Failed(error))) => End::of(&error),
        None | Some(Event::Ended(_)) => End::ProviderUnavailable,
        Some(_) => return found,
    };
    found.push(match end {
        End::ClientOutdated => finding(
            "config_client_version_refused",
            "client_version",
            true,
            format!("WhatsApp takes no client of the version {version} any more; set a newer one, or update this server"),
        ),
        End::ServerUntrusted => finding(
            end.code(),
            "",
            true,
            "whoever answers at WhatsApp's address is not WhatsApp; look what intercepts connections".to_owned(),
        ),
        end => {
            let what = format!("WhatsApp gave no code ({}); try again", end.code());
            finding(end.code(), "", false, what)
        }
    });
    found
}

fn finding(code: &'static str, key: &'static str, fatal: bool, what: String) -> Finding {
    Finding { code, key, what, fatal }
}
