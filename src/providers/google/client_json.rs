//! The file that Google's console gives for a new client, pasted into a setting. Only the id, the secret and the
//! registered addresses are taken from it: the addresses of Google's own services in it are never used, since whoever
//! can have a file pasted could have secrets sent anywhere.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::kernel::secret::Secret;

/// Longer than any such file, in bytes.
pub const LONGEST: usize = 8 * 1024;

/// What is taken from it.
#[derive(Debug)]
pub struct ClientJson {
    /// The client ID.
    pub client_id: String,
    /// The client secret; a file that is downloaded later has none.
    pub client_secret: Option<Secret>,
    /// Where Google may send people back to.
    pub redirect_uris: Vec<String>,
}

#[derive(Deserialize)]
struct Web {
    client_id: String,
    client_secret: Option<Secret>,
    #[serde(default)]
    redirect_uris: Vec<String>,
}

/// Whether this looks like one of Google's client IDs.
pub fn is_client_id(text: &str) -> bool {
    let name = text.strip_suffix(".apps.googleusercontent.com");
    name.is_some_and(|name| {
        let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        name.starts_with(|first: char| first.is_ascii_digit()) && name.bytes().all(fine)
    })
}

/// Reads it.
///
/// # Errors
/// What is wrong with it, as the rest of a sentence; nothing of the file is in it.
pub fn read(text: &str) -> Result<ClientJson, &'static str> {
    const FILE: &str = "must be the whole file that the Google Auth Platform gives for a client of the type \
                        “Web application”: {\"web\":{…}}";
    if text.len() > LONGEST {
        return Err("is longer than 8 KiB, so it is not the file of a client");
    }
    let value: Value = serde_json::from_str(text).map_err(|_| FILE)?;
    let file: Map<String, Value> = match value {
        Value::Object(file) => file,
        Value::Array(_) => return Err("is a list; paste the file of one client"),
        _ => return Err(FILE),
    };
    match file.get("type").and_then(Value::as_str) {
        Some("service_account") => {
            return Err(
                "is the key of a service account; create a client of the type “Web application” instead",
            );
        }
        Some("authorized_user") => {
            return Err(
                "holds somebody’s own credentials; create a client of the type “Web application” instead",
            );
        }
        _ => {}
    }
    if file.len() > 1 {
        return Err("has several parts; paste the file of one client as it was downloaded");
    }
    let Some((kind, client)) = file.into_iter().next() else { return Err(FILE) };
    match &*kind {
        "web" => {}
        "installed" => {
            return Err("is of a desktop or mobile client; create one of the type “Web application” instead");
        }
        _ => return Err(FILE),
    }
    let web: Web = serde_json::from_value(client).map_err(|_| FILE)?;
    let plain = |text: &str, longest| {
        !text.is_empty() && text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !plain(&web.client_id, 200) {
        return Err("has no usable client_id");
    }
    let client_secret = web.client_secret.filter(|secret| !secret.reveal().is_empty());
    if client_secret.as_ref().is_some_and(|secret| !plain(secret.reveal(), 200)) {
        return Err("has no usable client_secret");
    }
    Ok(ClientJson { client_id: web.client_id, client_secret, redirect_uris: web.redirect_uris })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "123456789-abc0def.apps.googleusercontent.com";

    fn file(more: &str) -> String {
        format!(r#"{{"web":{{"client_id":"{ID}","token_uri":"https://evil.example/token"{more}}}}}"#)
    }

    #[test]
    fn only_the_client_is_taken_from_the_file() {
        let more = r#","client_secret":"GOCSPX-x","redirect_uris":["https://a.example/cb"]"#;
        let read = read(&file(more)).unwrap();
        assert_eq!(read.client_id, ID);
        assert_eq!(read.client_secret.unwrap().reveal(), "GOCSPX-x");
        assert_eq!(read.redirect_uris, ["https://a.example/cb"]);
        let later = super::read(&file("")).unwrap();
        assert!(later.client_secret.is_none() && later.redirect_uris.is_empty());
    }

    #[test]
    fn another_file_is_named_for_what_it_is() {
        for (text, what) in [
            (String::new(), "must be the whole file"),
            ("<html>".to_owned(), "must be the whole file"),
            ("7".to_owned(), "must be the whole file"),
            ("{}".to_owned(), "must be the whole file"),
            ("[{}]".to_owned(), "is a list"),
            (r#"{"installed":{"client_id":"x"}}"#.to_owned(), "desktop"),
            (r#"{"type":"service_account","client_id":"1"}"#.to_owned(), "service account"),
            (r#"{"type":"authorized_user"}"#.to_owned(), "somebody’s own"),
            (r#"{"web":{"client_id":"x"},"installed":{}}"#.to_owned(), "several parts"),
            (r#"{"web":7}"#.to_owned(), "must be the whole file"),
            (r#"{"web":{}}"#.to_owned(), "must be the whole file"),
            (r#"{"web":{"client_id":""}}"#.to_owned(), "client_id"),
            (r#"{"web":{"client_id":"a b"}}"#.to_owned(), "client_id"),
            (file(r#","client_secret":"a\nb""#), "client_secret"),
            (file(&format!(r#","x":"{}""#, "x".repeat(LONGEST))), "longer than 8 KiB"),
        ] {
            let told = read(&text).unwrap_err();
            assert!(told.contains(what), "{text}: {told}");
        }
    }

    #[test]
    fn a_client_id_is_known_by_its_shape() {
        assert!(is_client_id(ID));
        for odd in
            ["", "x", "abc.apps.googleusercontent.com", "1-A.apps.googleusercontent.com", "1-a.example"]
        {
            assert!(!is_client_id(odd), "{odd}");
        }
    }
}
