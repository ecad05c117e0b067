//! Trying the settings without a person: a made-up code tells whether Google knows our id and secret, and the pasted file
//! tells what was registered when it was downloaded.

use crate::contract::{Context, Finding};

use super::super::oauth::tokens::Outcome;
use super::Google;

const CLIENTS: &str = "https://console.cloud.google.com/auth/clients";

/// Everything that is wrong or worth knowing.
pub async fn findings(google: &Google, cx: &Context) -> Vec<Finding> {
    let callback = &cx.returns.callback;
    let mut found = Vec::new();
    match &google.registered {
        Some(registered) => found.extend(registration(callback, registered)),
        None => found.push(unproven(callback)),
    }
    let form = [("grant_type", "authorization_code"), ("code", "4/not-a-code"), ("redirect_uri", callback)];
    match google.party.ask(cx, &form).await {
        // Nobody gets tokens for a made-up code; a server that gives some is not Google.
        Ok(Outcome::Granted(_)) => {
            found.push(finding("provider_error_unknown", "base", true, "accepts any code"));
        }
        Ok(Outcome::Denied(denial)) => found.extend(denied(&denial.error, callback)),
        Err(refusal) => {
            let what = format!("Google could not be asked ({}); try again", refusal.code);
            found.push(finding(refusal.code, "", false, &what));
        }
    }
    found
}

fn finding(code: &'static str, key: &'static str, fatal: bool, what: &str) -> Finding {
    Finding { code, key, what: what.to_owned(), fatal }
}

/// What an answer to a made-up code says of our settings.
fn denied(error: &str, callback: &str) -> Option<Finding> {
    let (code, key, what) = match error {
        "invalid_grant" => return None,
        "invalid_client" | "deleted_client" | "disabled_client" => (
            "config_client_invalid",
            "client_secret",
            format!(
                "Google does not accept this client ID with this secret. Compare “Client ID” at {CLIENTS}; if it is \
                 right, add a new secret there under “Client secrets” and set it"
            ),
        ),
        "unauthorized_client" => (
            "config_client_unauthorized",
            "client_id",
            format!(
                "this client may not sign people in. Create one of the type “Web application” at {CLIENTS}"
            ),
        ),
        "redirect_uri_mismatch" => ("config_redirect_mismatch", "client_id", register(callback)),
        _ => {
            let what =
                "Google answered something that we do not know; the settings may be right all the same";
            return Some(finding("provider_error_unknown", "", false, what));
        }
    };
    Some(Finding { code, key, what, fatal: true })
}

/// An ID and a secret do not tell what is registered; Google says it to people only, on its own page.
fn unproven(callback: &str) -> Finding {
    let what = format!(
        "whether our callback is registered cannot be seen with these settings. At {CLIENTS}, compare letter by letter: \
         {callback} must stand under “Authorised redirect URIs” of this client, and no address of your product instead \
         of it. With client_json this is compared here"
    );
    finding("config_redirect_unproven", "client_id", false, &what)
}

fn register(callback: &str) -> String {
    format!("add {callback} under “Authorised redirect URIs” of the client at {CLIENTS}")
}

/// What the registered addresses in the pasted file say of ours.
fn registration(callback: &str, registered: &[String]) -> Option<Finding> {
    const KEY: &str = "client_json";
    if registered.iter().any(|uri| uri == callback) {
        return None;
    }
    if registered.is_empty() {
        let what =
            format!("no redirect URI was registered when the file was downloaded; {}", register(callback));
        return Some(finding("config_redirect_missing", KEY, false, &what));
    }
    if let Some(near) = registered.iter().find(|uri| is_near(uri, callback)) {
        let (theirs, ours) = difference(near, callback);
        let part = |text: &str| if text.is_empty() { "nothing".to_owned() } else { format!("“{text}”") };
        let what = format!(
            "the registered redirect URI {near} is not quite ours: it has {} where {} belongs; {}",
            part(theirs),
            part(ours),
            register(callback)
        );
        return Some(finding("config_redirect_near_miss", KEY, false, &what));
    }
    let what = format!(
        "the registered redirect URI is {}, which may be the product’s own; {}",
        registered[0],
        register(callback)
    );
    Some(finding("config_redirect_swapped", KEY, true, &what))
}

/// Whether somebody meant our address: the same host, or the same but for letters, scheme and slashes.
fn is_near(uri: &str, callback: &str) -> bool {
    let plain = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        let text = text.trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/');
        text.to_owned()
    };
    let (uri, callback) = (plain(uri), plain(callback));
    let host = |text: &str| text.split('/').next().unwrap_or_default().to_owned();
    uri == callback || host(&uri) == host(&callback)
}

/// The parts in which two texts differ.
fn difference<'a>(theirs: &'a str, ours: &'a str) -> (&'a str, &'a str) {
    let same = |(a, b): &(char, char)| a == b;
    let head: usize = theirs.chars().zip(ours.chars()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
    let (theirs, ours) = (&theirs[head..], &ours[head..]);
    let ends = theirs.chars().rev().zip(ours.chars().rev());
    let tail: usize = ends.take_while(same).map(|(c, _)| c.len_utf8()).sum();
    (&theirs[..theirs.len() - tail], &ours[..ours.len() - tail])
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://connect.example.org/providers/google/callback";

    fn told(registered: &[&str]) -> Option<(&'static str, String)> {
        let registered: Vec<_> = registered.iter().map(|uri| (*uri).to_owned()).collect();
        registration(OURS, &registered).map(|finding| (finding.code, finding.what))
    }

    #[test]
    fn the_registered_addresses_are_compared_letter_by_letter() {
        assert_eq!(told(&["https://app.example.org/x", OURS]), None);
        assert_eq!(told(&[]).unwrap().0, "config_redirect_missing");
        let swapped = told(&["https://app.example.org/done"]).unwrap();
        assert_eq!(swapped.0, "config_redirect_swapped");
        assert!(swapped.1.contains("https://app.example.org/done") && swapped.1.contains(OURS));
        for (near, part) in [
            ("https://connect.example.org/providers/google/callback/", "it has “/” where nothing belongs"),
            ("http://connect.example.org/providers/google/callback", "it has nothing where “s” belongs"),
            ("https://Connect.example.org/providers/google/callback", "it has “C” where “c” belongs"),
            ("https://connect.example.org/oauth", "it has “oauth” where “providers/google/callback” belongs"),
        ] {
            let (code, what) = told(&["https://app.example.org/", near]).unwrap();
            assert_eq!(code, "config_redirect_near_miss");
            assert!(what.contains(part), "{near}: {what}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_told_with_the_address_to_look_for() {
        let found = unproven(OURS);
        assert!(!found.fatal && found.what.contains(OURS) && found.what.contains(CLIENTS));
    }

    #[test]
    fn an_answer_to_a_made_up_code_names_what_to_mend() {
        assert_eq!(denied("invalid_grant", OURS), None);
        for (error, key, fatal) in [
            ("invalid_client", "client_secret", true),
            ("unauthorized_client", "client_id", true),
            ("redirect_uri_mismatch", "client_id", true),
            ("teapot", "", false),
        ] {
            let found = denied(error, OURS).unwrap();
            assert_eq!((found.key, found.fatal), (key, fatal), "{error}");
        }
        assert!(denied("redirect_uri_mismatch", OURS).unwrap().what.contains(OURS));
    }
}
