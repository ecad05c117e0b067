use super::*;

const HOUR: i64 = 3_600_000;

fn rules(now: i64) -> Rules {
    let checks = Checks::default();
    Rules { checks, every: checks.passwords, now: Millis(now), chance: 0.5 }
}

fn well() -> Standing {
    Standing { status: Status::Ok, cause: None, watch: Watch::default() }
}

fn outlook(end: Option<End>) -> Said {
    Said::Fine(Outlook { peer: String::new(), renews: true, client: None, end })
}

fn refused(sure: bool) -> Said {
    Said::Refused { cause: "credentials_invalid".to_owned(), actor: Actor::Person, sure }
}

fn away() -> Said {
    Said::Silent { code: "timeout".to_owned(), actor: Actor::Nobody }
}

fn kinds(verdict: &Verdict) -> Vec<EventKind> {
    verdict.events.iter().map(|(kind, _)| *kind).collect()
}

#[test]
fn a_refusal_that_busy_servers_say_too_is_believed_the_second_time() {
    let first = judge(&well(), &refused(false), &rules(0));
    assert_eq!((first.standing.status, kinds(&first)), (Status::Ok, vec![]));
    assert_eq!(first.standing.watch.check_at, Millis(HOUR / 12));
    let second = judge(&first.standing, &refused(false), &rules(HOUR / 12));
    assert_eq!(
        (second.standing.status, kinds(&second)),
        (Status::Credentials, vec![EventKind::AccountBroken])
    );
    assert_eq!(second.standing.watch.user_action, Some(UserAction::Reconnect));
    assert_eq!(second.standing.watch.check_at, Millis(HOUR / 12 + 24 * HOUR));
    let third = judge(&second.standing, &refused(false), &rules(25 * HOUR));
    assert_eq!(kinds(&third), [], "it is told once");
    // A good answer in between takes the doubt away, and one for want of an answer does not.
    let between = judge(&first.standing, &outlook(None), &rules(1)).standing;
    assert_eq!(judge(&between, &refused(false), &rules(2)).standing.status, Status::Ok);
    let between = judge(&first.standing, &away(), &rules(1)).standing;
    assert_eq!(judge(&between, &refused(false), &rules(2)).standing.status, Status::Credentials);
    assert_eq!(judge(&well(), &refused(true), &rules(0)).standing.status, Status::Credentials);
}

#[test]
fn after_an_outage_a_refusal_that_busy_servers_say_too_still_has_to_be_said_twice() {
    let cause = Some("timeout".to_owned());
    let watch = Watch { silent: 9, silent_since: Some(Millis(-30 * HOUR)), ..Watch::default() };
    let standing = Standing { status: Status::Error, cause, watch };
    let first = judge(&standing, &refused(false), &rules(0));
    assert_eq!((first.standing.status, kinds(&first)), (Status::Error, vec![]));
    assert_eq!(first.standing.watch.check_at, Millis(HOUR / 12));
    let second = judge(&first.standing, &refused(false), &rules(HOUR / 12));
    assert_eq!(
        (second.standing.status, kinds(&second)),
        (Status::Credentials, vec![EventKind::AccountBroken])
    );
    let well = judge(&first.standing, &outlook(None), &rules(HOUR / 12));
    assert_eq!((well.standing.status, kinds(&well)), (Status::Ok, vec![EventKind::AccountHealed]));
    assert_eq!(judge(&standing, &refused(true), &rules(0)).standing.status, Status::Credentials);
}

#[test]
fn want_of_an_answer_never_asks_for_credentials_and_after_a_day_is_an_error_that_heals() {
    let mut standing = well();
    let (mut now, mut last) = (0, 0);
    for _ in 0..200 {
        let verdict = judge(&standing, &away(), &rules(now));
        standing = verdict.standing.clone();
        assert_ne!(standing.status, Status::Credentials);
        if standing.status == Status::Error {
            assert!(now >= 24 * HOUR, "after {now} ms");
            assert_eq!(kinds(&verdict), [EventKind::AccountBroken]);
            break;
        }
        last = standing.watch.check_at.0 - now;
        now = standing.watch.check_at.0;
    }
    assert_eq!((standing.status, last), (Status::Error, HOUR), "pauses grow up to the usual interval");
    assert_eq!(
        (standing.cause.as_deref(), standing.watch.user_action),
        (Some("timeout"), Some(UserAction::Wait))
    );
    let healed = judge(&standing, &outlook(None), &rules(now));
    assert_eq!((healed.standing.status, kinds(&healed)), (Status::Ok, vec![EventKind::AccountHealed]));
    assert_eq!((healed.standing.cause, healed.standing.watch.silent), (None, 0));
}

#[test]
fn a_clock_that_jumps_makes_no_error_of_a_moment_without_an_answer() {
    let once = judge(&well(), &away(), &rules(0)).standing;
    let year = judge(&once, &away(), &rules(9000 * HOUR)).standing;
    assert_eq!(year.status, Status::Ok);
    let back = judge(&year, &away(), &rules(-9000 * HOUR)).standing;
    assert_eq!(back.status, Status::Ok, "nor one that jumps back");
}

#[test]
fn an_outage_leaves_a_broken_account_broken_for_its_own_reason() {
    let broken = judge(&well(), &refused(true), &rules(0)).standing;
    let after = judge(&broken, &away(), &rules(1)).standing;
    assert_eq!((after.status, after.cause.as_deref()), (Status::Credentials, Some("credentials_invalid")));
    assert_eq!(after.watch.user_action, Some(UserAction::Reconnect));
}

