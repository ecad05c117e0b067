//! The linking itself: one connection that shows codes until a phone answers, then the restart and the completion. Callers
//! have thousands of them that wait: what is done now and then is boxed where it is done, so that waiting has no room for it.

use super::answers::Asked;
use super::{Command, End, Event};
use crate::channel::{Caller, Channel, Connector};
use crate::code::Code;
use crate::crypto::random;
use crate::device::Device;
use crate::error::Error;
use crate::login::{complete, ping, routing};
use crate::node::{child, done, empty, from_server, number, received, text};
use crate::pairing::accept;
use crate::passkey::Gate;
use crate::refusal::Refusal;
use crate::session::Session;
use crate::settings::Settings;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout};
use wacore_binary::Node;

/// How often a server may change what is shown, beside what its codes' time changes.
const TURNS: u32 = 64;
/// Requests without an answer at one time.
const ASKED: usize = 32;

pub(super) type Reply = oneshot::Sender<Result<(), Error>>;

/// How far the passkey gate is.
pub(super) struct Passkey {
    pub gate: Option<Gate>,
    pub until: Instant,
    /// The code was shown and not yet confirmed.
    pub shown: bool,
}

pub(super) struct Run {
    pub settings: Arc<Settings>,
    pub channel: Channel,
    pub device: Device,
    pub told: mpsc::Sender<Box<Event>>,
    pub references: VecDeque<String>,
    /// The reference on show, and until when.
    pub shown: Option<(String, Instant)>,
    /// Whether none of them was shown yet.
    pub first: bool,
    pub code: Option<(Code, Instant)>,
    pub passkey: Option<Passkey>,
    pub asked: HashMap<String, (Asked, Instant)>,
    prefix: u32,
    count: u32,
    heard: Instant,
    /// When there must have been one.
    pub first_by: Option<Instant>,
    over_by: Instant,
    /// How often the server has changed what is shown.
    turns: u32,
    routing: Option<Vec<u8>>,
}

/// What ends the connection that shows codes.
enum Turn {
    Paired(Box<Session>, Instant),
    Expired,
}

pub(super) async fn run(
    settings: Arc<Settings>,
    connector: Arc<dyn Connector>,
    mut commands: mpsc::Receiver<Command>,
    told: mpsc::Sender<Box<Event>>,
) {
    let end = match link(&settings, &*connector, &mut commands, &told).await {
        Ok(end) => end,
        Err(error) => End::Failed(error),
    };
    let _ = told.send(Box::new(Event::Ended(end))).await;
}

async fn link(
    settings: &Arc<Settings>,
    connector: &dyn Connector,
    commands: &mut mpsc::Receiver<Command>,
    told: &mpsc::Sender<Box<Event>>,
) -> Result<End, Error> {
    let device = Device::generate();
    let payload = device.registration(settings);
    let caller = Caller { noise: &device.noise, payload, known: None, routing: None };
    let (channel, server) = Box::pin(Channel::open(settings, connector, caller)).await?;
    let now = Instant::now();
    let mut run = Run {
        settings: settings.clone(),
        channel,
        device,
        told: told.clone(),
        references: VecDeque::new(),
        shown: None,
        first: true,
        code: None,
        passkey: None,
        asked: HashMap::new(),
        prefix: u32::from_be_bytes(random()),
        count: 0,
        heard: now,
        first_by: Some(now + settings.deadlines.answer),
        over_by: now + settings.deadlines.whole,
        turns: 0,
        routing: None,
    };
    let (mut session, restart_by) = match run.show(commands).await {
        Ok(Turn::Paired(session, restart_by)) => (session, restart_by),
        Ok(Turn::Expired) => {
            run.channel.close().await;
            return Ok(End::Expired);
        }
        Err(error) => {
            run.channel.close().await;
            return Err(error);
        }
    };
    session.server = Some(server);
    session.routing = run.routing.take();
    let count = settings.pre_keys.clamp(1, 812);
    // Some fifty milliseconds of computing.
    session = spawn_blocking(move || {
        session.make_pre_keys(count);
        session
    })
    .await
    .map_err(|_| Error::Closed)?;
    run.tell(Event::Paired(session.clone())).await?;
    Box::pin(run.restart(restart_by)).await?;
    run.channel.close().await;
    Box::pin(complete(settings, connector, &mut session)).await?;
    told.send(Box::new(Event::Linked(session))).await.map_err(|_| Error::Closed)?;
    Ok(End::Linked)
}

