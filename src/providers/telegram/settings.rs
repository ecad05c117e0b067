//! Trying the settings without a person: whether Telegram gives this application a code to show.

use std::sync::Arc;

use crate::contract::{Context, Finding};

use super::config::{Application, CONSOLE};
use super::line::{Line, export};
use super::refusal::Refusal;

/// Everything that is wrong.
pub async fn findings(application: &Arc<Application>, cx: &Context) -> Vec<Finding> {
    let asked = match Line::open(application, cx, None) {
        Ok(mut line) => line.call(&export(application)).await,
        Err(trouble) => {
            return vec![finding(trouble.code, "", false, "no session could be begun".to_owned())];
        }
    };
    asked.err().map(|refusal| judge(&refusal)).into_iter().collect()
}

fn judge(refusal: &Refusal) -> Finding {
    let trouble = refusal.trouble();
    match trouble.code {
        code @ "config_api_id_invalid" => {
            let what = format!(
                "Telegram does not know this api_id with this api_hash. Compare “App api_id” and “App api_hash” at {CONSOLE}"
            );
            finding(code, "api_id", true, what)
        }
        code @ "config_api_id_published" => {
            let what = format!(
                "this api_id stands in public code, so Telegram lets nobody in with it. Use one of your own, from {CONSOLE}"
            );
            finding(code, "api_id", true, what)
        }
        code @ "client_outdated" => {
            let what = "Telegram takes the version of this server no more; update it".to_owned();
            finding(code, "", true, what)
        }
        code => {
            let what = format!(
                "Telegram could not be asked ({code}); its data centres are reached over TCP, port 443"
            );
            finding(code, "", false, what)
        }
    }
}

fn finding(code: &'static str, key: &'static str, fatal: bool, what: String) -> Finding {
    Finding { code, key, what, fatal }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_that_will_not_do_is_named_with_the_page_to_mend_it_at() {
        let named = |name: &str| Refusal::Named { code: 400, name: name.to_owned(), value: None };
        for name in ["API_ID_INVALID", "API_ID_PUBLISHED_FLOOD"] {
            let found = judge(&named(name));
            assert!(found.fatal && found.key == "api_id" && found.what.contains(CONSOLE), "{found:?}");
        }
        let found = judge(&named("UPDATE_APP_TO_LOGIN"));
        assert_eq!((found.code, found.fatal), ("client_outdated", true));
        let found = judge(&Refusal::Silent("timeout"));
        assert_eq!((found.code, found.key, found.fatal), ("timeout", "", false));
    }
}
