//! `vestibule config check` asks the providers whether they know this server, without a person.

use serde_json::json;

use super::{HOUSES, Place, slug};
use crate::parts::identity::House;

fn check(place: &Place) -> (bool, String) {
    let (worked, said, _) = place.app.cli(&["config", "check"]);
    (worked, said)
}

#[tokio::test]
async fn a_wrong_secret_is_named_with_where_to_mend_it_and_the_right_one_is_fine() {
    for house in HOUSES {
        let mut place = Place::start(house).await;
        let (fine, said) = check(&place);
        assert!(fine && !said.contains("ERROR"), "{said}");
        // With an ID and a secret alone it cannot be seen what is registered, so that nothing is called fine.
        let callback = place.app.url(&format!("/providers/{}/callback", slug(house)));
        assert!(said.contains("config_redirect_unproven") && said.contains(&callback), "{said}");
        assert!(!said.contains("settings are fine") && said.contains("was not proven"), "{said}");
        let key = format!("PROVIDERS__{}__CLIENT_SECRET", slug(house).to_uppercase());
        place.app.set(&key, "GOCSPX-quite-another-secret");
        let (fine, said) = check(&place);
        let named = format!("ERROR providers.{}.client_secret", slug(house));
        assert!(!fine && said.contains(&named), "{said}");
        assert!(!said.contains("quite-another"), "{said}");
        let (fine, said, _) = place.app.cli(&["config", "check", "--offline"]);
        assert!(fine && !said.contains("ERROR") && said.contains("No provider was asked"), "{said}");
    }
}

#[tokio::test]
async fn a_product_s_address_where_our_callback_belongs_is_named_from_the_pasted_file() {
    let mut place = Place::start(House::Google).await;
    let callback = place.app.url("/providers/google/callback");
    let pasted = |uris: &[&str]| {
        json!({ "web": {
            "client_id": place.client.id,
            "client_secret": place.client.secret,
            "project_id": "acme",
            "auth_uri": "https://evil.example/auth",
            "token_uri": "https://evil.example/token",
            "redirect_uris": uris,
        } })
        .to_string()
    };
    let (right, swapped) = (pasted(&[&callback]), pasted(&["https://app.example.com/auth/callback"]));
    place.app.set("PROVIDERS__GOOGLE__CLIENT_ID", "");
    place.app.set("PROVIDERS__GOOGLE__CLIENT_SECRET", "");
    place.app.set("PROVIDERS__GOOGLE__CLIENT_JSON", &right);
    let (fine, said) = check(&place);
    assert!(fine && said.contains("The settings are fine."), "{said}");
    place.app.set("PROVIDERS__GOOGLE__CLIENT_JSON", &swapped);
    let (fine, said) = check(&place);
    assert!(!fine && said.contains("https://app.example.com/auth/callback"), "{said}");
    assert!(said.contains(&callback), "{said}");
    place.app.set("PROVIDERS__GOOGLE__CLIENT_JSON", "{\"installed\":{}}");
    let (fine, _, said) = place.app.cli(&["config", "check"]);
    assert!(!fine && said.contains("providers.google.client_json"), "{said}");
}

#[tokio::test]
async fn a_microsoft_tenant_that_is_a_home_is_asked_without_a_person() {
    let tenant = crate::parts::identity::Identity::shared(House::Microsoft).tenant("work.example").await;
    let mut place = Place::with(
        House::Microsoft,
        &[("PROVIDERS__MICROSOFT__TENANT", &tenant)],
        json!({ "home_tenant": tenant }),
    )
    .await;
    let (fine, said) = check(&place);
    assert!(fine, "{said}");
    place.register_again(json!({ "secret_expired": true, "home_tenant": tenant })).await;
    let (fine, said) = check(&place);
    assert!(!fine && said.contains("config_client_secret_expired"), "{said}");
    place.register_again(json!({ "home_tenant": tenant })).await;
    place.app.set("PROVIDERS__MICROSOFT__TENANT", "nowhere.example");
    let (fine, _, said) = place.app.cli(&["config", "check"]);
    assert!(!fine && said.contains("providers.microsoft.tenant") && said.contains("not a domain"), "{said}");
    let elsewhere =
        crate::parts::identity::Identity::shared(House::Microsoft).tenant("nowhere.example").await;
    place.app.set("PROVIDERS__MICROSOFT__TENANT", &elsewhere);
    let (fine, said) = check(&place);
    assert!(!fine && said.contains("config_client_unknown") && said.contains("and tenant"), "{said}");
}

#[tokio::test]
async fn a_secret_that_microsoft_says_nothing_of_is_not_called_right_and_a_home_tenant_proves_it() {
    let tenant = crate::parts::identity::Identity::shared(House::Microsoft).tenant("work.example").await;
    let mut place = Place::with(House::Microsoft, &[], json!({ "home_tenant": tenant })).await;
    let nothing = json!({ "error": "invalid_request", "error_codes": [9_002_313] });
    place.identity.fault(&place.client, "token_400", nothing, true).await;
    let (fine, said) = check(&place);
    assert!(fine && said.contains("config_client_secret_unproven") && said.contains("home_tenant"), "{said}");
    place.app.set("PROVIDERS__MICROSOFT__HOME_TENANT", &tenant);
    let (fine, said) = check(&place);
    assert!(fine && !said.contains("config_client_secret_unproven"), "{said}");
    let asked = place.identity.log(&place.client, "token").await;
    let own = |grant: &str| asked.iter().filter(|one| one.params["grant_type"] == grant).count();
    // The made-up code, besides the one before, still says whether the app is open to whom it shall be.
    assert_eq!((own("client_credentials"), own("authorization_code")), (1, 2));
    place.app.set("PROVIDERS__MICROSOFT__CLIENT_SECRET", "quite-another-secret");
    let (fine, said) = check(&place);
    assert!(!fine && said.contains("ERROR providers.microsoft.client_secret"), "{said}");
    assert_eq!(said.matches("ERROR").count(), 1, "{said}");
}
