//! The step engine. The attempt's row is the truth and this room its only writer: take the attempt, ask the
//! provider (never inside a transaction), save by compare-and-swap together with the events. An answer to a
//! step that has passed gets the current one, so double clicks and lost replies harm nobody.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::claims::holds;
use super::conversations::ASKED_OFTEN;
use super::releases::Grant;
use super::returns::Leaving;
use super::settle::{Outcome, Settling};
use super::{Connect, Error, Result, SessionView, View, choose, decode};
use crate::contract::{
    Action, Actor, Allowance, Answer, Context, FieldKind, Next, Notice, State, Step, StepKind, Text, Tone,
    Trouble,
};
use crate::kernel::figures::figures;
use crate::kernel::ids::SessionId;
use crate::kernel::random::Token;
use crate::kernel::secret::Secret;
use crate::kernel::traces;
use crate::kernel::words::{Purpose, SessionState};
use crate::store::{self, Attempt, Session, SessionUpdate};

/// How long one call to a provider may take.
const CALL: Duration = Duration::from_secs(60);
/// How long an attempt stays taken after its holder was last heard of.
const HOLD: Duration = Duration::from_secs(10);
/// How often a holder says that it lives.
const RENEW: Duration = Duration::from_secs(3);
/// How long somebody else's answer is waited for before the page says that it is being checked.
const WAIT: Duration = Duration::from_secs(20);

/// How often a waiting page looks by itself, should the call that the answer is there be lost.
const POLL: Duration = Duration::from_secs(1);

/// How many of its session's connections are set aside for one answer. They are counted before they are made, so that a
/// killed process has not made any that nobody counted, and what was not used is given back with the outcome.
const SET_ASIDE: i64 = 20;

/// The cause of a call that took too long.
pub(super) const SLOW: &str = "timeout";
/// The cause of a session that tried as many secrets as it may.
const TRIED: &str = "too_many_tries";
/// The cause of a session that brought back as many codes as it may, none of them good.
const SIGNED_IN: &str = "too_many_sign_ins";

/// What an attempt's row holds sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) step: Step,
    pub(super) state: State,
}

/// Who answers.
#[derive(Clone, Copy)]
enum Holder<'a> {
    /// The browser with this cookie.
    Browser(Option<&'a str>),
    /// Somebody whose word was checked elsewhere.
    Nobody,
}

impl Holder<'_> {
    fn may_answer(self, session: &Session) -> bool {
        match self {
            Self::Browser(cookie) => holds(session, cookie),
            Self::Nobody => true,
        }
    }
}

/// A taken attempt, on its way to its provider.
struct Taken {
    session: Session,
    attempt: Attempt,
    shown: Shown,
    by: String,
    /// Whether a secret is tried.
    spends: bool,
    /// How many connections it may make.
    connects: u32,
}

impl Connect {
    /// Answers the step with this version. Whatever happened, what is to be shown now comes back.
    ///
    /// # Errors
    /// `NotFound("session")`, `Unavailable`, `Internal`.
    pub async fn answer(
        &self,
        id: &SessionId,
        cookie: Option<&str>,
        version: i64,
        answer: Answer,
    ) -> Result<(SessionView, View)> {
        // What only the engine says is no answer of a person.
        if matches!(answer.action, Action::Returned | Action::Decided { .. }) {
            return self.view(id, cookie).await;
        }
        if let Some(read) = self.read(id).await? {
            self.answer_with(read, cookie, version, answer, None).await?;
        }
        self.view(id, cookie).await
    }

    /// The same for what was read before, with what was parked: that is taken out in the write that takes the attempt, so
    /// that a code which a killed process may have exchanged is never exchanged again.
    pub(super) async fn answer_with(
        &self,
        read: (Session, Attempt),
        cookie: Option<&str>,
        version: i64,
        answer: Answer,
        parked: Option<String>,
    ) -> Result<()> {
        let id = read.0.id.clone();
        match self.take(read, Holder::Browser(cookie), version, &answer, parked).await? {
            Some(taken) => self.ask(taken, answer).await,
            None => self.wait(&id, cookie).await,
        }
    }

    /// Answers the step with this version on behalf of somebody who does not hold the session.
    pub(super) async fn answer_for(&self, id: &SessionId, version: i64, answer: Answer) -> Result<()> {
        let Some(read) = self.read(id).await? else { return Ok(()) };
        match self.take(read, Holder::Nobody, version, &answer, None).await? {
            Some(taken) => self.ask(taken, answer).await,
            None => Ok(()),
        }
    }

    async fn ask(&self, taken: Taken, answer: Answer) -> Result<()> {
        let connect = self.clone();
        // The call goes on when the browser goes away: whoever comes back finds its result.
        let span = tracing::info_span!(
            target: traces::TARGET,
            "wizard.answer",
            session.id = %taken.session.id,
            provider = taken.attempt.provider,
            step = taken.shown.step.name,
        );
        let span = traces::below(span, taken.session.trace.as_ref());
        let call = tokio::spawn(async move { connect.call(taken, answer).await }.instrument(span));
        call.await.map_err(|error| Error::internal("asking the provider", error))?
    }