impl Run {
    /// Tells the caller; an error once nobody listens.
    pub async fn tell(&mut self, event: Event) -> Result<(), Error> {
        self.told.send(Box::new(event)).await.map_err(|_| Error::Closed)
    }

    /// An id for a request.
    pub fn new_id(&mut self) -> String {
        self.count += 1;
        format!("{}.{}", self.prefix, self.count)
    }

    /// Sends what is made with a new id, and remembers what its answer is for.
    pub async fn ask(
        &mut self,
        asked: Asked,
        make: impl FnOnce(&str, &mut Self) -> Result<Node, Error>,
    ) -> Result<(), Error> {
        let id = self.new_id();
        let node = make(&id, self)?;
        self.sent(id, asked);
        self.channel.send(&node).await
    }

    /// Remembers what an answer will be for.
    pub fn sent(&mut self, id: String, asked: Asked) {
        self.asked.insert(id, (asked, Instant::now() + self.settings.deadlines.answer));
    }

    async fn show(&mut self, commands: &mut mpsc::Receiver<Command>) -> Result<Turn, Error> {
        loop {
            if let Some(end) = Box::pin(self.tick()).await? {
                return Ok(end);
            }
            let wake = self.wake();
            tokio::select! {
                node = self.channel.receive() => {
                    self.heard = Instant::now();
                    if let Some(end) = Box::pin(self.hear(node?)).await? {
                        return Ok(end);
                    }
                }
                command = commands.recv() => match command.ok_or(Error::Closed)? {
                    Command::Code(phone, reply) => Box::pin(self.request_code(&phone, reply)).await?,
                    Command::Passkey(assertion, reply) => Box::pin(self.answer_passkey(assertion, reply)).await?,
                    Command::Confirm(reply) => Box::pin(self.confirm_passkey(reply)).await?,
                },
                () = sleep_until(wake) => {}
            }
        }
    }

    /// When something is due without anything being heard.
    fn wake(&self) -> Instant {
        let due = [
            self.first_by,
            Some(self.over_by),
            self.shown.as_ref().map(|(_, until)| *until),
            self.code.as_ref().map(|(_, until)| *until),
            self.passkey.as_ref().map(|passkey| passkey.until),
            self.asked.values().map(|(_, until)| *until).min(),
            Some(self.heard + self.settings.deadlines.keep_alive),
        ];
        due.into_iter().flatten().min().unwrap_or(self.heard)
    }

    /// Does what is due.
    async fn tick(&mut self) -> Result<Option<Turn>, Error> {
        let now = Instant::now();
        if self.first_by.is_some_and(|by| by <= now) {
            return Err(Error::Timeout("the first code"));
        }
        if self.over_by <= now {
            return Ok(Some(Turn::Expired));
        }
        if self.turns > TURNS || self.asked.len() > ASKED {
            return Err(Error::Protocol("more changes than anybody could follow"));
        }
        let overdue: Vec<String> =
            self.asked.iter().filter(|(_, (_, until))| *until <= now).map(|(id, _)| id.clone()).collect();
        for id in overdue {
            if let Some((asked, _)) = self.asked.remove(&id) {
                self.unanswered(asked).await?;
            }
        }
        if self.heard + self.settings.deadlines.keep_alive <= now
            && !self.asked.values().any(|(asked, _)| matches!(asked, Asked::Ping))
        {
            let until = now + self.settings.deadlines.keep_alive;
            let id = self.new_id();
            self.channel.send(&ping(&id)).await?;
            self.asked.insert(id, (Asked::Ping, until));
            self.heard = now;
        }
        if self.code.as_ref().is_some_and(|(_, until)| *until <= now) {
            self.code_over().await?;
        }
        if self.passkey.as_ref().is_some_and(|passkey| passkey.until <= now) {
            return Ok(Some(Turn::Expired));
        }
        if self.shown.as_ref().is_some_and(|(_, until)| *until <= now) {
            self.shown = None;
            self.next_reference().await?;
        }
        // Whoever may still type or prove something keeps the connection.
        let over =
            self.first_by.is_none() && self.shown.is_none() && self.code.is_none() && self.passkey.is_none();
        Ok(over.then_some(Turn::Expired))
    }

