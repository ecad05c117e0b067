//! Ways home: a product's own address is one, and where providers send people back to is none.

use serde_json::{Value, json};

use crate::app::http::Reply;
use crate::app::{App, in_an_hour};

async fn link(app: &App, field: &str, home: &str) -> Reply {
    let body = json!({
        "type": "create",
        "providers": "*",
        "api_url": app.url("/v1"),
        "expiresOn": in_an_hour(),
        field: home,
    });
    app.api("POST", "/v1/hosted/accounts/link", Some(body)).await
}

async fn session(app: &App, home: &str) -> Reply {
    app.api("POST", "/auth/sessions", Some(json!({ "redirectUri": home }))).await
}

#[tokio::test]
async fn where_providers_send_people_back_to_is_no_way_home() {
    let app = App::start();
    let callback = app.url("/providers/gmail/callback");
    for home in [
        callback.clone(),
        format!("{callback}?from=us"),
        app.url("//providers/microsoft/callback"),
        app.url("/done/../providers/microsoft/admin-consent"),
        callback.replacen("http:", "HTTP:", 1),
    ] {
        let (success, failure) = ("success_redirect_url", "failure_redirect_url");
        for (reply, field) in [
            (link(&app, success, &home).await, success),
            (link(&app, failure, &home).await, failure),
            (session(&app, &home).await, "redirectUri"),
        ] {
            assert_eq!(reply.status, 400, "{home}: {}", reply.text());
            let detail: Value = reply.json()["detail"].clone();
            let detail = detail.as_str().unwrap_or_default();
            assert!(detail.starts_with(field) && detail.contains("address of your product"), "{detail}");
        }
    }
    for home in ["https://app.example.com/providers/gmail/callback".to_owned(), app.url("/done")] {
        assert_eq!(link(&app, "failure_redirect_url", &home).await.status, 201, "{home}");
        assert_eq!(link(&app, "success_redirect_url", &home).await.status, 201, "{home}");
        assert_eq!(session(&app, &home).await.status, 200, "{home}");
    }
}
