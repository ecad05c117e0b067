//! Bringing an account here from elsewhere: the same words in both dialects. What signs in to it is the provider's own
//! business; here it is only an object.

use serde_json::{Value, json};

use super::envelope::Envelope;
use super::fields::Fields;
use super::{postpress, riposte};

/// A read request for an import.
#[derive(Clone, PartialEq)]
pub struct ImportRequest {
    /// The provider's slug.
    pub provider: String,
    /// The product's own name for the person.
    pub name: Option<String>,
    /// What signs in to the account; secret.
    pub credentials: Value,
    /// Fields that mean nothing here.
    pub unknown: Vec<String>,
}

impl std::fmt::Debug for ImportRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImportRequest").field("provider", &self.provider).finish_non_exhaustive()
    }
}

const RULE: &str = "must name one provider: google, microsoft or imap";

/// Reads the body of `POST /v1/accounts/import`. Providers may be spelt as either dialect spells them.
///
/// # Errors
/// One envelope that names every bad field with its rule.
pub fn read(body: &Value) -> Result<ImportRequest, Envelope> {
    let mut fields = Fields::of(body)?;
    let provider = fields.text("provider", 64).map(|name| {
        riposte::slug(&name.to_ascii_lowercase()).map(str::to_owned).or_else(|| {
            match postpress::slugs(name)? {
                (slugs, true) => slugs.first().map(|slug| (*slug).to_owned()),
                (_, false) => None,
            }
        })
    });
    match &provider {
        Some(None) => fields.broken("provider", RULE),
        None if body.get("provider").is_none_or(Value::is_null) => fields.missing("provider", RULE),
        _ => {}
    }
    let name = fields.text("name", 16_384).map(str::to_owned);
    let credentials = match fields.value("credentials") {
        Some(credentials @ Value::Object(_)) => credentials.clone(),
        Some(_) => {
            fields.broken("credentials", "must be an object");
            Value::Null
        }
        None => {
            fields.missing("credentials", "what signs in to the account, in the provider's shape");
            Value::Null
        }
    };
    let unknown = fields.end()?;
    Ok(ImportRequest { provider: provider.flatten().unwrap_or_default(), name, credentials, unknown })
}

/// The reply to an import.
pub fn imported(account: &str, provider: &str, label: &str, created: bool) -> Value {
    json!({
        "object": "AccountImported",
        "account_id": account,
        "provider": provider,
        "label": label,
        "created": created,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_may_be_spelt_as_either_dialect_does() {
        for (name, slug) in [
            ("google", "google"),
            ("gmail", "google"),
            ("GOOGLE", "google"),
            ("OUTLOOK", "microsoft"),
            ("microsoft", "microsoft"),
            ("MAIL", "imap"),
            ("imap", "imap"),
        ] {
            let read = read(&json!({ "provider": name, "credentials": {} })).unwrap();
            assert_eq!(read.provider, slug, "{name}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_named_and_no_secret_repeated() {
        let told = |body: Value| read(&body).unwrap_err().detail.unwrap();
        let missing = told(json!({}));
        assert!(missing.contains("provider is required") && missing.contains("credentials is required"));
        let odd = told(json!({ "provider": "*", "name": 5, "credentials": "hunter2" }));
        for part in ["provider must name one", "name must be a string", "credentials must be an object"] {
            assert!(odd.contains(part), "{odd}");
        }
        assert!(!odd.contains("hunter2"));
        let fine = json!({ "provider": "imap", "credentials": { "password": "hunter2" } });
        assert!(!format!("{:?}", read(&fine).unwrap()).contains("hunter2"));
    }
}
