//! ID tokens that are accepted and ones that are not, the way out to a provider's pages, and the words.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use url::Url;

use super::id_token::{Claims, Expected, check};
use super::keys::{Key, KeySet};
use super::refusal::{Class, Refusal};
use super::scopes::Need;
use super::trip::{Request, Trip};
use crate::contract::{About, Allowance, Context, Returns, Step};
use crate::kernel::clock::{Clock, Millis};
use crate::kernel::egress::{Egress, Setup};
use crate::kernel::random::{Random, hash};
use crate::kernel::secret::Secret;

const NOW: i64 = 2_000_000_000;

/// A public key, and a token that was signed with its other half.
const RSA: &str = "66xhT2gYxGoljB3t2dM0UNs1s33BYoHtUiXGQNZQ6IBhyyF5G4DCR2hiHbsg9fjvA9L0oifrZ2FuFBx1-km_37lNG2ExXf4RcYxKVh3ippGElb8TIPH0xGeEoYDdSX_7Sfuum54Y7TgzCUz_mPnu5ss_z6Sqpu-DxcYyOkwtCeNtGYSUlDx9HGtpU9VLAdSvVPHuOVndAJeRfawBNSrB-GIaWAOq3xm4NhFtuRz3FZXkGaMkaaaa6PBbHWjqwP8Ik1jyCsp2E8seZ_LYOevgXqSfu_jOlO4lA4CwCS8ofT07KJTR2vjlAYl8TWeVQQ1hUevF2uRDwoxxWmT2hf4A_Q";
const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InIifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJ1cyIsInN1YiI6ImFkYSIsImV4cCI6MjAwMDAwMzYwMCwiaWF0IjoyMDAwMDAwMDAwLCJub25jZSI6Im4ifQ.D5cftBi_MS3cCOWTuAIm0pQ7d-96Y5mDLEoz7crq2zqRQt5_ovri53DmX5UL7FDYTTAWAK1cGipLZhsaQuzR3ZBMtC4_wTdoKn5Bjr7_HgoJxN_BWUvzmoznl0tQ_70KbiRnUlX5xs_b4ZWM3UhZlQ5IUFfDMEfT8JRNZ-iaj22_Hg2mlzdoq3dpQQfeapeE7QkyFbwaoaT_HwxuWJxOCoduhXsKXxHpC5hkeuJCQJlxX2-s9724jlbauHJqJyDzSfUoB8Kao4rQNWDvao1g1r2n9t6NxolfZgrswPFwA2jwBe1kJFPo2ndZ0BfxLjCsn2M6q2zi3uOGLnc9mZwM4Q";

/// A provider that signs.
struct Signer {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Signer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { pair, random }
    }

    fn key(&self, id: &str) -> Value {
        let point = self.pair.public_key().as_ref();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "kty": "EC", "crv": "P-256", "kid": id, "use": "sig", "x": part(&point[1..33]), "y": part(&point[33..]) })
    }

    fn set(&self) -> KeySet {
        KeySet::read(json!({ "keys": [self.key("a")] }).to_string().as_bytes()).unwrap()
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair.sign(&self.random, message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(r#"{"alg":"ES256","kid":"a","typ":"JWT"}"#, &claims.to_string())
    }
}

fn claims() -> Value {
    json!({ "iss": "https://id.example", "aud": "us", "sub": "ada", "nonce": "n", "iat": NOW, "exp": NOW + 3600 })
}

fn judge(token: &str, set: &KeySet) -> Result<Claims, &'static str> {
    let issuer = |claims: &Claims, _: &Key| match claims.issuer() {
        "https://id.example" => Ok(()),
        _ => Err(Refusal::invalid("id_token_issuer")),
    };
    let expected = Expected { client_id: "us", nonce: Some("n"), issuer: &issuer };
    check(token, set, &expected, Millis(NOW * 1000)).map_err(|refusal| refusal.code)
}

#[test]
fn a_token_that_is_right_is_accepted_with_either_kind_of_key() {
    let signer = Signer::new();
    assert_eq!(judge(&signer.token(&claims()), &signer.set()).unwrap().subject(), "ada");
    let rsa = json!({ "keys": [{ "kty": "RSA", "kid": "r", "n": RSA, "e": "AQAB" }] }).to_string();
    let rsa = KeySet::read(rsa.as_bytes()).unwrap();
    assert_eq!(judge(RSA_TOKEN, &rsa).unwrap().subject(), "ada");
    let (message, signature) = RSA_TOKEN.rsplit_once('.').unwrap();
    let bent = format!("{message}.{}", signature.replacen('D', "E", 1));
    assert_eq!(judge(&bent, &rsa).unwrap_err(), "id_token_signature");
}

