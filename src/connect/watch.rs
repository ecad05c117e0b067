//! What a look at an account comes to: its status, when it is looked at next, and what the backend is told. The rules
//! alone; nothing is asked or written here. Always: only a definite answer breaks an account, and never the time.

use std::time::Duration;

use super::checks::LATER;
use crate::contract::{Actor, End, Outlook};
use crate::kernel::clock::Millis;
use crate::kernel::words::{EventKind, Status, UserAction};
use crate::store::Watch;

/// How often accounts are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    /// Grants of providers with sign-in pages: by renewing them.
    pub grants: Duration,
    /// Mailboxes with passwords: by signing in.
    pub passwords: Duration,
    /// Accounts that were refused, in case they heal by themselves.
    pub broken: Duration,
    /// After so long without a definite answer an account is in error.
    pub error_after: Duration,
    /// So long before a known end it is told of.
    pub warn: Duration,
}

impl Default for Checks {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        Self { grants: 6 * hour, passwords: hour, broken: 24 * hour, error_after: 24 * hour, warn: 72 * hour }
    }
}

/// The first pause after a look without an answer; it doubles with each.
const PAUSE: Duration = Duration::from_secs(30);
/// As often as this an account has to have been asked in vain before it is in error, however long that took: a clock
/// that jumped makes any time long.
const IN_VAIN: u32 = 3;
/// A refusal that servers under load say, too, is heard a second time after this part of the usual interval.
const CONFIRM: u32 = 12;
/// An end that a renewal moved by no more than this was not moved.
const STILL: Duration = Duration::from_secs(600);
/// What is due further ahead than this many of the longest pauses was put there by a clock that was wrong.
const BEYOND: u32 = 3;

/// What was said of an account.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// It works. With what its secret says now.
    Fine(Outlook),
    /// It was refused.
    Refused {
        /// Why: a stable code.
        cause: String,
        /// Who has to act.
        actor: Actor,
        /// Whether that may be believed at once.
        sure: bool,
    },
    /// No definite answer; a stable code.
    Silent {
        /// Why.
        code: String,
        /// Who has to act.
        actor: Actor,
    },
}

/// How an account stands.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub status: Status,
    pub cause: Option<String>,
    pub watch: Watch,
}

/// An event, with its facts besides the provider.
pub(super) type Told = (EventKind, Vec<(&'static str, String)>);

/// What a look comes to.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub standing: Standing,
    pub events: Vec<Told>,
    /// For the figures.
    pub result: &'static str,
}

/// With what to judge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub checks: Checks,
    /// How often such an account is looked at.
    pub every: Duration,
    pub now: Millis,
    /// From 0 to 1, by chance: what fell together is not asked together again.
    pub chance: f64,
}

impl Checks {
    /// What lies further ahead than this was put there by a clock that was wrong.
    pub(super) fn beyond(&self, now: Millis) -> Millis {
        let longest = self.grants.max(self.passwords).max(self.broken).max(LATER);
        now.after(longest.saturating_mul(BEYOND))
    }

    /// How often an account is looked at.
    pub(super) fn every(&self, renews: bool) -> Duration {
        if renews { self.grants } else { self.passwords }
    }
}

/// No account is left alone for longer, whatever chance adds: some grants end that are not used for some months.
const LONGEST: Duration = Duration::from_secs(28 * 24 * 3600);

impl Rules {
    fn after(&self, span: Duration) -> Millis {
        self.now.after(span.mul_f64(0.9 + 0.2 * self.chance).min(LONGEST))
    }
}

/// What somebody has to do.
fn action(status: Status, actor: Actor) -> UserAction {
    match (actor, status) {
        (Actor::Person, Status::Permissions) => UserAction::Allow,
        (Actor::Person, _) => UserAction::Reconnect,
        (Actor::Admin, _) => UserAction::AskAdmin,
        (Actor::Operator, _) => UserAction::Operator,
        (Actor::Nobody, _) => UserAction::Wait,
    }
}

/// What a refusal makes of an account: somebody has to allow it again, or the person signs in again.
fn status_of(cause: &str, actor: Actor) -> Status {
    let switched_off =
        matches!(cause.strip_prefix("smtp_").unwrap_or(cause), "protocol_disabled" | "policy_blocked");
    if actor == Actor::Admin || switched_off { Status::Permissions } else { Status::Credentials }
}

/// Judges what was said. What waits for its backend is working once that has spoken, and not before: only when it is
/// looked at next changes.
pub(super) fn judge(before: &Standing, said: &Said, rules: &Rules) -> Verdict {
    if before.status != Status::Connecting {
        return judge_working(before, said, rules);
    }
    let Verdict { standing: Standing { watch, .. }, result, .. } = judge_working(before, said, rules);
    Verdict { standing: Standing { watch, ..before.clone() }, events: Vec::new(), result }
}

