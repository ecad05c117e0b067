//! The call to `notify_url`: a flat object with exactly the documented keys, in the documented order.

use serde::Serialize;

use crate::kernel::words::EventKind;

#[derive(Serialize)]
struct Notify<'a> {
    status: &'static str,
    account_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

/// The events that `notify_url` is told of.
pub const TOLD: &[EventKind] = &[EventKind::AccountConnected, EventKind::AccountReconnected];

/// The body for an account's event; `None` for events that `notify_url` is not told.
pub fn notify_body(kind: EventKind, account_id: &str, name: Option<&str>) -> Option<Vec<u8>> {
    let status = match kind {
        EventKind::AccountConnected => "CREATION_SUCCESS",
        EventKind::AccountReconnected => "RECONNECTED",
        _ => return None,
    };
    serde_json::to_vec(&Notify { status, account_id, name }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_the_documented_one_to_the_byte() {
        let body =
            notify_body(EventKind::AccountConnected, "e54m8LR22bA7G5qsAc8w", Some("user_1234")).unwrap();
        let expected =
            r#"{"status":"CREATION_SUCCESS","account_id":"e54m8LR22bA7G5qsAc8w","name":"user_1234"}"#;
        assert_eq!(String::from_utf8(body).unwrap(), expected);
        let body = notify_body(EventKind::AccountReconnected, "acc_1", None).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), r#"{"status":"RECONNECTED","account_id":"acc_1"}"#);
        assert_eq!(notify_body(EventKind::SessionOpened, "acc_1", None), None);
    }
}