#[test]
fn claims_that_are_not_right_are_refused_each_by_its_name() {
    let signer = Signer::new();
    for (name, value, code) in [
        ("iss", json!("https://evil.example"), "id_token_issuer"),
        ("iss", Value::Null, "id_token_issuer"),
        ("iss", json!(7), "id_token_claims"),
        ("aud", json!("them"), "id_token_audience"),
        ("aud", Value::Null, "id_token_audience"),
        ("aud", json!([]), "id_token_audience"),
        ("aud", json!(["them"]), "id_token_audience"),
        ("aud", json!(["us", "them"]), "id_token_audience_several"),
        ("azp", json!("them"), "id_token_azp"),
        ("exp", Value::Null, "id_token_expiry_missing"),
        ("exp", json!("2000003600"), "id_token_claims"),
        ("exp", json!(NOW - 60), "id_token_expired"),
        ("exp", json!(-1e300), "id_token_expired"),
        ("iat", Value::Null, "id_token_issued_missing"),
        ("iat", json!(NOW + 61), "id_token_in_future"),
        ("iat", json!(1e300), "id_token_in_future"),
        ("nbf", json!(NOW + 61), "id_token_in_future"),
        ("nonce", Value::Null, "id_token_nonce_missing"),
        ("nonce", json!("m"), "id_token_nonce"),
        ("nonce", json!(""), "id_token_nonce"),
        ("sub", Value::Null, "id_token_sub"),
        ("sub", json!(""), "id_token_sub"),
        ("sub", json!("a".repeat(256)), "id_token_sub"),
        ("sub", json!(7), "id_token_claims"),
    ] {
        let mut claims = claims();
        claims[name] = value.clone();
        assert_eq!(judge(&signer.token(&claims), &signer.set()).unwrap_err(), code, "{name}: {value}");
    }
}

#[test]
fn what_clocks_and_audiences_may_vary_in_is_accepted() {
    let signer = Signer::new();
    for (name, value) in [
        ("exp", json!(NOW - 59)),
        ("iat", json!(NOW + 60)),
        ("nbf", json!(NOW + 60)),
        ("exp", json!(NOW as f64 + 0.5)),
        ("aud", json!(["us"])),
        ("azp", json!("us")),
        ("unknown", json!({ "deep": [1, 2] })),
    ] {
        let mut claims = claims();
        claims[name] = value.clone();
        assert!(judge(&signer.token(&claims), &signer.set()).is_ok(), "{name}: {value}");
    }
}

#[test]
fn a_token_for_somebody_else_as_well_is_for_nobody() {
    let signer = Signer::new();
    let mut several = claims();
    (several["aud"], several["azp"]) = (json!(["them", "us"]), json!("us"));
    assert_eq!(judge(&signer.token(&several), &signer.set()).unwrap_err(), "id_token_audience_several");
}

