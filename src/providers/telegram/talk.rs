//! The conversation beside the step `qr`: one code after the other, until somebody scans one. Always: a code is renewed by
//! what Telegram says of its end, on Telegram's clock; and nobody is shown codes for ever.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use grammers_tl_types::{self as tl, enums};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::contract::{Code, Context, Conversation, Heard, Next, State, Trouble};
use crate::kernel::clock::Millis;

use super::config::Application;
use super::line::{Ends, Line, export};
use super::place::{At, Place};
use super::refusal::Refusal;
use super::steps::Wrong;
use super::{outcome, password};

/// How long codes are made without anybody scanning one.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// How long before its end a code is renewed.
const MARGIN: Duration = Duration::from_secs(1);

/// How long no second code is asked for, whatever happens.
const PAUSE: Duration = Duration::from_secs(1);

/// How long nothing is asked while a code is on show; a connection over which nothing goes may have died unheard.
const QUIET: Duration = Duration::from_secs(60);

/// How often in a row it is tried again without a code to show for it.
const TRIES: u32 = 5;

/// How many connections in a row that end while a code is on show make the next pause longer.
const CUTS: u32 = 4;

/// How often one sign-in is sent on to another data centre.
const MOVES: u32 = 4;

/// What is said of tokens that are no good any more.
const PAST: [&str; 3] = ["AUTH_TOKEN_EXPIRED", "AUTH_TOKEN_INVALID", "AUTH_TOKEN_INVALIDX"];

/// A conversation. What it does runs in a task of its own, so that being dropped at any await takes nothing from it.
pub struct Talk {
    application: Arc<Application>,
    cx: Context,
    place: Result<Place, Trouble>,
    running: Option<Running>,
}

/// What was heard, and until when codes were wanted then.
type Told = (Millis, Result<Heard, Trouble>);

struct Running {
    /// Boxed, as a channel sets aside room for many of what goes through it.
    heard: mpsc::Receiver<Box<Told>>,
    wanted: watch::Sender<Millis>,
    /// Whether it told a code, so that there may be something to hear of.
    told: bool,
    /// Whether its last word was heard.
    over: bool,
    _task: Ends,
}

impl Talk {
    /// The conversation for this step.
    ///
    /// # Errors
    /// When it is another step.
    pub fn new(application: &Arc<Application>, cx: &Context, state: State) -> Result<Self, Trouble> {
        let place = Place::read(state)?;
        wanted(&place)?;
        Ok(Self { application: application.clone(), cx: cx.clone(), place: Ok(place), running: None })
    }

    fn run(&self, place: Place, until: Millis) -> Running {
        let (tell, heard) = mpsc::channel(1);
        let (wanted, mut wishes) = watch::channel(until);
        let (application, cx) = (self.application.clone(), self.cx.clone());
        let task = tokio::spawn(async move {
            let mut until = until;
            let last = run(&application, &cx, place, (&mut wishes, &mut until), &tell).await;
            // Nobody listens any more when this fails.
            let _ = tell.send(Box::new((until, last.map(Heard::Next)))).await;
        });
        Running { heard, wanted, told: false, over: false, _task: Ends(task.abort_handle()) }
    }
}

/// Until when codes are wanted at this step.
fn wanted(place: &Place) -> Result<Millis, Trouble> {
    match place.at {
        At::Qr { until } => Ok(until),
        _ => Err(Trouble::bug("nothing_to_say")),
    }
}

#[async_trait]
impl Conversation for Talk {
    async fn next(&mut self) -> Result<Heard, Trouble> {
        loop {
            let place = self.place.clone()?;
            let until = wanted(&place)?;
            let running = match self.running.take() {
                Some(running) => running,
                None => self.run(place, until),
            };
            let running = self.running.insert(running);
            let Some(told) = running.heard.recv().await else {
                return Err(Trouble::bug("conversation_over"));
            };
            let (then, heard) = *told;
            running.over = !matches!(heard, Ok(Heard::Code(_)));
            running.told |= !running.over;
            // A scan counts, whatever was asked for meanwhile; what else was heard before another code was is out of date.
            let granted = matches!(heard, Ok(Heard::Next(Next::Connected(_) | Next::Holding { .. })));
            if granted || then == until {
                return heard;
            }
            if running.over {
                self.running = None;
            }
        }
    }

    fn answered(&mut self, state: State) {
        self.place = Place::read(state);
        // The last code may have been scanned just now. So nothing is broken off: whoever talks asks what became of it and only
        // then for another one.
        match (&self.running, self.place.as_ref().ok().and_then(|place| wanted(place).ok())) {
            (Some(running), Some(until)) if !running.over => {
                running.wanted.send_replace(until);
            }
            _ => self.running = None,
        }
    }

    async fn last(&mut self) -> Option<Next> {
        let running = self.running.as_mut().filter(|running| running.told && !running.over)?;
        running.wanted.send_replace(NOT_ANY_MORE);
        while let Some(told) = running.heard.recv().await {
            if let (_, Ok(Heard::Next(next))) = *told {
                return Some(next);
            }
        }
        None
    }
}

/// Until when codes are wanted that nobody wants any more: it is only asked what became of the last one.
const NOT_ANY_MORE: Millis = Millis(0);

/// What a code is good for.
enum Token {
    /// To be shown until it ends, in so many seconds since 1970 on Telegram's clock.
    Show(tl::types::auth::LoginToken),
    /// It was scanned.
    Signed(Box<enums::auth::Authorization>),
}

