//! What a person brings back from the provider's pages, read strictly. That `state` is known and belongs to this browser
//! was checked before; here it is the issuer (RFC 9207), then an error or a code, never both.

use crate::contract::Answer;
use crate::kernel::secret::Secret;

use super::json;
use super::refusal::Refusal;

/// No provider's code is longer, in bytes; Microsoft's have about 1,500.
const LONGEST_CODE: usize = 4096;

/// What came back.
#[derive(Debug)]
pub enum Brought {
    /// A code to redeem.
    Code {
        /// The code.
        code: Secret,
        /// Whether the provider named itself beside it. Where it announces that it always does, one without is a forgery.
        named: bool,
    },
    /// The provider says no.
    Error(Declined),
}

/// Why the provider says no, in its own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declined {
    /// The word of the protocol, such as `access_denied`; empty when it is none.
    pub error: String,
    /// More about it, for provider-specific numbers only: never shown, never logged.
    pub description: String,
}

/// Reads it.
///
/// # Errors
/// Why it is not accepted.
pub fn read(answer: &Answer, issuer: &str) -> Result<Brought, Refusal> {
    let value = |name: &str| answer.secret(name).map(Secret::reveal).filter(|value| !value.is_empty());
    let (code, error, name) = (value("code"), value("error"), value("iss"));
    if name.is_some_and(|name| !is(name, issuer)) {
        return Err(Refusal::invalid("callback_iss_wrong"));
    }
    match (code, error) {
        (Some(_), Some(_)) => Err(Refusal::invalid("callback_contradictory")),
        (None, None) => Err(Refusal::invalid("callback_incomplete")),
        (Some(code), None) => {
            let fine = code.len() <= LONGEST_CODE && code.bytes().all(|byte| byte.is_ascii_graphic());
            if fine {
                Ok(Brought::Code { code: Secret::new(code), named: name.is_some() })
            } else {
                Err(Refusal::invalid("callback_code_malformed"))
            }
        }
        (None, Some(error)) => {
            let description = value("error_description").unwrap_or_default().chars().take(2000).collect();
            Ok(Brought::Error(Declined {
                error: json::code(error).unwrap_or_default().to_owned(),
                description,
            }))
        }
    }
}

/// Whether a name is the one expected. Where a provider has an issuer for each of its tenants, the expected one leaves the
/// tenant open, as `{tenantid}`.
fn is(named: &str, issuer: &str) -> bool {
    let Some((before, after)) = issuer.split_once("{tenantid}") else { return named == issuer };
    let tenant = named.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    let fine = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
    tenant.is_some_and(|tenant| tenant.len() == 36 && tenant.bytes().all(fine))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Action;

    const ISSUER: &str = "https://id.example";

    fn brought(fields: &[(&str, &str)]) -> Result<Brought, &'static str> {
        let fields = fields.iter().map(|(name, text)| ((*name).to_owned(), Secret::new(*text))).collect();
        read(&Answer { action: Action::Returned, fields }, ISSUER).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_code_is_taken_from_the_right_issuer_only() {
        let right = brought(&[("code", "abc"), ("iss", ISSUER)]);
        assert!(matches!(right, Ok(Brought::Code { code, named: true }) if code.reveal() == "abc"));
        for wrong in
            ["https://evil.example", "https://id.example/", "HTTPS://id.example", " https://id.example"]
        {
            let wrong = [("code", "abc"), ("iss", wrong)];
            assert_eq!(brought(&wrong).unwrap_err(), "callback_iss_wrong", "{wrong:?}");
        }
        for nameless in [&[("code", "abc")][..], &[("code", "abc"), ("iss", "")]] {
            assert!(matches!(brought(nameless), Ok(Brought::Code { named: false, .. })), "{nameless:?}");
        }
    }

    #[test]
    fn an_open_tenant_is_a_tenant_and_nothing_else() {
        let issuer = "https://id.example/{tenantid}/v2.0";
        let tenant = "11111111-2222-3333-4444-555555555555";
        assert!(is(&issuer.replace("{tenantid}", tenant), issuer));
        for odd in ["", "x", "../../../../../../../../../../../ab/../", "{tenantid}"] {
            assert!(!is(&issuer.replace("{tenantid}", odd), issuer), "{odd}");
        }
        assert!(!is(&format!("https://evil.example/{tenant}/v2.0"), issuer));
    }

    #[test]
    fn what_says_nothing_or_two_things_is_refused() {
        let told = |fields: &[(&str, &str)]| brought(fields).unwrap_err();
        assert_eq!(told(&[]), "callback_incomplete");
        assert_eq!(told(&[("code", ""), ("error", "")]), "callback_incomplete");
        assert_eq!(told(&[("code", "a"), ("error", "access_denied")]), "callback_contradictory");
        assert_eq!(told(&[("code", "a b")]), "callback_code_malformed");
        assert_eq!(told(&[("code", "a\n")]), "callback_code_malformed");
        assert_eq!(told(&[("code", &"a".repeat(LONGEST_CODE + 1))]), "callback_code_malformed");
    }

    #[test]
    fn an_error_is_a_word_or_nothing() {
        let declined = |fields: &[(&str, &str)]| match brought(fields) {
            Ok(Brought::Error(declined)) => declined,
            other => panic!("{other:?}"),
        };
        let fields = [("error", "access_denied"), ("error_description", "AADSTS65004: no")];
        let read = declined(&fields);
        assert_eq!((&*read.error, &*read.description), ("access_denied", "AADSTS65004: no"));
        assert_eq!(declined(&[("error", "<b>\r\n")]).error, "");
        let wrong = [("error", "access_denied"), ("iss", "https://evil.example")];
        assert_eq!(brought(&wrong).unwrap_err(), "callback_iss_wrong");
    }
}