#[test]
fn headers_and_shapes_that_are_not_right_are_refused() {
    let (signer, other) = (Signer::new(), Signer::new());
    let claims = claims().to_string();
    let told = |token: &str| judge(token, &signer.set()).unwrap_err();
    for (header, code) in [
        (r#"{"alg":"none"}"#, "id_token_alg"),
        (r#"{"alg":"None","kid":"a"}"#, "id_token_alg"),
        (r#"{"alg":"HS256","kid":"a"}"#, "id_token_alg"),
        (r#"{"alg":"RS384","kid":"a"}"#, "id_token_alg"),
        (r#"{"alg":"ES256","kid":"a","crit":["x"],"x":1}"#, "id_token_crit"),
        (r#"{"alg":"ES256","kid":"a","crit":null}"#, "id_token_crit"),
        (r#"{"alg":"ES256","alg":"none","kid":"a"}"#, "id_token_malformed"),
        (r#"{"alg":"ES256","kid":"b"}"#, "id_token_key_unknown"),
        (r#"{"alg":"RS256","kid":"a"}"#, "id_token_key_unknown"),
        (r#"{"kid":"a"}"#, "id_token_malformed"),
        (r#"["ES256","a"]"#, "id_token_malformed"),
        ("", "id_token_malformed"),
    ] {
        assert_eq!(told(&signer.sign(header, &claims)), code, "{header}");
    }
    let good = r#"{"alg":"ES256","kid":"a"}"#;
    assert_eq!(told(&other.sign(good, &claims)), "id_token_signature");
    let twice = claims.replacen('{', r#"{"sub":"eve","#, 1);
    assert_eq!(told(&signer.sign(good, &twice)), "id_token_claims");
    assert_eq!(told(&signer.sign(good, r#"["us"]"#)), "id_token_claims");
    let token = signer.sign(good, &claims);
    let long = signer.sign(good, &claims.replacen('{', &format!(r#"{{"x":"{}","#, "x".repeat(40_000)), 1));
    for odd in ["", ".", "..", "a.b", &format!("{token}.x"), &format!("{token}="), &token.replace('.', "..")]
    {
        assert_eq!(told(odd), "id_token_malformed", "{odd}");
    }
    assert_eq!(told(&long), "id_token_malformed");
    let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
    assert_eq!(told(&unsigned), "id_token_signature");
}

#[test]
fn a_token_without_the_name_of_its_key_fits_a_lone_key_only() {
    let signer = Signer::new();
    let token = signer.sign(r#"{"alg":"ES256"}"#, &claims().to_string());
    assert!(judge(&token, &signer.set()).is_ok());
    let two = json!({ "keys": [signer.key("a"), Signer::new().key("b")] }).to_string();
    let two = KeySet::read(two.as_bytes()).unwrap();
    assert_eq!(judge(&token, &two).unwrap_err(), "id_token_key_ambiguous");
}

/// Nothing that is asked of it reaches any network.
pub fn context() -> Context {
    let setup = Setup { name_server: Some("127.0.0.1:9".parse().unwrap()), ..Setup::default() };
    Context {
        egress: Egress::new(setup).unwrap(),
        clock: Clock::system(),
        random: Random::system(),
        allowance: Allowance::new(0, 0),
        returns: Returns {
            callback: "https://us.example/providers/x/callback".into(),
            state: Some(Secret::new("fresh-state")),
            approval_callback: "https://us.example/providers/x/admin-consent".into(),
            approval_state: Some(Secret::new("lasting-state")),
        },
    }
}

/// The parameters of an address; none stands there twice.
pub fn query(url: &str) -> std::collections::BTreeMap<String, String> {
    let url = Url::parse(url).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let map: std::collections::BTreeMap<_, _> = pairs.iter().cloned().collect();
    assert_eq!(map.len(), pairs.len(), "{url}");
    map
}

#[test]
fn every_departure_is_its_own() {
    let (cx, page) = (context(), Url::parse("https://id.example/sign-in?old=1").unwrap());
    let more = [("prompt", "consent"), ("login_hint", "a+b&c@example.org")];
    let request = Request {
        page: &page,
        client_id: "us",
        issuer: "https://id.example",
        scope: "openid x",
        more: &more,
    };
    let (trip, url) = Trip::depart(&cx, &request).unwrap();
    let asked = query(url.as_str());
    assert!(url.as_str().starts_with("https://id.example/sign-in?client_id=us&"));
    for (name, value) in [
        ("client_id", "us"),
        ("redirect_uri", "https://us.example/providers/x/callback"),
        ("response_type", "code"),
        ("scope", "openid x"),
        ("state", "fresh-state"),
        ("nonce", trip.nonce.reveal()),
        ("code_challenge", &hash(trip.verifier.reveal())),
        ("code_challenge_method", "S256"),
        ("prompt", "consent"),
        ("login_hint", "a+b&c@example.org"),
    ] {
        assert_eq!(asked[name], value, "{name}");
    }
    assert_eq!(asked.len(), 10);
    assert_eq!(trip.verifier.reveal().len(), 64);
    let (again, _) = Trip::depart(&cx, &request).unwrap();
    assert_ne!(again.nonce.reveal(), trip.nonce.reveal());
    assert_ne!(again.verifier.reveal(), trip.verifier.reveal());
    let nowhere = Context { returns: Returns::default(), ..cx };
    assert_eq!(Trip::depart(&nowhere, &request).unwrap_err().code, "no_way_back");
}

/// What holds for every step: its words exist in every language and get their values.
pub fn spoken(about: &About, step: &Step) {
    let mut texts = vec![&step.title, &step.submit];
    texts.extend(&step.intro);
    texts.extend(step.help.iter().map(|help| &help.text));
    texts.extend(step.facts.iter().map(|fact| &fact.label));
    texts.extend(step.alternatives.iter().map(|way| &way.label));
    if let Some(notice) = &step.notice {
        texts.push(&notice.text);
        texts.extend(&notice.advice);
    }
    for text in texts {
        let key = text.key.strip_prefix(&format!("{}.", about.slug)).expect("a word of the provider's own");
        for (language, strings) in &about.strings {
            let sentence = strings.get(key).and_then(toml::Value::as_str);
            let sentence = sentence.unwrap_or_else(|| panic!("{language} lacks {key}"));
            for name in sentence.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
                assert!(text.args.contains_key(name), "{key} gets no {name}");
            }
        }
    }
}

/// Each word that is used is written, and each that is written is used.
pub fn words_fit(about: &About) {
    let written: BTreeSet<String> = about.strings["en"].keys().cloned().collect();
    // What the wizard's frame says of every provider.
    let mut used: BTreeSet<String> = [
        "name",
        "welcome.title",
        "welcome.access",
        "welcome.encrypted",
        "welcome.repair",
        "busy.title",
        "success.title",
        "success.repaired",
    ]
    .map(str::to_owned)
    .into();
    for class in Class::ALL {
        used.extend([format!("trouble.{}", class.as_str()), format!("advice.{}", class.as_str())]);
    }
    used.extend(Need::ALL.iter().map(|need| format!("missing.{}", need.as_str())));
    for folder in ["oauth", &about.slug] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/providers").join(folder);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                let calls = source.split(".say(\"").skip(1).filter_map(|call| call.split('"').next());
                used.extend(calls.map(str::to_owned));
            }
        }
    }
    assert_eq!(used.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new(), "used, not written");
    assert_eq!(written.difference(&used).collect::<Vec<_>>(), Vec::<&String>::new(), "written, not used");
}
