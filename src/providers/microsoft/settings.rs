//! Trying the settings without a person: our own token of the home tenant, which is thrown away at once, or a made-up
//! code where there is no home tenant; and the date on which the secret ends.

use crate::contract::{Context, Finding};
use crate::kernel::clock::Millis;

use super::super::oauth::refusal::Refusal;
use super::super::oauth::tokens::{Denial, Outcome};
use super::Microsoft;
use super::aadsts::Trouble;

const SECRETS: &str = "“Certificates & secrets” of the app registration at https://entra.microsoft.com";
const DAY: i64 = 24 * 60 * 60 * 1000;

/// The code of a secret that is neither right nor wrong so far.
const UNPROVEN: &str = "config_client_secret_unproven";

/// How many days before its end a secret is worth a word.
const WARNED: i64 = 30;

/// Everything that is wrong, not proven or worth knowing.
pub async fn findings(microsoft: &Microsoft, cx: &Context) -> Vec<Finding> {
    let mut found: Vec<_> =
        microsoft.secret_expires.and_then(|end| expiry(end, cx.clock.now())).into_iter().collect();
    found.push(unproven(&cx.returns.callback, &cx.returns.approval_callback));
    let party = &microsoft.party;
    if let Some(home) = &microsoft.home {
        let everything = format!("{}.default", microsoft.graph);
        let own = [("grant_type", "client_credentials"), ("scope", &*everything)];
        match party.ask_at(cx, home, &own).await {
            Ok(Outcome::Granted(_)) => {}
            other => found.extend(told(other, true)),
        }
        let fine = !found.iter().any(|one| one.fatal || one.code == "provider_error_unknown");
        if *home == party.token || !fine {
            return found;
        }
    }
    let made_up = [
        ("grant_type", "authorization_code"),
        ("code", "not-a-code"),
        ("redirect_uri", &cx.returns.callback),
        ("scope", "openid"),
    ];
    match party.ask(cx, &made_up).await {
        Ok(Outcome::Granted(_)) => {
            found.push(finding("provider_error_unknown", "base", true, "accepts any code".to_owned()));
        }
        other => found.extend(told(other, false).filter(|one| {
            // The home tenant has proven it.
            microsoft.home.is_none() || one.code != UNPROVEN
        })),
    }
    found
}

/// What an answer says that gives nothing.
fn told(outcome: Result<Outcome, Refusal>, home: bool) -> Option<Finding> {
    match outcome {
        Ok(Outcome::Granted(_)) => None,
        Ok(Outcome::Denied(denial)) => {
            super::aadsts::log(&denial);
            denied(&denial, home)
        }
        Err(refusal) => {
            let what = format!("Microsoft could not be asked ({}); try again", refusal.code);
            Some(finding(refusal.code, "", false, what))
        }
    }
}

/// Nothing that can be asked without a person tells what is registered; Microsoft says it to people only, on its own page.
fn unproven(callback: &str, approval: &str) -> Finding {
    let what = format!(
        "whether our callbacks are registered cannot be seen from here. At https://entra.microsoft.com, compare letter by \
         letter: {callback} and {approval} must stand under “Authentication”, “Web”, of this app registration, and no \
         address of your product instead of them"
    );
    finding("config_redirect_unproven", "client_id", false, what)
}

fn finding(code: &'static str, key: &'static str, fatal: bool, what: String) -> Finding {
    Finding { code, key, what, fatal }
}

/// What the secret's end is worth saying.
fn expiry(end: Millis, now: Millis) -> Option<Finding> {
    const KEY: &str = "client_secret_expires";
    let left = (end.0 - now.0).div_euclid(DAY);
    if left < 0 {
        let what = format!("has passed; add a new secret under {SECRETS}, then set it and its date");
        return Some(finding("config_client_secret_expired", KEY, false, what));
    }
    let what =
        format!("is in {left} days; add a new secret under {SECRETS} before, then set it and its date");
    (left <= WARNED).then(|| finding("config_client_secret_expiring", KEY, false, what))
}

