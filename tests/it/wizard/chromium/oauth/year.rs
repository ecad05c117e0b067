//! The year after the link, whole: an account breaks at its real peer, its backend is told why, makes a link, its person
//! walks that in a browser, and the same account works again.

use serde_json::{Value, json};

use super::super::{Walk, desktop, phone};
use crate::app::mailbox::{ADDRESS, Mailbox};
use crate::app::person::Person;
use crate::app::{App, Link};
use crate::oauth::{HOUSES, Place, address};
use crate::parts::identity::House;
use crate::parts::sink::Sink;
use crate::parts::{READY, eventually_async};
use crate::watch::{often, status, until_status};
use crate::webhooks::webhook;

/// A backend that hears of every account, and what its link ends with.
struct Backend {
    sink: Sink,
    account: String,
}

impl Backend {
    async fn listening(app: &App) -> Sink {
        let sink = Sink::start();
        webhook(app, &sink.url("/status"), json!({})).await;
        sink
    }

    /// Waits until these messages were told of the account, in this order and no others.
    async fn hears(&self, wanted: &[&str]) {
        eventually_async(&format!("{wanted:?}"), READY, async || {
            let calls = self.sink.calls();
            let told = calls.iter().filter(|call| call.path == "/status");
            let told: Vec<Value> = told.map(|call| call.json()["AccountStatus"].clone()).collect();
            assert!(told.iter().all(|one| one["account_id"] == *self.account), "{told:?}");
            (told.iter().map(|one| one["message"].clone()).collect::<Vec<_>>() == *wanted).then_some(())
        })
        .await;
    }

    /// The link that its backend makes for its person once it has heard of the break.
    async fn repair(&self, app: &App, cause: &str) -> Link {
        let broken = until_status(app, &self.account, "CREDENTIALS").await;
        assert_eq!((&broken["cause"], &broken["user_action"]), (&json!(cause), &json!("reconnect")));
        self.hears(&["CREATION_SUCCESS", "CREDENTIALS"]).await;
        let (kind, told) = ("reconnect", self.sink.url("/told"));
        app.link(json!({ "type": kind, "reconnect_account": self.account, "notify_url": told })).await
    }

    async fn is_whole(&self, app: &App) {
        self.hears(&["CREATION_SUCCESS", "CREDENTIALS", "RECONNECTED"]).await;
        let accounts = app.accounts().await;
        assert_eq!((accounts.len(), &accounts[0]["id"]), (1, &json!(self.account)));
        assert_eq!(status(&crate::watch::shown(app, &self.account).await), "OK");
        let told = eventually_async("the link's own call", READY, async || {
            self.sink.calls().into_iter().find(|call| call.path == "/told")
        });
        assert_eq!(told.await.json()["status"], "RECONNECTED");
    }
}

#[tokio::test]
async fn what_breaks_at_its_peer_is_told_mended_in_the_browser_and_the_same_account_works_again() {
    let mailbox = Mailbox::start();
    let app = mailbox.app(&often(&[]));
    let sink = Backend::listening(&app).await;
    let account = Person::new().account(&app, &mailbox, &app.link(json!({ "name": "user_1" })).await).await;
    let backend = Backend { sink, account };
    mailbox.dovecot.set_password(ADDRESS, "changed since");
    let link = backend.repair(&app, "credentials_invalid").await;
    let walk = Walk::start(phone(), "phone-dark").await;
    walk.begin(&link).await;
    walk.fill("password", "changed since").await;
    walk.press("submit").await;
    walk.says(&["Your mailbox works again", ADDRESS]).await;
    backend.is_whole(&app).await;

    for house in HOUSES {
        let place = Place::with(house, &often(&[]), json!({})).await;
        let sink = Backend::listening(&place.app).await;
        let account = place.account(&place.link(json!({ "name": "user_1" })).await).await;
        let backend = Backend { sink, account };
        place.identity.withdraw(&place.client, address(house)).await;
        let link = backend.repair(&place.app, "session_expired").await;
        let walk = Walk::start(desktop(), "desktop-light").await;
        walk.to_provider(&link).await;
        // Somebody else is named and refused, and may choose again; what they granted is given back.
        let other = if house == House::Google { "eve@gmail.com" } else { "eve@work.example" };
        walk.consent(other).await;
        walk.says(&[other, address(house), "but this link repairs"]).await;
        walk.press("submit").await;
        walk.consent(address(house)).await;
        walk.says(&["account works again", address(house)]).await;
        backend.is_whole(&place.app).await;
        if house == House::Google {
            eventually_async("the other grant is ended", READY, async || {
                (place.identity.log(&place.client, "revoke").await.len() == 1).then_some(())
            })
            .await;
        }
    }
}
