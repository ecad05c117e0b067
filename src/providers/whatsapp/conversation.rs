//! The conversation with WhatsApp while a step stands: one linking at a time, whose events become codes and steps. Always:
//! giving up a call of [`Conversation::next`] loses nothing; what takes longer is kept between calls.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use serde_json::Value;
use wire_whatsapp::{Assertion, End as Over, Error, Event, Linking, Refusal, Session, Version, complete};

use crate::contract::{Actor, Code, Context, Conversation, Heard, Next, State, Step, Trouble};
use crate::kernel::clock::Millis;

use super::House;
use super::end::End;
use super::outcome;
use super::place::{Place, Stand};
use super::steps::{self, say};
use super::way::Way;

/// One conversation.
pub struct Talk {
    house: Arc<House>,
    cx: Context,
    place: Place,
    doing: Doing,
    /// Heard and not said yet.
    told: VecDeque<Heard>,
    /// To be asked of the linking.
    wish: Option<Wish>,
    /// Whether a pairing code was asked for on this connection.
    coded: bool,
    /// The code that it gave, to be typed or compared.
    code: Option<String>,
    /// Whether a newer version was looked for, after this one was refused.
    retried: bool,
}

enum Doing {
    /// To begin with what the place says.
    Nothing,
    /// Finding the version to say.
    Starting(BoxFuture<'static, Result<Version, End>>),
    /// A linking, saying this version.
    Linking(Linking, Version),
    /// A first login after a process ended before it.
    Completing(BoxFuture<'static, (Session, Result<(), Error>)>),
    /// Nothing more.
    Over,
}

enum Wish {
    Code(String),
    Passkey(Assertion),
    Confirm,
}

impl Talk {
    /// The conversation of a step that is live.
    ///
    /// # Errors
    /// For the others.
    pub fn new(house: Arc<House>, cx: Context, place: Place) -> Result<Self, Trouble> {
        match place.stand {
            Stand::Phone | Stand::Unfinished { .. } | Stand::Ended => Err(Trouble::bug("nothing_to_say")),
            _ => Ok(Self {
                house,
                cx,
                place,
                doing: Doing::Nothing,
                told: VecDeque::new(),
                wish: None,
                coded: false,
                code: None,
                retried: false,
            }),
        }
    }

    fn begin(&mut self) -> Result<(), Trouble> {
        match &self.place.stand {
            Stand::Paired { session } => {
                let (cx, house) = (self.cx.clone(), self.house.clone());
                let mut session = outcome::session(session)?;
                self.doing = Doing::Completing(Box::pin(async move {
                    let version = house.versions.current(&cx, &house.config).await;
                    let settings = house.config.settings(version, &cx.clock);
                    let done = complete(&settings, &Way(cx.egress), &mut session).await;
                    (session, done)
                }));
                return Ok(());
            }
            Stand::Qr | Stand::Code => {}
            // What was under way was on a connection that is gone.
            _ => {
                let place = self.place.afresh();
                let step = match place.stand {
                    Stand::Code => steps::code(&place, Some(steps::interrupted())),
                    _ => steps::qr(&place, Some(steps::interrupted())),
                };
                self.go(place, step)?;
            }
        }
        self.start(None);
        Ok(())
    }

    /// A new connection; with a version beyond this one, which was refused.
    fn start(&mut self, refused: Option<Version>) {
        (self.wish, self.coded, self.code) = (None, false, None);
        let (cx, house) = (self.cx.clone(), self.house.clone());
        self.doing = Doing::Starting(Box::pin(async move {
            match refused {
                None => Ok(house.versions.current(&cx, &house.config).await),
                Some(refused) => {
                    let newer = house.versions.beyond(&cx, &house.config, refused).await;
                    newer.ok_or(End::ClientOutdated)
                }
            }
        }));
    }

    fn link(&mut self, version: Version) {
        let settings = self.house.config.settings(version, &self.cx.clock);
        let linking = Linking::start(Arc::new(settings), Arc::new(Way(self.cx.egress.clone())));
        self.doing = Doing::Linking(linking, version);
    }

    /// Goes on to a step.
    fn go(&mut self, place: Place, step: Step) -> Result<(), Trouble> {
        self.told.push_back(Heard::Next(place.show(step)?));
        self.place = place;
        Ok(())
    }

    fn show(&mut self, value: &str, ends_in: Option<std::time::Duration>) {
        let expires_at = ends_in.map(|left| self.now().after(left));
        self.told.push_back(Heard::Code(Code { value: value.to_owned(), expires_at }));
    }

    fn say_again(&mut self, step: Step, code: Option<String>) {
        if let Ok(next) = self.place.show(step) {
            self.told.push_back(Heard::Next(next));
        }
        if let Some(code) = code {
            self.show(&code, None);
        }
    }

    fn now(&self) -> Millis {
        self.cx.clock.now()
    }

    fn hear(&mut self, event: Event) -> Result<(), Trouble> {
        match event {
            Event::Qr { text, ends_in, .. } => match &self.place.stand {
                Stand::Qr => self.show(&text, Some(ends_in)),
                // The service is ready; QR codes go on unseen.
                Stand::Code if !self.coded => {
                    self.coded = true;
                    self.wish = self.place.phone.clone().map(Wish::Code);
                }
                _ => {}
            },
            Event::Code { text, ends_in } => {
                self.show(&text, Some(ends_in));
                self.code = Some(text.to_string());
            }
            Event::CodeTyped => self.typed()?,
            Event::CodeEnded(end) => self.stop(End::of_code(end))?,
            Event::Passkey { request, .. } => {
                let request: Value = serde_json::from_str(&request).unwrap_or_default();
                let step = steps::passkey(&request, None);
                self.go(self.place.at(Stand::Passkey { request }), step)?;
            }
            Event::PasskeyCode { text } => {
                if let Some(request) = self.request() {
                    self.go(self.place.at(Stand::Compare { request }), steps::compare())?;
                    self.show(&text, None);
                    self.code = Some(text);
                }
            }
            Event::PasskeyRefused { .. } => {
                if let Some(request) = self.request() {
                    let step = steps::passkey(&request, Some(say("error.assertion_refused")));
                    self.go(self.place.at(Stand::Passkey { request }), step)?;
                }
            }
            Event::Paired(session) => {
                let session = outcome::stored(&session)?;
                self.go(self.place.at(Stand::Paired { session }), steps::linking())?;
            }
            Event::Linked(session) => self.linked(&session)?,
            Event::Ended(Over::Linked) => self.doing = Doing::Over,
            Event::Ended(Over::Expired) => {
                let end = match &self.place.stand {
                    Stand::Code | Stand::Typed => End::CodeExpired,
                    stand if request_of(stand).is_some() => End::PasskeyExpired,
                    _ => End::CodesExpired,
                };
                self.stop(end)?;
            }
            Event::Ended(Over::Failed(error)) => self.failed(&error)?,
        }
        Ok(())
    }

    /// The phone answered for the pairing code, which stays on show: if it was mistyped, it is typed again.
    fn typed(&mut self) -> Result<(), Trouble> {
        let Some(code) = self.code.clone() else { return Ok(()) };
        if matches!(self.place.stand, Stand::Code) {
            let place = self.place.at(Stand::Typed);
            let step = steps::code(&place, Some(steps::typed()));
            self.go(place, step)?;
        }
        // The service waits that much longer.
        self.show(&code, Some(self.house.config.typed()));
        Ok(())
    }

    fn request(&self) -> Option<Value> {
        request_of(&self.place.stand).cloned()
    }

    fn linked(&mut self, session: &Session) -> Result<(), Trouble> {
        let connected = outcome::connected(session)?;
        self.told.push_back(Heard::Next(Next::Connected(Box::new(connected))));
        self.doing = Doing::Over;
        Ok(())
    }

    fn failed(&mut self, error: &Error) -> Result<(), Trouble> {
        let end = End::of(error);
        match (&self.doing, &self.place.stand) {
            // The phone said yes: unless the service takes it back, the first login may go better later.
            (_, Stand::Paired { session }) if !end.refuses() => {
                tell(end, error);
                let place = self.place.at(Stand::Unfinished { session: session.clone() });
                let step = steps::unfinished(end, self.now());
                self.doing = Doing::Over;
                self.go(place, step)
            }
            (Doing::Linking(_, version), _)
                if *error == Error::Refused(Refusal::Outdated) && !self.retried =>
            {
                self.retried = true;
                self.start(Some(*version));
                Ok(())
            }
            _ => {
                tell(end, error);
                self.stop(end)
            }
        }
    }

    fn stop(&mut self, end: End) -> Result<(), Trouble> {
        let step = steps::ended(&self.place, end, self.now());
        self.doing = Doing::Over;
        self.go(self.place.at(Stand::Ended), step)
    }
}

#[async_trait]
impl Conversation for Talk {
    async fn next(&mut self) -> Result<Heard, Trouble> {
        loop {
            if let Some(heard) = self.told.pop_front() {
                return Ok(heard);
            }
            match &mut self.doing {
                Doing::Nothing => self.begin()?,
                Doing::Starting(finding) => match finding.await {
                    Ok(version) => self.link(version),
                    Err(end) => {
                        tell(end, &Error::Refused(Refusal::Outdated));
                        self.stop(end)?;
                    }
                },
                Doing::Linking(linking, _) => {
                    if let Some(wish) = &self.wish {
                        // Refused is what was asked before, by a call that was given up; the events tell the rest.
                        let _ = match wish {
                            Wish::Code(phone) => linking.request_code(phone).await,
                            Wish::Passkey(assertion) => linking.answer_passkey(assertion.clone()).await,
                            Wish::Confirm => linking.confirm_passkey().await,
                        };
                        self.wish = None;
                    }
                    let event = linking.next().await;
                    self.hear(event.unwrap_or(Event::Ended(Over::Failed(Error::Closed))))?;
                }
                Doing::Completing(completing) => match completing.await {
                    (session, Ok(())) => self.linked(&session)?,
                    (_, Err(error)) => self.failed(&error)?,
                },
                Doing::Over => return Err(Trouble::bug("conversation_over")),
            }
        }
    }

    fn answered(&mut self, state: State) {
        self.told.clear();
        let Ok(place) = Place::read(state) else {
            self.doing = Doing::Over;
            return;
        };
        let linked = matches!(self.doing, Doing::Linking(..) | Doing::Completing(_));
        let goes_on = linked && {
            match (&self.place.stand, &place.stand) {
                (Stand::Paired { .. }, Stand::Paired { .. }) => true,
                // The service's word and the person's answer met: the word counts, and is said again.
                (Stand::Paired { .. }, _) => return self.say_again(steps::linking(), None),
                (Stand::Compare { .. }, Stand::Checking { .. }) => {
                    return self.say_again(steps::compare(), self.code.clone());
                }
                (Stand::Passkey { .. }, Stand::Checking { assertion, .. }) => {
                    self.wish = Assertion::from_json(assertion).ok().map(Wish::Passkey);
                    true
                }
                (Stand::Compare { .. }, Stand::Confirmed { .. }) => {
                    self.wish = Some(Wish::Confirm);
                    true
                }
                (Stand::Passkey { .. }, Stand::Passkey { .. })
                | (Stand::Checking { .. }, Stand::Checking { .. })
                | (Stand::Confirmed { .. }, Stand::Confirmed { .. }) => true,
                _ => false,
            }
        };
        if !goes_on {
            (self.doing, self.wish, self.retried) = (Doing::Nothing, None, false);
        }
        self.place = place;
    }
}

fn request_of(stand: &Stand) -> Option<&Value> {
    match stand {
        Stand::Passkey { request }
        | Stand::Checking { request, .. }
        | Stand::Compare { request }
        | Stand::Confirmed { request } => Some(request),
        _ => None,
    }
}

/// Tells the operator what only they can mend.
fn tell(end: End, error: &Error) {
    let code = end.code();
    if end.actor() == Actor::Operator {
        tracing::warn!(provider = "whatsapp", code, %error, "an account could not be linked");
    } else {
        tracing::info!(provider = "whatsapp", code, %error, "an account could not be linked");
    }
}
