//! OAuth keys that were changed in the settings: accounts of the old ones are marked, and heal when those are back.

use serde_json::json;

use super::{kinds, shown, status, until_status};
use crate::app::signing::point;
use crate::oauth::{HOUSES, Place, slug};

#[tokio::test]
async fn another_client_marks_the_accounts_of_the_first_at_once_and_asks_nobody() {
    for house in HOUSES {
        // Looked at in hours, if it were not for the settings.
        let mut place = Place::with(house, &[], json!({})).await;
        let account = place.account(&place.link(json!({})).await).await;
        let asked = place.identity.log(&place.client, "token").await.len();
        place.app.stop();
        let other = crate::oauth::walk::another_client(&place.app, house).await;
        point(&mut place.app, house, &other);
        place.app.run();
        let marked = until_status(&place.app, &account, "CREDENTIALS").await;
        assert_eq!(marked["cause"], "oauth_client_changed");
        assert_eq!(marked["user_action"], "reconnect");
        assert_eq!(place.identity.log(&place.client, "token").await.len(), asked, "nobody was asked");
        assert_eq!(place.identity.log(&other, "token").await.len(), 0);
        let body = place.credentials(&account, json!({ "refresh": true })).await.json();
        assert_eq!(
            (&body["state"], &body["cause"]),
            (&json!("needs_reconnect"), &json!("oauth_client_changed"))
        );
        assert!(place.app.output().contains("another OAuth client"), "{}", slug(house));
        // The keys are put back.
        place.app.stop();
        point(&mut place.app, house, &place.client);
        place.app.run();
        until_status(&place.app, &account, "OK").await;
        let all = ["account.connected", "account.broken", "account.healed"];
        assert_eq!(kinds(&place.app, &account).await, all);
        assert_eq!(status(&shown(&place.app, &account).await), "OK");
    }
}
