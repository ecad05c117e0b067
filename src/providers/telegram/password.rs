//! The step `password`: the password of the cloud, proved without being sent (SRP, <https://core.telegram.org/api/srp>).
//! Always: the sums, which take most of a second, are done away from the threads that serve others.

use std::sync::Arc;

use grammers_crypto::two_factor_auth::{calculate_2fa, check_p_and_g};
use grammers_tl_types::{self as tl, enums, types};

use crate::contract::{Context, Next, Trouble};
use crate::kernel::secret::Secret;

use super::config::Application;
use super::line::Line;
use super::place::{At, Place};
use super::refusal::Refusal;
use super::session::Kept;
use super::steps::Wrong;
use super::talk;

/// Longer than any password that Telegram takes, in bytes.
const LONGEST: usize = 1024;

/// Asks for the password that this session still needs; without a hint where Telegram does not say it, as the phone has said
/// yes already.
///
/// # Errors
/// See [`Place::show`].
pub async fn ask(cx: &Context, line: &mut Line, place: Place) -> Result<Next, Trouble> {
    let hint = match line.call(&tl::functions::account::GetPassword {}).await {
        Ok(enums::account::Password::Password(password)) => password.hint,
        Err(refusal) if refusal.is_signed_out() => return again(cx, place),
        Err(_) => None,
    };
    let hint = hint.filter(|hint| !hint.trim().is_empty());
    let at = At::Password { session: line.keep()?, hint, by_phone: place.by_phone() };
    Place { at, ..place }.show(Wrong::default())
}

/// From the beginning, as what was begun is no more.
///
/// # Errors
/// See [`Place::store`].
pub fn again(cx: &Context, place: Place) -> Result<Next, Trouble> {
    let at = match place.by_phone() {
        true => At::Phone,
        false => At::Qr { until: cx.clock.now().after(talk::PATIENCE) },
    };
    Place { at, ..place }.show(Wrong::notice("sign_in_expired"))
}

/// Tries a password.
///
/// # Errors
/// When there was no definite answer.
pub async fn answer(
    application: &Arc<Application>,
    cx: &Context,
    place: Place,
    session: &Kept,
    typed: Option<&Secret>,
) -> Result<Next, Trouble> {
    let Some(typed) = typed.filter(|typed| !typed.reveal().is_empty()) else {
        return place.show(Wrong::field("error.password_missing"));
    };
    if typed.reveal().len() > LONGEST {
        return place.show(Wrong::field("error.password_invalid"));
    }
    let mut line = Line::open(application, cx, Some(session))?;
    let mut tried = check(cx, &mut line, typed).await?;
    if let Err(refusal) = &tried
        && refusal.is_any(&["SRP_ID_INVALID", "SRP_PASSWORD_CHANGED"])
    {
        // What it was proved against was replaced meanwhile.
        tried = check(cx, &mut line, typed).await?;
    }
    match tried {
        Ok(signed) => talk::finish(application, &line, signed),
        Err(refusal) if refusal.is_any(&["PASSWORD_HASH_INVALID", "PASSWORD_INVALID"]) => {
            place.show(Wrong::field("error.password_invalid"))
        }
        Err(refusal) if refusal.is_banned() => {
            let at = if place.by_phone() { At::Phone } else { At::Ended };
            Place { at, ..place }.show(Wrong::notice("phone_banned"))
        }
        Err(refusal) if refusal.is_signed_out() => again(cx, place),
        Err(refusal) => match refusal.wait() {
            Some(wait) => place.show(Wrong::wait(wait)),
            None => Err(refusal.trouble()),
        },
    }
}

type Tried = Result<enums::auth::Authorization, Refusal>;