async fn run(
    application: &Arc<Application>,
    cx: &Context,
    place: Place,
    (wishes, until): (&mut watch::Receiver<Millis>, &mut Millis),
    tell: &mpsc::Sender<Box<Told>>,
) -> Result<Next, Trouble> {
    let mut line = Line::open(application, cx, None)?;
    let (mut tries, mut cuts) = (0, 0);
    let mut shown = false;
    loop {
        *until = *wishes.borrow_and_update();
        let leaves = *until == NOT_ANY_MORE;
        // What became of the last code is asked all the same: it may have been scanned just now.
        let ended = !leaves && cx.clock.now() >= *until;
        let end = |place| Place { at: At::Ended, ..place }.show(Wrong::default());
        if ended && !shown {
            return end(place);
        }
        let asked = Instant::now();
        match token(application, cx, &mut line).await {
            Ok(Token::Signed(signed)) => return finish(application, &line, *signed),
            Err(refusal) if refusal.is("SESSION_PASSWORD_NEEDED") => {
                return password::ask(cx, &mut line, place).await;
            }
            Ok(Token::Show(_)) | Err(_) if leaves => return Err(Trouble::bug("conversation_over")),
            Ok(Token::Show(_)) if ended => return end(place),
            Ok(Token::Show(token)) => {
                (tries, shown) = (0, true);
                let now = cx.clock.now();
                let ends = Millis(i64::from(token.expires) * 1000 - line.ahead()).max(now.after(PAUSE));
                let value = format!("tg://login?token={}", URL_SAFE_NO_PAD.encode(&token.token));
                let code = Code { value, expires_at: Some(ends) };
                if tell.send(Box::new((*until, Ok(Heard::Code(code))))).await.is_err() {
                    return Err(Trouble::bug("conversation_over"));
                }
                let left = ends.since(now).saturating_sub(MARGIN).max(PAUSE).min(QUIET);
                // In each case Telegram is asked what has become of it.
                let cut = tokio::select! {
                    () = tokio::time::sleep(left) => false,
                    scanned = line.scanned() => !scanned,
                    _ = wishes.changed() => false,
                };
                cuts = if cut { cuts + 1 } else { 0 };
                // Where connections do not last, it is asked ever less often; whoever leaves is not kept waiting.
                let pause = tokio::time::sleep_until(asked + PAUSE * 2_u32.pow(cuts.clamp(1, CUTS) - 1));
                tokio::select! {
                    () = pause => {}
                    _ = wishes.wait_for(|until| *until == NOT_ANY_MORE) => {}
                }
            }
            Err(refusal) => {
                tries += 1;
                // A connection may end at any moment, also unheard, so that the next call has no answer.
                let unheard = shown && tries == 1 && refusal == Refusal::Silent("timeout");
                let passes = unheard || refusal.is_broken() || refusal.is("AUTH_RESTART");
                if !passes || tries >= TRIES {
                    return if ended { end(place) } else { unable(place, &refusal) };
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Why there are no codes. A code is not asked for again by itself, so it is not the step that would show one.
fn unable(place: Place, refusal: &Refusal) -> Result<Next, Trouble> {
    let wrong = match refusal.wait() {
        Some(wait) => Wrong::wait(wait),
        None if refusal.is_banned() => Wrong::notice("phone_banned"),
        None => Wrong::trouble(&refusal.told()),
    };
    Place { at: At::Ended, ..place }.show(wrong)
}

/// A code to show, or what came of the last one, at whichever data centre the person is.
async fn token(application: &Application, cx: &Context, line: &mut Line) -> Result<Token, Refusal> {
    let mut next = line.call(&export(application)).await?;
    for _ in 0..MOVES {
        match next {
            enums::auth::LoginToken::Token(token) => return Ok(Token::Show(token)),
            enums::auth::LoginToken::Success(success) => {
                return Ok(Token::Signed(Box::new(success.authorization)));
            }
            enums::auth::LoginToken::MigrateTo(there) => {
                line.move_to(cx, there.dc_id);
                next = match import(line, there.token).await {
                    // Moving took longer than the token was good for; the new place gives one of its own.
                    Err(refusal) if refusal.is_any(&PAST) => line.call(&export(application)).await?,
                    imported => imported?,
                };
            }
        }
    }
    Err(Refusal::Silent("protocol_error"))
}

/// Shows the token of one data centre to another, which may need a moment until it knows a key that was just agreed on.
async fn import(line: &mut Line, token: Vec<u8>) -> Result<enums::auth::LoginToken, Refusal> {
    let request = tl::functions::auth::ImportLoginToken { token };
    let mut tries = 1;
    loop {
        match line.call(&request).await {
            Err(refusal) if refusal.is("AUTH_KEY_UNREGISTERED") && tries < TRIES => tries += 1,
            answer => return answer,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Puts an authorization to use.
///
/// # Errors
/// When it is none.
pub fn finish(
    application: &Application,
    line: &Line,
    signed: enums::auth::Authorization,
) -> Result<Next, Trouble> {
    let enums::auth::Authorization::Authorization(signed) = signed else {
        return Err(Trouble::bug("sign_up_required"));
    };
    let connected = outcome::connected(signed.user, application.id, line.keep()?)?;
    Ok(Next::Connected(Box::new(connected)))
}
