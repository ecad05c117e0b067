//! Microsoft's tenants, the whole way: each lets in whom it is for, and nobody else comes out of it with an account.

use serde_json::json;

use super::{Place, leaves_for};
use crate::app::person::Person;
use crate::parts::identity::{House, Identity};
use crate::parts::visitor::{Choices, Walk};
use crate::proofs::walk::succeeded;

const WORK: &str = "ben@work.example";
const PRIVATE: &str = "grace@outlook.com";
const ELSEWHERE: &str = "ida@contoso.example";

#[tokio::test]
async fn each_tenant_lets_in_whom_it_is_for_and_keeps_what_is_theirs() {
    let home = Identity::shared(House::Microsoft).tenant("work.example").await;
    for (tenant, audience, comes, stays_out) in [
        ("common", "AzureADandPersonalMicrosoftAccount", &[WORK, PRIVATE][..], &[][..]),
        ("organizations", "AzureADMultipleOrgs", &[WORK, ELSEWHERE], &[PRIVATE]),
        ("consumers", "PersonalMicrosoftAccount", &[PRIVATE], &[WORK]),
        (&home, "AzureADMyOrg", &[WORK], &[PRIVATE, ELSEWHERE]),
    ] {
        let settings = [("PROVIDERS__MICROSOFT__TENANT", tenant)];
        let client = json!({ "audience": audience, "home_tenant": home });
        let place = Place::with(House::Microsoft, &settings, client).await;
        let (fine, said, _) = place.app.cli(&["config", "check"]);
        assert!(fine, "{tenant}: {said}");
        for who in comes {
            let link = place.link(json!({})).await;
            let person = Person::new();
            let leaving = person.begin(&link).await;
            let url = leaves_for(&leaving);
            assert!(url.contains(&format!("/{tenant}/oauth2/v2.0/authorize")), "{url}");
            let end =
                person.open(place.consent_with(&leaving, who, &Choices::default()).await.as_str()).await;
            assert!(succeeded(&end), "{who} at {tenant}: {}", end.text());
            let id = place.app.session(&link.id).await["account_id"].as_str().expect("an account").to_owned();
            // Renewed where it was made, for whoever it is.
            let renewed = place.credentials(&id, json!({ "refresh": true })).await.json();
            assert_eq!(
                (&renewed["state"], &renewed["credentials"]["login"]),
                (&json!("active"), &json!(who))
            );
        }
        for who in stays_out {
            let link = place.link(json!({ "failure_redirect_url": "https://app.example.com/sorry" })).await;
            let person = Person::new();
            let leaving = person.begin(&link).await;
            let mut visitor = place.identity.visitor();
            let walk = visitor.walk(&leaves_for(&leaving), who, &Choices::default()).await;
            assert!(matches!(walk, Walk::Stuck { .. }), "{who} at {tenant}: {walk:?}");
            // Nobody comes back from there; whoever goes back by themselves finds the step and the way home.
            let here = person.open(&place.app.url(&format!("/wizard/{}", link.id))).await;
            assert!(here.has("button[value=submit]") && here.has("button[value=cancel]"), "{}", here.text());
        }
        assert_eq!(place.app.accounts().await.len(), comes.len(), "{tenant}");
    }
}

/// The stand-in's page refuses strangers; a token that came all the same is looked at by itself.
#[tokio::test]
async fn a_token_of_another_tenant_is_refused_where_tenants_are_kept_out() {
    let home = Identity::shared(House::Microsoft).tenant("work.example").await;
    for (tenant, foreign, code) in [
        ("organizations", PRIVATE, "id_token_tenant"),
        // The key for private accounts speaks for no other.
        ("consumers", WORK, "id_token_key_issuer"),
        (&*home, ELSEWHERE, "id_token_tenant"),
    ] {
        let settings = [("PROVIDERS__MICROSOFT__TENANT", tenant)];
        let place = Place::with(House::Microsoft, &settings, json!({ "home_tenant": home })).await;
        let link = place.link(json!({})).await;
        let person = Person::new();
        let leaving = person.begin(&link).await;
        let who = if tenant == "consumers" { PRIVATE } else { WORK };
        let back = place.consent_with(&leaving, who, &Choices::default()).await;
        let theirs =
            Identity::shared(House::Microsoft).tenant(foreign.rsplit_once('@').expect("a domain").1).await;
        place.identity.fault(&place.client, "id_token_of_tenant", theirs, true).await;
        let refused = person.open(back.as_str()).await;
        assert!(refused.has("#notice"), "{tenant}: {}", refused.text());
        let cause = place.app.session(&link.id).await["cause"].clone();
        assert_eq!(cause, code, "{tenant}");
        assert!(place.app.accounts().await.is_empty(), "{tenant}");
    }
}
