//! The API document: one source, kept by hand, since bodies are read field by field and no type says what they may
//! hold. Its words are compared with the code's here.

use serde_json::Value;

/// The document as it is kept.
pub const YAML: &str = include_str!("../../api/openapi.yaml");

/// The document as JSON.
///
/// # Errors
/// What is wrong with the source, which a test reads as well.
pub fn json() -> Result<Value, String> {
    // The text is ours, and says most things once, so that few anchors are referred to very often.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { enforce_alias_anchor_ratio: false },
    };
    serde_saphyr::from_str_with_options(YAML, options).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::contract::StepKind;
    use crate::dialects::envelope::Kind;
    use crate::dialects::{postpress, riposte};
    use crate::kernel::words::{EventKind, SessionState, Status};

    fn listed(pointer: &str) -> BTreeSet<String> {
        let document = json().unwrap();
        let found = document.pointer(&format!("/components/schemas/{pointer}/enum"));
        let values = found.and_then(Value::as_array).unwrap_or_else(|| panic!("no {pointer}"));
        values.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    #[test]
    fn the_document_is_of_this_version() {
        assert_eq!(json().unwrap()["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn its_kinds_of_error_are_the_code_s_and_each_stands_at_its_status() {
        let document = json().unwrap();
        let envelopes: Vec<_> = Kind::ALL.iter().map(|kind| kind.detail("")).collect();
        let kinds: BTreeSet<String> = envelopes.iter().map(|envelope| envelope.kind.to_owned()).collect();
        assert_eq!(kinds.len(), Kind::ALL.len(), "a kind is listed twice");
        assert_eq!(listed("Error/properties/type"), kinds);
        let responses = document["components"]["responses"].as_object().unwrap();
        for (name, response) in responses {
            let rules = &response["content"]["application/json"]["schema"]["allOf"][1]["properties"];
            for kind in rules["type"]["enum"].as_array().into_iter().flatten() {
                let known = envelopes.iter().find(|envelope| kind.as_str() == Some(envelope.kind));
                let status = known.map(|envelope| u64::from(envelope.status));
                assert_eq!(status, rules["status"]["const"].as_u64(), "{name}: {kind}");
            }
            // Where asking again makes sense after a while, the reply says after how long.
            let waits = matches!(rules["status"]["const"].as_u64(), Some(429 | 503));
            assert!(!waits || response["headers"]["Retry-After"].is_object(), "{name}");
        }
    }

    #[test]
    fn its_words_are_the_code_s() {
        let words = |all: &[&str]| all.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
        let states = words(&SessionState::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>());
        assert_eq!(listed("Session/properties/status"), states);
        assert_eq!(listed("SessionView/properties/state"), states);
        let upper = states.iter().map(|state| state.to_ascii_uppercase()).collect();
        assert_eq!(listed("Link/properties/status"), upper);
        let statuses = words(&Status::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>());
        assert_eq!(listed("AccountStatus"), statuses);
        use StepKind::{Choose, Code, Form, Qr, Redirect, Wait};
        let kinds = [Form, Choose, Redirect, Wait, Qr, Code];
        let kinds = kinds.map(|kind| serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned());
        assert_eq!(listed("Step/properties/kind"), kinds.into());
        let told = words(&riposte::TOLD.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
        assert_eq!(listed("Event/properties/type"), told);
        let mut kinds = words(&EventKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
        assert_eq!(listed("EndpointEvent/properties/type"), kinds);
        assert_eq!(listed("LoggedType"), kinds);
        kinds.remove(EventKind::WebhookTest.as_str());
        assert_eq!(listed("EventType"), kinds);
        let slugs = postpress::slugs("*").unwrap().0;
        let types: BTreeSet<_> = slugs.iter().map(|slug| postpress::account_type(slug)).collect();
        assert_eq!(listed("Account/properties/type"), types);
        let choices = listed("ProviderChoice");
        assert!(choices.iter().all(|choice| postpress::slugs(choice).is_some()), "{choices:?}");
        assert!(slugs.iter().all(|slug| choices.contains(&postpress::link_tag(slug))), "{choices:?}");
    }
}