    async fn hear(&mut self, node: Node) -> Result<Option<Turn>, Error> {
        match &*node.tag {
            "iq" => return self.hear_iq(node).await,
            "notification" => {
                self.channel.send(&received(&node)).await?;
                if from_server(&node) {
                    self.notice(&node).await?;
                }
            }
            "failure" => return Err(Error::Refused(Refusal::from_failure(&node))),
            "stream:error" => {
                return Err(Refusal::from_stream(&node).map_or(Error::Closed, Error::Refused));
            }
            "xmlstreamend" => return Err(Error::Closed),
            "ib" => {
                if child(&node, "downgrade_webclient").is_some() {
                    return Err(Error::Refused(Refusal::SingleDevice));
                }
                self.routing = routing(&node).or(self.routing.take());
            }
            _ => {}
        }
        Ok(None)
    }

    async fn hear_iq(&mut self, node: Node) -> Result<Option<Turn>, Error> {
        let id = text(&node, "id");
        match text(&node, "type").as_str() {
            "result" => {
                if let Some((asked, _)) = self.asked.remove(&id) {
                    self.answered(asked, &node).await?;
                }
            }
            "error" => {
                if let Some((asked, _)) = self.asked.remove(&id) {
                    let code =
                        child(&node, "error").and_then(|error| number(error, "code")).unwrap_or_default();
                    self.refused(asked, code).await?;
                }
            }
            _ => {
                if let Some(references) = child(&node, "pair-device") {
                    self.channel.send(&done(&node, Vec::new())).await?;
                    self.turns += 1;
                    self.take_references(references)?;
                    if self.passkey.is_none() {
                        self.next_reference().await?;
                    }
                } else if child(&node, "pair-success").is_some() {
                    let until = Instant::now() + self.settings.deadlines.answer;
                    return match accept(&node, &self.device, &self.settings) {
                        Ok((session, reply)) => {
                            self.channel.send(&reply).await?;
                            Ok(Some(Turn::Paired(Box::new(session), until)))
                        }
                        Err(mismatch) => {
                            self.channel.send(&mismatch.reply).await?;
                            Err(mismatch.error)
                        }
                    };
                } else {
                    self.channel.send(&done(&node, Vec::new())).await?;
                }
            }
        }
        Ok(None)
    }

    async fn notice(&mut self, node: &Node) -> Result<(), Error> {
        self.turns += 1;
        match text(node, "type").as_str() {
            "companion_reg_refresh" => self.secret_withdrawn(node).await,
            "link_code_companion_reg" => self.code_notice(node).await,
            "passkey_prologue_request" => self.passkey_notice(node).await,
            "crsc_continuation" => self.passkey_goes_on(node).await,
            _ => Ok(()),
        }
    }

    /// Waits for the server's wish for a new connection, and for nothing else. A server that just goes has had its wish.
    async fn restart(&mut self, by: Instant) -> Result<(), Error> {
        let left = by.saturating_duration_since(Instant::now());
        let waited = timeout(left, async {
            loop {
                let node = self.channel.receive().await?;
                match &*node.tag {
                    "stream:error" => {
                        return Refusal::from_stream(&node)
                            .map_or(Ok(()), |refusal| Err(Error::Refused(refusal)));
                    }
                    "failure" => return Err(Error::Refused(Refusal::from_failure(&node))),
                    "notification" => self.channel.send(&received(&node)).await?,
                    "ib" => self.routing = routing(&node).or(self.routing.take()),
                    "xmlstreamend" => return Ok(()),
                    _ => {}
                }
            }
        })
        .await;
        match waited {
            // Paired it is in any case; the login tells whether it held.
            Ok(Err(Error::Closed)) | Err(_) => Ok(()),
            Ok(result) => result,
        }
    }
}

/// A child that asks for something by its tag alone.
pub(super) fn question(id: &str, tag: &'static str) -> Node {
    crate::node::request(id, "get", "md", vec![empty(tag)])
}
