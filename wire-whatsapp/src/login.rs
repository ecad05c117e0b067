//! A linked device's short visits: to complete its linking, to see whether it is still let in, to unlink itself.
//!
//! A visit never acknowledges a message. What is not acknowledged the service keeps, and sends again to whoever goes on with
//! the session.

use crate::channel::{Caller, Channel, Connector};
use crate::curve::KeyPair;
use crate::device::{KEY_TYPE, login};
use crate::error::Error;
use crate::node::{child, content, done, empty, leaf, number, part, request, text};
use crate::refusal::Refusal;
use crate::session::Session;
use crate::settings::Settings;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout_at};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

/// How often one visit follows the server's wish for another connection.
const RESTARTS: u32 = 3;

/// How long to wait before completing a linking again after the network failed, times one, two and four.
const PAUSE: Duration = Duration::from_secs(1);

/// Completes a linking: logs in, leaves the one-time keys with the service, says that the device is there, and has the
/// service check what it has. [`crate::Linking`] does it by itself; call it for a session from [`crate::Event::Paired`]
/// whose process ended before [`crate::Event::Linked`]. Doing it twice harms nothing. The session is changed: store it.
///
/// # Errors
/// What [`Error::may_pass`] says of it: after a refusal that does not, the session is of no use.
pub async fn complete(
    settings: &Settings,
    connector: &dyn Connector,
    session: &mut Session,
) -> Result<(), Error> {
    let mut failures = 0;
    loop {
        match attempt(settings, connector, session).await {
            Err(error) if error.may_pass() && failures < 3 => {
                sleep(PAUSE * (1 << failures)).await;
                failures += 1;
            }
            result => return result,
        }
    }
}

async fn attempt(settings: &Settings, connector: &dyn Connector, session: &mut Session) -> Result<(), Error> {
    let mut visit = Visit::open(settings, connector, session).await?;
    let count = visit.ask("the number of one-time keys", "get", "encrypt", vec![empty("count")]).await?;
    let there: u32 = child(&count, "count").and_then(|count| number(count, "value")).unwrap_or_default();
    if there == 0 || !session.pre_keys_uploaded {
        visit.upload(session).await?;
    }
    visit.ask("the device's presence", "set", "passive", vec![empty("active")]).await?;
    let digest = visit.ask("the digest of the keys", "get", "encrypt", vec![empty("digest")]).await;
    match digest {
        Ok(answer) if child(&answer, "digest").is_some() => {}
        // The service has not got what it should have.
        Ok(_) | Err(Error::Answer { code: 404, .. }) => visit.upload(session).await?,
        Err(Error::Answer { .. }) => {}
        Err(error) => return Err(error),
    }
    visit.close(session).await;
    Ok(())
}

/// Whether a session is still let in. The device stays passive and nothing is fetched, but the service lets a session be
/// online once: never call it while somebody else may be.
///
/// The session may be changed, in what makes the next visit shorter; storing that is worth while and not needed.
///
/// # Errors
/// [`Error::Refused`] is the service's word, and final where [`Refusal::is_final`] says so. Anything else says nothing about
/// the session.
pub async fn check(
    settings: &Settings,
    connector: &dyn Connector,
    session: &mut Session,
) -> Result<(), Error> {
    let visit = Visit::open(settings, connector, session).await?;
    visit.close(session).await;
    Ok(())
}

/// Unlinks the device, as the phone's list of devices does. A session that is not let in any more is unlinked already.
///
/// # Errors
/// The service could not be reached or did not do it; the device is still on the phone's list.
pub async fn logout(
    settings: &Settings,
    connector: &dyn Connector,
    session: &mut Session,
) -> Result<(), Error> {
    let mut visit = match Visit::open(settings, connector, session).await {
        Ok(visit) => visit,
        Err(Error::Refused(refusal)) if refusal.is_final() => return Ok(()),
        Err(error) => return Err(error),
    };
    let wish = NodeBuilder::new("remove-companion-device")
        .attr("jid", session.jid.as_str())
        .attr("reason", "user_initiated")
        .build();
    match visit.ask("the unlinking", "set", "md", vec![wish]).await {
        // The service may end the connection before it answers.
        Ok(_) | Err(Error::Refused(Refusal::Unlinked)) => {}
        Err(error) => return Err(error),
    }
    visit.close(session).await;
    Ok(())
}

/// A connection that was let in.
struct Visit {
    channel: Channel,
    answer: Duration,
    routing: Option<Vec<u8>>,
    prefix: u32,
    asked: u32,
}

impl Visit {
    async fn open(
        settings: &Settings,
        connector: &dyn Connector,
        session: &mut Session,
    ) -> Result<Self, Error> {
        let (user, device) = session.user()?;
        let noise = session.noise_key.keys();
        for _ in 0..=RESTARTS {
            let caller = Caller {
                noise: &noise,
                payload: login(user, device, settings),
                known: session.server.clone(),
                routing: session.routing.as_deref(),
            };
            let opened = Channel::open(settings, connector, caller).await;
            if opened.is_err() {
                // Neither may be what the service no longer understands.
                (session.server, session.routing) = (None, None);
            }
            let (channel, server) = opened?;
            session.server = Some(server);
            let answer = settings.deadlines.answer;
            let mut visit = Self {
                channel,
                answer,
                routing: None,
                prefix: u32::from_be_bytes(crate::crypto::random()),
                asked: 0,
            };
            if visit.let_in(session).await? {
                visit.channel.acquainted();
                return Ok(visit);
            }
            visit.close(session).await;
        }
        Err(Error::Protocol("one restart after another"))
    }