/// What Microsoft's answer says of our settings. A made-up code that is refused for itself says that they are right.
fn denied(denial: &Denial, home: bool) -> Option<Finding> {
    let refusal = Trouble::from(denial).refusal();
    let (key, what) = match refusal.code {
        "config_client_secret_invalid" | "config_client_invalid" => (
            "client_secret",
            format!("Microsoft does not accept it. It must be the “Value”, not the “Secret ID”; add a new one under {SECRETS}"),
        ),
        "config_client_secret_expired" => ("client_secret", format!("has expired; add a new one under {SECRETS}")),
        "config_client_secret_missing" | "config_client_public" | "config_platform_wrong" => (
            "client_secret",
            "the app registration is not of the platform “Web”; add the redirect URIs under “Authentication”, “Web”, at \
             https://entra.microsoft.com"
                .to_owned(),
        ),
        "config_client_unknown" => (
            "client_id",
            "Microsoft knows no such app in this tenant; compare “Application (client) ID” on the “Overview” of the app \
             registration at https://entra.microsoft.com, and tenant"
                .to_owned(),
        ),
        "config_tenant_unknown" => (
            "tenant",
            "Microsoft knows no such tenant; compare “Directory (tenant) ID” on the “Overview” of the app registration \
             at https://entra.microsoft.com"
                .to_owned(),
        ),
        "config_tenant_wrong" => (
            "tenant",
            "does not fit “Supported account types” of the app registration; for a single tenant it must be that \
             tenant’s ID"
                .to_owned(),
        ),
        "config_redirect_mismatch" => (
            "client_id",
            "our callback is not registered; add it under “Authentication”, “Web”, at https://entra.microsoft.com"
                .to_owned(),
        ),
        // Refused for the code itself: id and secret were right.
        _ if !home && denial.error == "invalid_grant" => return None,
        // Refused for how the request is written, perhaps before anybody looked at the secret.
        _ if !home && denial.error == "invalid_request" => {
            let what = "the secret could not be proven: Microsoft refused the made-up code before it said anything of the \
                        secret. Set home_tenant to “Directory (tenant) ID” on the “Overview” of the app registration, and \
                        check again";
            return Some(finding(UNPROVEN, "client_secret", false, what.to_owned()));
        }
        _ => {
            let what = "Microsoft answered something that we do not know; the settings may be right all the same";
            return Some(finding("provider_error_unknown", "", false, what.to_owned()));
        }
    };
    Some(finding(refusal.code, key, true, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_ends_soon_is_worth_a_word() {
        let now = Millis(1_000 * DAY + 5);
        let told = |days: i64| expiry(Millis((1_000 + days) * DAY), now).map(|finding| finding.code);
        assert_eq!(told(40), None);
        for days in [31, 7, 1] {
            assert_eq!(told(days), Some("config_client_secret_expiring"), "{days}");
        }
        assert_eq!(told(-1), Some("config_client_secret_expired"));
    }

    #[test]
    fn microsofts_answer_names_the_setting_to_mend() {
        let denied = |error: &str, number: u32, home| {
            let denial = Denial { error: error.to_owned(), numbers: vec![number], ..Denial::default() };
            super::denied(&denial, home).map(|finding| (finding.key, finding.fatal))
        };
        assert_eq!(denied("invalid_client", 7_000_215, true), Some(("client_secret", true)));
        assert_eq!(denied("invalid_client", 7_000_222, false), Some(("client_secret", true)));
        assert_eq!(denied("unauthorized_client", 700_016, true), Some(("client_id", true)));
        assert_eq!(denied("invalid_request", 90002, true), Some(("tenant", true)));
        assert_eq!(denied("unauthorized_client", 50194, false), Some(("tenant", true)));
        assert_eq!(denied("invalid_grant", 9_002_313, false), None);
        assert_eq!(denied("invalid_grant", 9_002_313, true), Some(("", false)));
        assert_eq!(denied("invalid_request", 9_002_313, false), Some(("client_secret", false)));
    }
}