async fn check(cx: &Context, line: &mut Line, typed: &Secret) -> Result<Tried, Trouble> {
    let asked = match line.call(&tl::functions::account::GetPassword {}).await {
        Ok(enums::account::Password::Password(password)) => password,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (typed, random) = (typed.clone(), cx.random.bytes::<256>());
    let proof = tokio::task::spawn_blocking(move || prove(asked, typed.reveal(), random));
    // A panic of the library's ends up here.
    let password = proof.await.map_err(|_| Trouble::bug("password_proof_failed"))??;
    Ok(line.call(&tl::functions::auth::CheckPassword { password }).await)
}

/// Proves a password, if what Telegram says is safe to prove it against.
fn prove(
    asked: types::account::Password,
    typed: &str,
    random: [u8; 256],
) -> Result<enums::InputCheckPasswordSrp, Trouble> {
    let unsafe_ = || Trouble::bug("password_parameters_unsafe");
    let Some(enums::PasswordKdfAlgo::Sha256Sha256Pbkdf2Hmacsha512iter100000Sha256ModPow(algorithm)) =
        asked.current_algo
    else {
        return Err(Trouble::bug("password_algorithm_unknown"));
    };
    let (Some(b), Some(srp_id)) = (asked.srp_b, asked.srp_id) else { return Err(unsafe_()) };
    let types::PasswordKdfAlgoSha256Sha256Pbkdf2Hmacsha512iter100000Sha256ModPow { salt1, salt2, g, p } =
        algorithm;
    if !(2..=7).contains(&g) || !is_within(&b, &p) || !check_p_and_g(&p, &g) {
        return Err(unsafe_());
    }
    let (m1, a) = calculate_2fa(&salt1, &salt2, &p, &g, b, random.to_vec(), typed);
    let proof = types::InputCheckPasswordSrp { srp_id, a: a.to_vec(), m1: m1.to_vec() };
    Ok(enums::InputCheckPasswordSrp::Srp(proof))
}

/// Whether the server's number lies far enough inside of the group: at least 2^1984 from both of its ends.
fn is_within(b: &[u8], p: &[u8]) -> bool {
    let far = |number: &[u8]| number[..8].iter().any(|byte| *byte != 0);
    if b.len() > 256 || p.len() != 256 {
        return false;
    }
    let mut padded = [0; 256];
    padded[256 - b.len()..].copy_from_slice(b);
    let mut borrow = 0;
    let mut rest = [0; 256];
    for at in (0..256).rev() {
        let digit = i16::from(p[at]) - i16::from(padded[at]) - borrow;
        borrow = i16::from(digit < 0);
        rest[at] = u8::try_from(digit.rem_euclid(256)).unwrap_or_default();
    }
    borrow == 0 && far(&padded) && far(&rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_near_either_end_of_the_group_is_refused() {
        let p = [0xc7; 256];
        let mut far = p;
        far[0] = 0x60;
        assert!(is_within(&far, &p));
        assert!(is_within(&far[..249], &p), "a shorter number is one with zeros before it");
        assert!(!is_within(&far[..248], &p));
        assert!(!is_within(&[1], &p) && !is_within(&p, &p));
        let mut near = p;
        near[255] -= 1;
        assert!(!is_within(&near, &p));
        assert!(!is_within(&[0xff; 256], &p), "beyond it");
        assert!(!is_within(&[0xff; 257], &p) && !is_within(&far, &p[..255]));
    }

    #[test]
    fn what_is_not_safe_is_not_proved_against() {
        let asked = |g, algorithm: bool| types::account::Password {
            has_recovery: false,
            has_secure_values: false,
            has_password: true,
            current_algo: algorithm.then(|| {
                types::PasswordKdfAlgoSha256Sha256Pbkdf2Hmacsha512iter100000Sha256ModPow {
                    salt1: vec![1],
                    salt2: vec![2],
                    g,
                    p: vec![0xc7; 256],
                }
                .into()
            }),
            srp_b: Some(vec![0x60; 256]),
            srp_id: Some(1),
            hint: None,
            email_unconfirmed_pattern: None,
            new_algo: enums::PasswordKdfAlgo::Unknown,
            new_secure_algo: enums::SecurePasswordKdfAlgo::Unknown,
            secure_random: vec![],
            pending_reset_date: None,
            login_email_pattern: None,
        };
        let code = |asked| prove(asked, "x", [7; 256]).err().unwrap().code;
        assert_eq!(code(asked(3, false)), "password_algorithm_unknown");
        assert_eq!(code(asked(9, true)), "password_parameters_unsafe");
        assert_eq!(code(asked(3, true)), "password_parameters_unsafe", "not a prime");
    }
}
