//! The classification against what real servers are known to say.

use super::*;

fn login(response_code: Option<&str>, text: &str) -> &'static str {
    imap(response_code, text, Code::CredentialsInvalid).code.as_str()
}

fn sending(status: u16, text: &str) -> &'static str {
    smtp(status, text, Code::CredentialsInvalid).code.as_str()
}

#[test]
fn real_imap_answers_are_sorted() {
    for (response_code, text, expected) in [
        (
            Some("ALERT"),
            "Application-specific password required: https://example.com/185833 (Failure)",
            "app_password_required",
        ),
        (Some("AUTHENTICATIONFAILED"), "Invalid credentials (Failure)", "credentials_invalid"),
        (Some("WEBALERT"), "Web login required.", "web_login_required"),
        (
            Some("ALERT"),
            "Please log in via your web browser: https://example.com/78754 (Failure)",
            "web_login_required",
        ),
        (
            Some("ALERT"),
            "Your account is not enabled for IMAP use. Please visit your settings",
            "protocol_disabled",
        ),
        (
            Some("ALERT"),
            "IMAP access is disabled for your domain. Please contact your domain administrator",
            "protocol_disabled",
        ),
        (None, "LOGIN failed.", "credentials_invalid"),
        (None, "AUTHENTICATE failed.", "credentials_invalid"),
        (Some("AUTHENTICATIONFAILED"), "LOGIN Invalid credentials", "credentials_invalid"),
        (
            Some("ALERT"),
            "You are yet to enable IMAP for your account. Please contact your administrator",
            "protocol_disabled",
        ),
        (None, "EXAMINE Unsafe Login. Please contact kefu@188.com for help", "policy_blocked"),
        (Some("AUTHENTICATIONFAILED"), "Authentication failed.", "credentials_invalid"),
        (Some("UNAVAILABLE"), "Account is suspended", "policy_blocked"),
        (
            Some("UNAVAILABLE"),
            "Internal error occurred. Refer to server log for more information.",
            "provider_unavailable",
        ),
        (Some("UNAVAILABLE"), "", "provider_unavailable"),
        (Some("AUTHORIZATIONFAILED"), "", "policy_blocked"),
        (Some("EXPIRED"), "", "password_expired"),
        (Some("PRIVACYREQUIRED"), "", "tls_not_offered"),
        (Some("CONTACTADMIN"), "", "policy_blocked"),
        (Some("LIMIT"), "", "rate_limited"),
        (Some("INUSE"), "", "provider_unavailable"),
        (Some("serverbug"), "", "provider_unavailable"),
        (Some("AUTHENTICATIONFAILED"), "Too many invalid login attempts", "rate_limited"),
        (None, "", "credentials_invalid"),
    ] {
        assert_eq!(login(response_code, text), expected, "{response_code:?} {text}");
    }
}

#[test]
fn real_smtp_replies_are_sorted() {
    for (status, text, expected) in [
        (
            534,
            "5.7.9 Application-specific password required. For more information, go to 5.7.9 https://example.com",
            "app_password_required",
        ),
        (
            534,
            "5.7.14 <https://accounts.example.com/x> Please log in via your web browser and then try again.",
            "web_login_required",
        ),
        (535, "5.7.8 Username and Password not accepted. For more information, go to", "credentials_invalid"),
        (535, "5.7.8 Error: authentication failed: authentication failure", "credentials_invalid"),
        (535, "5.7.3 Authentication unsuccessful", "credentials_invalid"),
        (535, "5.7.139 Authentication unsuccessful, basic authentication is disabled.", "oauth_required"),
        (
            535,
            "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
            "protocol_disabled",
        ),
        (
            535,
            "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
            "protocol_disabled",
        ),
        (
            535,
            "5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.",
            "policy_blocked",
        ),
        (
            535,
            "5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully.",
            "policy_blocked",
        ),
        (535, "5.7.139 Authentication unsuccessful, account locked", "policy_blocked"),
        (550, "5.7.30 Basic authentication is not supported for Client Submission.", "oauth_required"),
        (504, "5.7.4 Unrecognized authentication type", "login_not_offered"),
        (535, "5.7.0 (#AUTH005) Too many bad auth attempts.", "rate_limited"),
        (454, "4.7.0 Too many login attempts, please try again later.", "rate_limited"),
        (421, "4.7.0 Try again later, closing connection.", "rate_limited"),
        (421, "", "rate_limited"),
        (530, "5.7.0 Must issue a STARTTLS command first.", "tls_not_offered"),
        (538, "5.7.11 Encryption required for requested authentication mechanism", "tls_not_offered"),
        (503, "5.5.1 Error: authentication not enabled", "login_not_offered"),
        (451, "4.3.0 Requested action aborted", "provider_unavailable"),
        (454, "4.7.0 Temporary authentication failure: Connection lost", "provider_unavailable"),
        (535, "anything else", "credentials_invalid"),
    ] {
        assert_eq!(sending(status, text), expected, "{status} {text}");
    }
}

#[test]
fn what_only_an_administrator_can_change_says_so() {
    let tenant =
        smtp(535, "5.7.139 SmtpClientAuthentication is disabled for the Tenant", Code::ProtocolError);
    assert_eq!(tenant.actor, Actor::Admin);
    let named = imap(Some("CONTACTADMIN"), "", Code::CredentialsInvalid);
    assert_eq!((named.code, named.actor), (Code::PolicyBlocked, Actor::Admin));
    let own = imap(Some("ALERT"), "Your account is not enabled for IMAP use", Code::CredentialsInvalid);
    assert_eq!(own.actor, Actor::Person);
}

#[test]
fn a_refused_password_means_what_the_provider_makes_of_it() {
    let refused = Refusal::from(Code::CredentialsInvalid);
    assert_eq!(refused.at(Rule::Normal, None).code, Code::CredentialsInvalid);
    assert_eq!(refused.at(Rule::AppPassword, None).code, Code::AppPasswordRequired);
    assert_eq!(refused.at(Rule::AppPassword, Some(false)).code, Code::AppPasswordRequired);
    assert_eq!(refused.at(Rule::AppPassword, Some(true)).code, Code::CredentialsInvalid);
    assert_eq!(refused.at(Rule::OauthOnly, None).code, Code::OauthRequired);
    let silent = Refusal::from(Code::Timeout);
    assert_eq!(silent.at(Rule::AppPassword, Some(false)).code, Code::Timeout);
}

#[test]
fn an_address_we_may_not_reach_looks_like_one_where_nobody_listens() {
    assert_eq!(Refusal::from(ConnectError::Blocked), Refusal::from(ConnectError::Refused));
}
