//! What follows from a person's answers. Nothing is connected to here: the conversation does that, from the state.

use wire_whatsapp::Assertion;

use crate::contract::{Action, Answer, Begin, Context, Method, Next, Trouble};

use super::end::End;
use super::phone;
use super::place::{Place, Stand};
use super::steps::{self, PAIRING_CODE, QR, say};

type Led = Result<Next, Trouble>;

/// The first step.
///
/// # Errors
/// None that could happen.
pub fn begin(begin: Begin) -> Led {
    let place = Place::new(begin.target.as_ref(), Stand::Qr);
    match begin.method {
        Method::PairingCode => ask_phone(&place),
        _ => fresh(&place),
    }
}

/// What follows from an answer.
///
/// # Errors
/// For answers that the step does not have.
pub fn answer(cx: &Context, place: Place, answer: &Answer) -> Led {
    match (&place.stand, &answer.action) {
        (Stand::Paired { .. }, Action::Alternative(_)) => Err(Trouble::bug("no_such_alternative")),
        (_, Action::Alternative(way)) if way == QR => fresh(&Place { phone: None, ..place }),
        (_, Action::Alternative(way)) if way == PAIRING_CODE => ask_phone(&place),
        (Stand::Phone, Action::Submit) => phone_given(cx, &place, answer.text("phone")),
        (Stand::Qr | Stand::Code | Stand::Typed | Stand::Ended, Action::Submit) => match &place.phone {
            Some(phone) => send_code(cx, &place, phone.clone()),
            None => fresh(&place),
        },
        (Stand::Passkey { request }, Action::Submit) => {
            let assertion = answer.text("assertion");
            let error = match Assertion::from_json(assertion) {
                _ if assertion.is_empty() => say("error.assertion_missing"),
                Err(_) => say("error.assertion_invalid"),
                Ok(_) => {
                    let stand = Stand::Checking { request: request.clone(), assertion: assertion.to_owned() };
                    return place.at(stand).show(steps::checking());
                }
            };
            place.show(steps::passkey(request, Some(error)))
        }
        (Stand::Compare { request }, Action::Submit) => {
            place.at(Stand::Confirmed { request: request.clone() }).show(steps::checking())
        }
        // Nothing was asked: whoever presses the button has us look again.
        (Stand::Checking { .. } | Stand::Confirmed { .. }, Action::Submit) => place.show(steps::checking()),
        (Stand::Paired { .. }, Action::Submit) => place.show(steps::linking()),
        (Stand::Unfinished { session }, Action::Submit) => {
            place.at(Stand::Paired { session: session.clone() }).show(steps::linking())
        }
        (_, Action::Alternative(_)) => Err(Trouble::bug("no_such_alternative")),
        // Nobody is ever sent away from here.
        (_, Action::Returned | Action::Decided { .. }) => Err(Trouble::bug("no_such_answer")),
    }
}

/// A QR code of a connection that is still to be made.
fn fresh(place: &Place) -> Led {
    place.at(Stand::Qr).show(steps::qr(place, None))
}

fn ask_phone(place: &Place) -> Led {
    let known = place.phone.as_ref().or(place.target.as_ref().map(|target| &target.label));
    let step = steps::phone(known.map_or("", String::as_str), None, None);
    place.at(Stand::Phone).show(step)
}

fn phone_given(cx: &Context, place: &Place, typed: &str) -> Led {
    match phone::read(typed) {
        Ok(phone) => send_code(cx, place, phone),
        Err(bad) => place.show(steps::phone(typed, Some(bad), None)),
    }
}

/// A code for this number. WhatsApp notifies its owner, who may be somebody else: so it is not asked for any number of times.
fn send_code(cx: &Context, place: &Place, phone: String) -> Led {
    if cx.allowance.sign_in(&phone, &phone).is_err() {
        let notice = steps::notice(End::TooManyCodes, cx.clock.now());
        return place.at(Stand::Phone).show(steps::phone(&phone, None, Some(notice)));
    }
    let place = Place { phone: Some(phone), ..place.at(Stand::Code) };
    place.show(steps::code(&place, None))
}
