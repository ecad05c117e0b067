//! Beside Baileys: it understands the double, what we send is what it sends, and it goes on with what we linked.

use crate::parts::{Double, PHONE, folder, node};
use serde_json::{Value, json};
use std::time::Duration;

const OTHER: &str = "4915199999999";

#[tokio::test]
async fn an_independent_client_understands_the_double() {
    let check =
        tokio::process::Command::new(node()).arg(folder().join("check.mjs")).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(120), check).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("ok: ").count(), 5, "{said}");
}

#[tokio::test]
async fn both_have_the_same_dictionary() {
    const SHOW: &str = "import { SINGLE_BYTE_TOKENS as s, DOUBLE_BYTE_TOKENS as d } from 'baileys/lib/WABinary/constants.js';
        console.log(JSON.stringify([s.slice(0, 236), d]))";
    let output = tokio::process::Command::new(node())
        .args(["--input-type=module", "--eval", SHOW])
        .current_dir(folder())
        .output()
        .await
        .unwrap();
    let (single, double): (Vec<Option<String>>, Vec<Vec<String>>) =
        serde_json::from_slice(&output.stdout).unwrap();
    let mut words = 0;
    for (index, word) in single.into_iter().enumerate().skip(3) {
        words += 1;
        let ours = wacore_binary::token::get_single_token(index.try_into().unwrap()).unwrap_or_default();
        assert_eq!(ours, word.unwrap_or_default(), "{index}");
    }
    for (page, list) in double.into_iter().enumerate() {
        for (index, word) in list.into_iter().enumerate() {
            words += 1;
            let [page, index] = [page, index].map(|number| number.try_into().unwrap());
            assert_eq!(wacore_binary::token::get_double_token(page, index), Some(word.as_str()));
        }
    }
    assert!(words > 1200, "{words}");
}

/// A value with everything that differs from device to device replaced by its length.
fn shape(mut value: Value) -> Value {
    const OWN: [&str; 4] = ["regId", "ident", "skeyVal", "skeySig"];
    if let Some(pairing) = value["devicePairingData"].as_object_mut() {
        for name in OWN {
            let length = pairing[name]["hex"].as_str().unwrap().len();
            pairing[name] = json!(length);
        }
    }
    if let Some(username) = value.get_mut("username") {
        *username = json!(username.is_u64());
    }
    value
}

/// A stanza: its tag, its attributes without what numbers it, and the same of its children; bytes by their length.
fn outline(node: &Value) -> Value {
    let mut attrs = node["attrs"].as_object().unwrap().clone();
    for name in ["id", "jid"] {
        if let Some(value) = attrs.get_mut(name) {
            *value = json!("…");
        }
    }
    let content = match &node["content"] {
        Value::Array(children) => {
            let mut shapes: Vec<_> = children.iter().map(outline).collect();
            // Eight hundred keys are one key, eight hundred times.
            let count = shapes.len();
            shapes.dedup();
            json!({ "count": count, "each": shapes })
        }
        // A signed identity has numbers in it that may take a byte more.
        Value::Object(bytes) => json!(bytes["hex"].as_str().unwrap().len() / 2 / 8),
        other => other.clone(),
    };
    json!([node["tag"], attrs, content])
}

fn stanzas(connection: &Value) -> Vec<Value> {
    connection["log"].as_array().unwrap().iter().map(outline).collect()
}

#[tokio::test]
async fn what_is_said_when_linking_is_what_baileys_says() {
    let double = Double::start().await;
    double.linked().await;
    double.baileys("link", OTHER, "").await;
    let (registrations, logins) = (double.log("registration").await, double.log("login").await);
    assert_eq!((registrations.len(), logins.len()), (2, 2));
    let [ours, theirs] = [&registrations[0], &registrations[1]];
    assert_eq!(shape(ours["payload"].clone()), shape(theirs["payload"].clone()));
    let (said, wanted) = (stanzas(ours), stanzas(theirs));
    // The codes were received, and the device signed; what Baileys adds is a figure for statistics.
    assert_eq!(said.len(), 2);
    assert_eq!(said, wanted[..2]);
    assert!(wanted[2..].iter().all(|node| node[0] == "ib"), "{wanted:?}");

    let [ours, theirs] = [&logins[0], &logins[1]];
    assert_eq!(shape(ours["payload"].clone()), shape(theirs["payload"].clone()));
    let (said, wanted) = (stanzas(ours), stanzas(theirs));
    // The number of keys, the keys, the presence, the digest: in this order, before anything else that Baileys asks.
    assert_eq!(said.len(), 4, "{said:?}");
    assert_eq!(said, wanted[..4]);
}

#[tokio::test]
async fn what_is_said_with_a_pairing_code_is_what_baileys_says() {
    let double = Double::start().await;
    let mut attempt = double.link();
    attempt.qr().await;
    attempt.0.request_code(PHONE).await.unwrap();
    let code = attempt.code().await;
    double.post("/type", json!({ "phone": PHONE, "code": code })).await.unwrap();
    assert!(matches!(attempt.next().await, wire_whatsapp::Event::CodeTyped));
    attempt.linked().await;
    double.baileys("code", OTHER, "").await;
    let registrations = double.log("registration").await;
    let acks = |connection: &Value| -> Vec<Value> {
        let mut said = stanzas(connection);
        said.retain(|node| node[0] == "ack");
        said
    };
    assert_eq!(acks(&registrations[0]), acks(&registrations[1]));
    assert_eq!(acks(&registrations[0]).len(), 1);
    let linking = |connection: &Value| {
        let mut said = stanzas(connection);
        // Figures, acknowledgements, and that Baileys tells a name which it has not got.
        said.retain(|node| node[0] == "iq");
        said
    };
    let (mut ours, mut theirs) = (linking(&registrations[0]), linking(&registrations[1]));
    assert_eq!((ours.len(), theirs.len()), (4, 4), "{ours:?}\n{theirs:?}");
    // The one difference that is known: a byte 0 as the service's own client sends it, where Baileys sends the digit. In
    // the outline that is a length against a text.
    for said in [&mut ours[1], &mut theirs[1]] {
        let body = &mut said[2]["each"][0];
        let parts = body[2]["each"].as_array_mut().unwrap();
        let nonce = parts.pop().unwrap();
        assert_eq!(nonce[0], "link_code_pairing_nonce");
        // Texts and their bytes are the same to whoever reads them.
        for part in parts.iter_mut().filter(|part| part[2].is_string()) {
            part[2] = json!(part[2].as_str().unwrap().len() / 8);
        }
    }
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn baileys_goes_on_with_a_session_of_ours() {
    let double = Double::start().await;
    double.post("/settings", json!({ "routing": "0a0b0c" })).await.unwrap();
    let session = double.linked().await;
    double.post("/messages", json!({ "jid": session.jid, "id": "M1" })).await.unwrap();
    let before = double.device(&session.jid).await.unwrap();
    let found = double.baileys("go-on", PHONE, &session.to_json()).await;
    assert_eq!((found["jid"].as_str(), found["lid"].as_str()), (Some(&*session.jid), session.lid.as_deref()));
    // The private keys in the session are those whose public halves the service has.
    assert_eq!(found["preKeys"], before["preKeys"]);
    let after = double.device(&session.jid).await.unwrap();
    // It made no new keys, and took the message that had waited.
    assert_eq!(after["preKeys"], before["preKeys"]);
    assert_eq!(after["queue"], json!([]));
}
