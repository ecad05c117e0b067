//! The figures that Prometheus reads.

use serde_json::json;

use crate::app::http::send;
use crate::app::person::Person;
use crate::parts::sink::{Answer, Sink};
use crate::parts::{READY, free_port};
use crate::proofs::walk::mailbox;

/// The value of the one series that begins so.
fn value(text: &str, series: &str) -> f64 {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
    found.unwrap_or_else(|| panic!("{series} is missing:\n{text}"))
}

#[tokio::test]
async fn what_happened_is_counted_by_patterns_and_codes_and_names_nobody() {
    let (sink, port) = (Sink::start(), free_port());
    sink.answer_next([Answer::status(500)]);
    let app = mailbox().app(&[("METRICS_LISTEN", &format!("127.0.0.1:{port}"))]);
    let link = app.link(json!({ "notify_url": sink.url("/told") })).await;
    let open = app.link(json!({ "name": "user_77" })).await;
    let person = Person::new();
    let password = person.until_password(mailbox(), &link).await;
    let wrong = person.submit(&password, &password.sheet().with("password", "not the one")).await;
    let right = wrong.sheet().with("password", crate::app::mailbox::PASSWORD);
    let end = person.submit(&wrong, &right).await;
    assert!(crate::proofs::walk::succeeded(&end), "{}", end.text());
    sink.wait_for(1, READY).await;
    for path in ["/nothing/here", "/nothing/there", "/v1/accounts/acc_x"] {
        app.api("GET", path, None).await;
    }
    let metrics = format!("http://127.0.0.1:{port}/metrics");
    let text = crate::parts::eventually_async("the try", READY, async || {
        let reply = send("GET", &metrics, &[], b"").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(reply.header("content-type").starts_with("application/openmetrics-text"));
        Some(reply.text()).filter(|text| text.contains("vestibule_webhook_tries_total"))
    })
    .await;
    let create =
        r#"vestibule_http_requests_total{method="POST",route="/v1/hosted/accounts/link",status="201"}"#;
    assert_eq!(value(&text, create) as u32, 2);
    let read = r#"vestibule_http_requests_total{method="GET",route="/v1/accounts/{id}",status="404"}"#;
    assert_eq!(value(&text, read) as u32, 1);
    let none = r#"vestibule_http_requests_total{method="GET",route="none",status="404"}"#;
    assert_eq!(value(&text, none) as u32, 2);
    let count = "vestibule_http_request_duration_seconds_count";
    let create = format!(r#"{count}{{method="POST",route="/v1/hosted/accounts/link"}}"#);
    assert_eq!(value(&text, &create) as u32, 2);
    let slug = &mailbox().settings()[1].0.split("__").nth(1).unwrap().to_lowercase();
    let answers = |outcome: &str, code: &str| {
        format!(r#"vestibule_wizard_answers_total{{provider="{slug}",outcome="{outcome}",code="{code}"}}"#)
    };
    assert_eq!(value(&text, &answers("connected", "")) as u32, 1);
    assert_eq!(value(&text, &answers("refused", "credentials_invalid")) as u32, 1);
    let calls = format!(r#"vestibule_provider_call_duration_seconds_count{{provider="{slug}"}}"#);
    assert!(value(&text, &calls) >= 4.0);
    assert_eq!(value(&text, r#"vestibule_webhook_tries_total{result="due"}"#) as u32, 1);
    assert_eq!(value(&text, "vestibule_webhook_deliveries_due") as u32, 1);
    assert!(value(&text, "vestibule_webhook_oldest_due_seconds") > 0.0);
    assert_eq!(value(&text, "vestibule_sessions_open") as u32, 1);
    assert_eq!(value(&text, r#"vestibule_sessions_ended_total{result="connected"}"#) as u32, 1);
    assert!(value(&text, "vestibule_database_batch_writes_count") > 0.0);
    assert!(value(&text, "vestibule_database_connections_used") >= 0.0);
    assert!(text.contains("vestibule_build_info{version="));
    for private in ["authsess_", "acc_", "user_77", "ada@", "/told", open.url.rsplit('/').next().unwrap()] {
        assert!(!text.contains(private), "{private}");
    }
    // The people's side and the backends' know nothing of it, nor does the figures' listener of anything else.
    assert_eq!(app.api("GET", "/metrics", None).await.status, 404);
    assert_eq!(send("GET", &metrics.replace("/metrics", "/v1/accounts"), &[], b"").await.status, 404);
}