#[test]
fn who_has_to_act_is_said_with_the_status() {
    let asked = |cause: &str, actor| {
        let said = Said::Refused { cause: cause.to_owned(), actor, sure: true };
        let standing = judge(&well(), &said, &rules(0)).standing;
        (standing.status, standing.watch.user_action.unwrap())
    };
    assert_eq!(asked("session_expired", Actor::Person), (Status::Credentials, UserAction::Reconnect));
    assert_eq!(asked("policy_blocked", Actor::Admin), (Status::Permissions, UserAction::AskAdmin));
    assert_eq!(asked("smtp_protocol_disabled", Actor::Person), (Status::Permissions, UserAction::Allow));
}

#[test]
fn a_known_end_is_told_once_and_in_time() {
    let end = |at, moves| outlook(Some(End { cause: "grant_ends", at: Millis(at), moves }));
    let far = judge(&well(), &end(1000 * HOUR, false), &rules(0));
    assert_eq!((kinds(&far), far.standing.watch.ends_at), (vec![], Some(Millis(1000 * HOUR))));
    let near = judge(&far.standing, &end(1000 * HOUR, false), &rules(928 * HOUR));
    assert_eq!(kinds(&near), [EventKind::AccountEnding]);
    assert_eq!(near.events[0].1[1].1, Millis(1000 * HOUR).rfc3339());
    let again = judge(&near.standing, &end(1000 * HOUR + 999, false), &rules(929 * HOUR));
    assert_eq!(kinds(&again), []);
    let other = judge(&again.standing, &end(1010 * HOUR, false), &rules(940 * HOUR));
    assert_eq!(kinds(&other), [EventKind::AccountEnding], "another end is told, too");
    // It is looked at when it is time to tell, not hours later.
    let soon = judge(&well(), &end(72 * HOUR + 5, false), &rules(0));
    assert_eq!(soon.standing.watch.check_at, Millis(5));
}

#[test]
fn an_end_that_comes_before_the_next_usual_look_is_told_of_before_and_looked_at_when_it_came() {
    let half_an_hour = End { cause: "grant_ends", at: Millis(HOUR / 2), moves: true };
    let mut standing = well();
    standing.watch.check_at = next_look(Some(&half_an_hour), false, &rules(0));
    standing.watch.ends_at = Some(half_an_hour.at);
    assert_eq!(standing.watch.check_at, Millis(HOUR / 4));
    // A renewal that moves it on comes in time, again and again.
    let moved = End { at: Millis(HOUR * 3 / 4), ..half_an_hour };
    let well = judge(&standing, &outlook(Some(moved)), &rules(HOUR / 4));
    assert_eq!((kinds(&well), well.standing.watch.check_at), (vec![], Millis(HOUR / 2)));
    // One that leaves it where it was tells of it, and there is nothing more to do until it came.
    let told = judge(&standing, &outlook(Some(half_an_hour)), &rules(HOUR / 4));
    assert_eq!(kinds(&told), [EventKind::AccountEnding]);
    assert_eq!(told.standing.watch.check_at, Millis(HOUR / 2 + HOUR / 24));
    // Further ahead than a look comes anyhow, it changes nothing.
    let far = End { cause: "grant_ends", at: Millis(40 * HOUR), moves: true };
    assert_eq!(next_look(Some(&far), false, &rules(0)), Millis(HOUR));
    assert_eq!(next_look(Some(&far), false, &rules(41 * HOUR)), Millis(42 * HOUR), "it has passed");
}

#[test]
fn an_account_in_error_is_asked_as_often_as_one_that_works() {
    let watch = Watch { silent: 9, silent_since: Some(Millis(0)), ..Watch::default() };
    for (status, pause) in [(Status::Error, HOUR), (Status::Credentials, PAUSE.as_secs() as i64 * 1_024_000)]
    {
        let standing = Standing { status, cause: Some("timeout".to_owned()), watch: watch.clone() };
        let after = judge(&standing, &away(), &rules(30 * HOUR)).standing;
        assert_eq!((after.status, after.watch.check_at), (status, Millis(30 * HOUR + pause)), "{status:?}");
    }
}

#[test]
fn an_end_that_every_renewal_moves_on_is_no_end() {
    let end = |at| outlook(Some(End { cause: "grant_ends", at: Millis(at), moves: true }));
    let mut standing = well();
    for round in 0..10 {
        let verdict = judge(&standing, &end((round + 24) * HOUR), &rules(round * HOUR));
        assert_eq!(kinds(&verdict), [], "round {round}");
        standing = verdict.standing;
    }
    let stays = judge(&standing, &end(33 * HOUR), &rules(10 * HOUR));
    assert_eq!(kinds(&stays), [EventKind::AccountEnding], "and one that stays is");
}

#[test]
fn what_is_looked_at_together_is_not_looked_at_together_again() {
    let rules = |chance| Rules { chance, ..rules(0) };
    let span = Duration::from_secs(1000);
    let after: Vec<i64> =
        [0.0, 0.25, 0.5, 1.0].into_iter().map(|chance| rules(chance).after(span).0 / 1000).collect();
    assert_eq!(after, [900, 950, 1000, 1100], "give or take a tenth");
    let month = Duration::from_secs(60 * 24 * 3600);
    assert_eq!(rules(1.0).after(month), Millis(0).after(LONGEST), "and never more than four weeks");
}