fn judge_working(before: &Standing, said: &Said, rules: &Rules) -> Verdict {
    match said {
        Said::Fine(outlook) => fine(before, outlook, rules),
        Said::Refused { cause, actor, sure } => {
            let status = status_of(cause, *actor);
            let watch = &before.watch;
            if matches!(before.status, Status::Ok | Status::Error) && !sure && watch.refusals == 0 {
                let watch = Watch {
                    refusals: 1,
                    trouble: Some(cause.clone()),
                    check_at: rules.after(rules.every / CONFIRM),
                    ..watch.clone()
                };
                return Verdict {
                    standing: Standing { watch, ..before.clone() },
                    events: Vec::new(),
                    result: "doubted",
                };
            }
            let watch = Watch {
                refusals: watch.refusals.saturating_add(1),
                checked_at: Some(rules.now),
                check_at: rules.after(rules.checks.broken),
                user_action: Some(action(status, *actor)),
                silent_since: None,
                silent: 0,
                trouble: None,
                ..watch.clone()
            };
            broken(before, status, cause, watch, "refused")
        }
        Said::Silent { code, actor } => silent(before, code, *actor, rules),
    }
}

fn fine(before: &Standing, outlook: &Outlook, rules: &Rules) -> Verdict {
    let known = before.watch.ends_at;
    let still = |end: &End| known.is_some_and(|at| end.at.0 <= at.after(STILL).0);
    let told = before.watch.end_told && outlook.end.as_ref().is_some_and(still);
    let counts = outlook.end.filter(|end| !end.moves || still(end));
    let tell_at = counts.map(|end| end.at.before(rules.checks.warn));
    let tell = tell_at.is_some_and(|at| at <= rules.now) && !told;
    let mut events = Vec::new();
    if before.status != Status::Ok {
        events.push((EventKind::AccountHealed, vec![("status", Status::Ok.as_str().to_owned())]));
    }
    if let (true, Some(end)) = (tell, counts) {
        let facts = vec![("cause", end.cause.to_owned()), ("ends_at", end.at.rfc3339())];
        events.push((EventKind::AccountEnding, facts));
    }
    let watch = Watch {
        checked_at: Some(rules.now),
        check_at: next_look(outlook.end.as_ref(), told || tell, rules),
        client: outlook.client.clone(),
        // Counted in seconds from each renewal, so it wavers.
        ends_at: outlook.end.as_ref().map(|end| known.filter(|_| still(end)).unwrap_or(end.at)),
        end_told: told || tell,
        lane: before.watch.lane.clone(),
        ..Watch::default()
    };
    let result = if before.status == Status::Ok { "fine" } else { "healed" };
    Verdict { standing: Standing { status: Status::Ok, cause: None, watch }, events, result }
}

/// When an account that works is looked at next: as usual, or sooner where an end is known, so that it is told of in time and
/// what renewing moves on is renewed before.
pub(super) fn next_look(end: Option<&End>, told: bool, rules: &Rules) -> Millis {
    let usual = rules.after(rules.every);
    let Some(end) = end.filter(|end| end.at > rules.now) else { return usual };
    let tell_at = end.at.before(rules.checks.warn);
    let left = end.at.since(rules.now);
    let sooner = if tell_at > rules.now {
        tell_at
    } else if told {
        // What shares an end is not asked about in one moment.
        end.at.after((rules.every / CONFIRM).mul_f64(rules.chance))
    } else {
        rules.now.after(left / 2)
    };
    usual.min(sooner)
}

fn silent(before: &Standing, code: &str, actor: Actor, rules: &Rules) -> Verdict {
    let watch = &before.watch;
    let since = watch.silent_since.unwrap_or(rules.now);
    let silent = watch.silent.saturating_add(1);
    // What nobody answered about is well as far as anybody knows.
    let longest = match before.status {
        Status::Ok | Status::Error => rules.every,
        _ => rules.checks.broken.max(rules.every),
    };
    let pause = PAUSE.saturating_mul(1_u32 << silent.min(16)).min(longest);
    let watch = Watch {
        silent_since: Some(since),
        silent,
        trouble: Some(code.to_owned()),
        check_at: rules.after(pause),
        ..watch.clone()
    };
    let long = rules.now.since(since) >= rules.checks.error_after && silent >= IN_VAIN;
    if before.status == Status::Ok && long {
        let watch = Watch { user_action: Some(action(Status::Error, actor)), ..watch };
        return broken(before, Status::Error, code, watch, "silent");
    }
    Verdict { standing: Standing { watch, ..before.clone() }, events: Vec::new(), result: "silent" }
}

fn broken(before: &Standing, status: Status, cause: &str, watch: Watch, result: &'static str) -> Verdict {
    let mut events = Vec::new();
    if before.status != status || before.cause.as_deref() != Some(cause) {
        let facts = vec![("status", status.as_str().to_owned()), ("cause", cause.to_owned())];
        events.push((EventKind::AccountBroken, facts));
    }
    Verdict { standing: Standing { status, cause: Some(cause.to_owned()), watch }, events, result }
}

#[cfg(test)]
mod tests;
