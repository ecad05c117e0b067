//! Beside Baileys: it understands the double, what we send is what it sends, and it goes on with what we linked.

use crate::parts::{Double, Loopback, PHONE, folder, node};
use serde_json::{Value, json};
use std::time::Duration;
use wire_whatsapp::logout;

const OTHER: &str = "4915199999999";

#[tokio::test]
async fn an_independent_client_understands_the_double() {
    let check =
        tokio::process::Command::new(node()).arg(folder().join("check.mjs")).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(120), check).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("ok: ").count(), 9, "{said}");
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

/// A stanza, field by field: its tag, its attributes, its children or what its bytes say. Left out is only what is random or
/// the phone's; of that the length counts.
fn outline(node: &Value) -> Value {
    let tag = node["tag"].as_str().unwrap();
    let mut attrs = node["attrs"].as_object().unwrap().clone();
    // What answers the service carries its number, what asks one of the client's own.
    if let Some(id) = attrs.get_mut("id").filter(|_| tag != "ack" && node["attrs"]["type"] != "result") {
        *id = json!(!id.as_str().unwrap().is_empty());
    }
    if let Some(jid) = attrs.get_mut("jid") {
        *jid = json!(jid.as_str().unwrap().replace(PHONE, "phone").replace(OTHER, "phone"));
    }
    let content = match &node["content"] {
        Value::Array(children) => children.iter().map(outline).collect(),
        Value::Object(bytes) => said(tag, &unhex(bytes["hex"].as_str().unwrap())),
        // Texts and their bytes are the same to whoever reads them.
        Value::String(text) => said(tag, text.as_bytes()),
        other => other.clone(),
    };
    json!([tag, attrs, content])
}

fn said(tag: &str, bytes: &[u8]) -> Value {
    match tag {
        "device-identity" => identity(bytes),
        "registration"
        | "identity"
        | "value"
        | "signature"
        | "companion_identity_public"
        | "companion_server_auth_key_pub"
        | "link_code_pairing_ref"
        | "link_code_pairing_wrapped_companion_ephemeral_pub"
        | "link_code_pairing_wrapped_key_bundle" => json!(bytes.len()),
        _ => json!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// A signed identity: the account's word for the device, whose numbers are the account's but for the device's own, and two
/// signatures. The account's key has to be missing.
fn identity(bytes: &[u8]) -> Value {
    const DETAILS: u32 = 1;
    const KEY_INDEX: u32 = 3;
    let part = |(number, field): (u32, Field)| match field {
        Field::Bytes(details) if number == DETAILS => {
            let detail = |(number, field): (u32, Field)| match field {
                Field::Number(index) if number == KEY_INDEX => json!([number, index]),
                _ => json!(number),
            };
            json!([number, fields(&details).into_iter().map(detail).collect::<Vec<_>>()])
        }
        Field::Bytes(signature) => json!([number, signature.len()]),
        Field::Number(value) => json!([number, value]),
    };
    fields(bytes).into_iter().map(part).collect()
}

enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

/// The fields of a protobuf message, in their order, whatever they are.
fn fields(mut bytes: &[u8]) -> Vec<(u32, Field)> {
    use prost::encoding::{WireType, decode_key, decode_varint};
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (number, kind) = decode_key(&mut bytes).unwrap();
        let value = decode_varint(&mut bytes).unwrap();
        let field = match kind {
            WireType::Varint => Field::Number(value),
            WireType::LengthDelimited => {
                let (body, rest) = bytes.split_at(value.try_into().unwrap());
                bytes = rest;
                Field::Bytes(body.to_vec())
            }
            other => panic!("{other:?}"),
        };
        found.push((number, field));
    }
    found
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
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
    // The one difference that is known: a byte 0 as the service's own client sends it, where Baileys sends the digit.
    for (said, nonce) in [(&mut ours[1], "00"), (&mut theirs[1], "30")] {
        let parts = said[2][0][2].as_array_mut().unwrap();
        assert_eq!(parts.pop().unwrap(), json!(["link_code_pairing_nonce", {}, nonce]));
        assert!(parts.len() > 3, "{parts:?}");
    }
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn who_asks_whether_the_service_is_there_and_who_leaves_says_what_baileys_says() {
    let ping = |node: &Value| node[1]["xmlns"] == "w:p";
    let double = Double::start().await;
    let mut settings = double.settings();
    settings.deadlines.keep_alive = Duration::from_millis(200);
    let mut attempt = double.link_with(settings.clone());
    let (qr, ..) = attempt.qr().await;
    let pinged = async || while !stanzas(&double.log("registration").await[0]).iter().any(ping) {};
    tokio::time::timeout(Duration::from_secs(20), pinged()).await.expect("a ping");
    double.post("/scan", json!({ "qr": qr, "phone": PHONE })).await.unwrap();
    let mut session = attempt.linked().await;
    logout(&settings, &Loopback, &mut session).await.unwrap();
    double.baileys("leave", OTHER, "").await;
    let (registrations, logins) = (double.log("registration").await, double.log("login").await);
    let sent = |connections: &[Value], what: fn(&Value) -> bool| -> Vec<Value> {
        let mut sent: Vec<_> = connections.iter().flat_map(stanzas).filter(what).collect();
        sent.dedup();
        sent
    };
    let leave = |node: &Value| node[2][0][0] == "remove-companion-device";
    for (connections, ours, what) in
        [(registrations, 1, ping as fn(&Value) -> bool), (logins, 2, leave as fn(&Value) -> bool)]
    {
        let (said, wanted) = (sent(&connections[..ours], what), sent(&connections[ours..], what));
        assert_eq!((said.len(), &said), (1, &wanted));
    }
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