    /// Waits for the server's word; none is its wish for another connection.
    async fn let_in(&mut self, session: &mut Session) -> Result<bool, Error> {
        let until = Instant::now() + self.answer;
        loop {
            let node = self.next(until, "the login").await?;
            match &*node.tag {
                "success" => {
                    let lid = text(&node, "lid");
                    if !lid.is_empty() {
                        session.lid = Some(lid);
                    }
                    return Ok(true);
                }
                "failure" => return Err(Error::Refused(Refusal::from_failure(&node))),
                "stream:error" => match Refusal::from_stream(&node) {
                    Some(refusal) => return Err(Error::Refused(refusal)),
                    None => return Ok(false),
                },
                _ => {}
            }
        }
    }

    async fn next(&mut self, until: Instant, what: &'static str) -> Result<Node, Error> {
        let node = timeout_at(until, self.channel.receive()).await.map_err(|_| Error::Timeout(what))??;
        if node.tag == "ib" {
            self.routing = routing(&node).or(self.routing.take());
        }
        Ok(node)
    }

    /// Ends the visit, and keeps what was learned for the next one.
    async fn close(self, session: &mut Session) {
        if self.routing.is_some() {
            session.routing = self.routing;
        }
        self.channel.close().await;
    }

    /// Asks, and waits for the answer. Whether the server is still there shows by that; its own question for it is answered.
    async fn ask(
        &mut self,
        what: &'static str,
        kind: &str,
        namespace: &str,
        children: Vec<Node>,
    ) -> Result<Node, Error> {
        self.asked += 1;
        let id = format!("{}.{}", self.prefix, self.asked);
        self.channel.send(&request(&id, kind, namespace, children)).await?;
        let until = Instant::now() + self.answer;
        loop {
            let node = self.next(until, what).await?;
            match (&*node.tag, text(&node, "type").as_str()) {
                ("iq", "result") if text(&node, "id") == id => return Ok(node),
                ("iq", "error") if text(&node, "id") == id => {
                    let code =
                        child(&node, "error").and_then(|error| number(error, "code")).unwrap_or_default();
                    return Err(Error::Answer { what, code });
                }
                ("iq", "get") if text(&node, "xmlns") == "urn:xmpp:ping" => {
                    self.channel.send(&done(&node, Vec::new())).await?;
                }
                ("failure", _) => return Err(Error::Refused(Refusal::from_failure(&node))),
                ("stream:error", _) => {
                    return Err(Refusal::from_stream(&node).map_or(Error::Closed, Error::Refused));
                }
                ("xmlstreamend", _) => return Err(Error::Closed),
                _ => {}
            }
        }
    }

    /// Leaves the public halves of the one-time keys, and of what vouches for them.
    async fn upload(&mut self, session: &mut Session) -> Result<(), Error> {
        let key = |id: u32, public: &[u8; 32]| {
            vec![leaf("id", &id.to_be_bytes()[1..]), leaf("value", public.as_slice())]
        };
        let private = session.pre_keys.clone();
        // Some fifty milliseconds of computing.
        let list = spawn_blocking(move || {
            let keys = private.iter().map(|(id, private)| {
                let keys = KeyPair::from_private(private);
                NodeBuilder::new("key").children(key(*id, keys.public())).build()
            });
            NodeBuilder::new("list").children(keys).build()
        })
        .await
        .map_err(|_| Error::Closed)?;
        let mut signed = key(session.signed_pre_key.id, &session.signed_pre_key.pair.public);
        signed.push(leaf("signature", session.signed_pre_key.signature.as_slice()));
        let children = vec![
            leaf("registration", session.registration_id.to_be_bytes()),
            leaf("type", [KEY_TYPE]),
            leaf("identity", session.identity_key.public),
            list,
            NodeBuilder::new("skey").children(signed).build(),
        ];
        self.ask("the one-time keys", "set", "encrypt", children).await?;
        session.pre_keys_uploaded = true;
        Ok(())
    }
}

/// Asks whether the server is still there.
pub(crate) fn ping(id: &str) -> Node {
    request(id, "get", "w:p", vec![empty("ping")])
}

/// Where the server wants to be sent to, if the node says so and is not absurd.
pub(crate) fn routing(node: &Node) -> Option<Vec<u8>> {
    part(child(node, "edge_routing")?, "routing_info").filter(|routing| routing.len() <= 1024)
}

/// The bytes of a child that an answer must have.
pub(crate) fn wanted(answer: &Node, tag: &str) -> Result<Vec<u8>, Error> {
    child(answer, tag).and_then(content).ok_or(Error::Protocol("an answer with a part missing"))
}