    /// Answers the first step with an address that was typed before it, where it asks for an address and nothing
    /// else; where it leads to a provider's own pages, it begins anew with the address, which then need not be typed
    /// there. Whatever else stands is left as it is.
    ///
    /// # Errors
    /// `NotFound("session")`, `Unavailable`, `Internal`.
    pub async fn offer_address(&self, id: &SessionId, cookie: Option<&str>, address: &str) -> Result<()> {
        let (session, view) = self.view(id, cookie).await?;
        let View::Step { version, provider, step, .. } = view else { return Ok(()) };
        match step.fields.as_slice() {
            [field] if field.kind == FieldKind::Email => {
                let fields = [(field.name.clone(), Secret::new(address))].into();
                self.answer(id, cookie, version, Answer { action: Action::Submit, fields }).await?;
            }
            [] if step.kind == StepKind::Redirect && session.session.purpose == Purpose::Create => {
                self.take_provider(id, cookie, version, &provider, Some(address)).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes the attempt for one call, if this browser, this version and the moment are right.
    async fn take(
        &self,
        (session, mut attempt): (Session, Attempt),
        holder: Holder<'_>,
        version: i64,
        answer: &Answer,
        parked: Option<String>,
    ) -> Result<Option<Taken>> {
        let now = self.now();
        let stands =
            attempt.version == version && attempt.claim_no == session.claim_no && !attempt.is_busy(now);
        if !stands || !holder.may_answer(&session) || session.state_at(now) != SessionState::Open {
            return Ok(None);
        }
        let shown: Shown = decode(&attempt.shown)?;
        let by = Token::new(self.random()).hash();
        let spends = match answer.action {
            Action::Submit => shown.step.asks_secret(),
            // A code is tried at the provider as a password is at a mail server, and anybody can make codes up.
            Action::Returned => !answer.text("code").is_empty(),
            _ => false,
        };
        let connects = (self.limits.connects_per_session - session.connects).clamp(0, SET_ASIDE);
        let context = (session.clone(), attempt.clone(), by.clone(), (spends, connects), (parked, now));
        let taken = self
            .store
            .write(context, |(session, attempt, by, (spends, connects), (parked, now)), tx| {
                Box::pin(async move {
                    if let Some(parked) = parked {
                        tx.take_parked(parked).await?;
                    }
                    // The session is written too, so that a claim and an answer can never both win.
                    let mut update = SessionUpdate::from(session);
                    update.secrets_tried += i64::from(*spends);
                    update.connects += connects;
                    tx.update_session(&session.id, session.version, &update).await?;
                    tx.take_attempt(attempt, by, *now, now.after(HOLD)).await
                })
            })
            .await;
        match taken {
            Ok(()) => {
                attempt.version += 1;
                let connects = u32::try_from(connects).unwrap_or(0);
                Ok(Some(Taken { session, attempt, shown, by, spends, connects }))
            }
            // Its conversation may just have begun, which the session counts as well: the step stands.
            Err(store::Error::Conflict) if shown.step.live => match self.read(&session.id).await? {
                Some(read) => Box::pin(self.take(read, holder, version, answer, None)).await,
                None => Ok(None),
            },
            Err(store::Error::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks the provider and saves what follows.
    async fn call(&self, taken: Taken, answer: Answer) -> Result<()> {
        let Taken { session, attempt, shown, by, spends, connects } = taken;
        let left = self.limits.secrets_per_session - session.secrets_tried - i64::from(spends);
        let allowance = self.cx.allowance.granting(connects);
        let (asked, was_live, began) = (shown.step.name.clone(), shown.step.live, self.now());
        let tried = if answer.action == Action::Returned { SIGNED_IN } else { TRIED };
        let outcome = if left < 0 {
            Outcome::Failed { code: tried.to_owned() }
        } else if let Some(choice) = choose::choice(&session, &attempt, &answer) {
            match self.hold(&attempt, &by, self.choose(&session, choice, &answer, &allowance)).await {
                None => return Ok(()),
                Some(Ok(chosen)) => chosen,
                Some(Err(trouble)) => Outcome::again(again(shown.step, &trouble), shown.state),
            }
        } else {
            let provider = self.provider(&attempt.provider)?.clone();
            let leaving = self.leaving(&attempt.provider, &session.id);
            let cx = self.context(&allowance, &leaving);
            let call = provider.answer(&cx, shown.state.clone(), answer);
            let span = tracing::info_span!(
                target: traces::TARGET,
                "provider.call",
                otel.kind = "client",
                provider = attempt.provider,
            );
            let begun = Instant::now();
            let called = self.hold(&attempt, &by, call).instrument(span).await;
            figures().provider(&attempt.provider, begun.elapsed());
            match called {
                None => return Ok(()),
                Some(Ok(next)) => self.outcome(&session, &attempt, next, leaving, left).await?,
                Some(Err(trouble)) => Outcome::again(again(shown.step, &trouble), shown.state),
            }
        };
        // The last try was no good: the same form once more could only be refused. Another step may have a way on.
        let mut outcome = match outcome {
            Outcome::Step { step, grant, .. } if spends && left == 0 && step.name == asked => {
                self.give_back(grant.release().cloned()).await?;
                Outcome::Failed { code: tried.to_owned() }
            }
            outcome => outcome,
        };
        // Another code is another connection, which the conversation makes.
        let anew = was_live && matches!(&outcome, Outcome::Step { step, .. } if step.live);
        if anew && connects == 0 {
            outcome = Outcome::Failed { code: ASKED_OFTEN.to_owned() };
        }
        let unused = i64::from(allowance.left()) - i64::from(anew);
        self.settle(Settling { session: session.id, attempt, outcome, unused, began }).await
    }

    /// What a provider may use for one call.
    pub(super) fn context(&self, allowance: &Allowance, leaving: &Leaving) -> Context {
        Context { allowance: allowance.clone(), returns: leaving.returns.clone(), ..self.cx.clone() }
    }

    /// What a provider's answer comes to.
    pub(super) async fn outcome(
        &self,
        session: &Session,
        attempt: &Attempt,
        next: Next,
        leaving: Leaving,
        left: i64,
    ) -> Result<Outcome> {
        let (mut step, state, grant) = match next {
            Next::Step { step, state } => (step, state, Grant::None),
            Next::Unfit { step, state, signed } => {
                let release = self.release(&attempt.provider, &signed.identity, &signed.secret)?;
                (step, state, Grant::unfit(release))
            }
            Next::Holding { step, state, secret } => (step, state, self.held(session, attempt, &secret)?),
            Next::Connected(connected) => return self.recognise(session, attempt, *connected).await,
            Next::Failed(failure) => return Ok(Outcome::Failed { code: failure.code }),
        };
        step.attempts_left = step.asks_secret().then(|| u32::try_from(left).unwrap_or(0));
        choose::offer(session, &mut step);
        Ok(Outcome::Step { step, state, leaving: Some(leaving), grant, chosen: None })
    }

    /// Runs a provider's call under its deadline while saying that we live; `None` when the attempt was lost.
    async fn hold<T>(
        &self,
        attempt: &Attempt,
        by: &str,
        call: impl Future<Output = std::result::Result<T, Trouble>>,
    ) -> Option<std::result::Result<T, Trouble>> {
        let deadline = Instant::now() + CALL;
        tokio::pin!(call);
        loop {
            let pause = deadline.min(Instant::now() + RENEW);
            match timeout_at(pause, &mut call).await {
                Ok(result) => return Some(result),
                Err(_) if Instant::now() >= deadline => {
                    return Some(Err(Trouble { code: SLOW, actor: Actor::Nobody }));
                }
                Err(_) => {
                    let until = self.now().after(HOLD);
                    let context = (attempt.id.clone(), by.to_owned(), until);
                    let renewed = self
                        .store
                        .write(context, |(id, by, until), tx| Box::pin(tx.renew_attempt(id, by, *until)))
                        .await;
                    // A database that is away for a moment does not end the call; somebody else's hold does.
                    if matches!(renewed, Err(store::Error::Conflict)) {
                        return None;
                    }
                }
            }
        }
    }

    /// Waits while somebody else's answer to the attempt is being checked, for a while.
    async fn wait(&self, id: &SessionId, cookie: Option<&str>) -> Result<()> {
        let deadline = Instant::now() + WAIT;
        let mut watching = self.watching();
        loop {
            let attempt = match self.view(id, cookie).await?.1 {
                View::Busy { attempt, .. } => attempt,
                _ => return Ok(()),
            };
            if Instant::now() >= deadline {
                return Ok(());
            }
            watching.moved(&attempt, POLL).await;
        }
    }
}

/// The same step once more, after something that was nobody's fault.
pub(super) fn again(mut step: Step, trouble: &Trouble) -> Step {
    if trouble.actor == Actor::Operator {
        tracing::error!(code = trouble.code, "a provider could not go on");
    }
    for field in &mut step.fields {
        field.error = None;
    }
    if step.kind == StepKind::Redirect {
        spent(&mut step, trouble.code);
    } else {
        step.notice = Some(notice(trouble.code));
    }
    step
}

/// A step that sent its person away and whose way back may be used up: it sends nobody there again by itself. Where they
/// are asked to sign in again, they get another address. Steps of other kinds are left as they are.
pub(super) fn spent(step: &mut Step, code: &str) {
    if step.kind == StepKind::Redirect {
        step.url = None;
        step.notice = Some(notice(code));
    }
}

/// Words for what was nobody's fault.
fn notice(code: &str) -> Notice {
    let what = if code == SLOW { "slow" } else { "trouble" };
    Notice {
        code: code.to_owned(),
        tone: Tone::Refused,
        text: Text::key(format!("notice.{what}")),
        advice: Some(Text::key(format!("notice.{what}_advice"))),
    }
}
