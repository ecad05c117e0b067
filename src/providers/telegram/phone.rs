//! The steps `phone` and `code`: Telegram sends a code to a phone number, and the person brings it here. Always: how often
//! a code is asked for is limited, per number and per session, as anybody can type anybody's number.

use std::sync::Arc;
use std::time::Duration;

use grammers_tl_types::{self as tl, enums, types};

use crate::contract::{Context, Denied, Next, Trouble};
use crate::kernel::secret::Secret;

use super::config::Application;
use super::line::Line;
use super::place::{At, Place, Sent, Way};
use super::refusal::Refusal;
use super::steps::Wrong;
use super::{password, talk};

/// What the limits on sending count under.
const PEER: &str = "telegram";

/// A number that was typed and cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadNumber {
    /// There is nothing.
    Missing,
    /// It does not say its country.
    Country,
    /// It is none.
    Invalid,
}

/// A phone number as Telegram wants it: a plus and 7 to 15 digits (E.164), however it was written.
///
/// # Errors
/// Why it is none.
pub fn number(typed: &str) -> Result<String, BadNumber> {
    let mut digits = String::new();
    let mut international = false;
    for (at, c) in typed.trim().chars().filter(|c| !is_ornament(*c)).enumerate() {
        match digit(c) {
            Some(digit) => digits.push(digit),
            None if at == 0 && matches!(c, '+' | '＋') => international = true,
            None => return Err(BadNumber::Invalid),
        }
    }
    if let Some(rest) = digits.strip_prefix("00").filter(|_| !international) {
        (digits, international) = (rest.to_owned(), true);
    }
    match digits.len() {
        0 => Err(BadNumber::Missing),
        _ if !international => Err(BadNumber::Country),
        7..=15 if !digits.starts_with('0') => Ok(format!("+{digits}")),
        _ => Err(BadNumber::Invalid),
    }
}

/// What people write between digits; also the marks of direction that copying brings along.
fn is_ornament(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '(' | ')' | '-' | '.' | '/' | '\u{2010}'..='\u{2015}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}')
}

/// A digit of Latin, Arabic, Persian or full-width script.
fn digit(c: char) -> Option<char> {
    let zero = match c {
        '0'..='9' => return Some(c),
        '\u{660}'..='\u{669}' => 0x660,
        '\u{6f0}'..='\u{6f9}' => 0x6f0,
        '\u{ff10}'..='\u{ff19}' => 0xff10,
        _ => return None,
    };
    char::from_digit(u32::from(c) - zero, 10)
}

/// What the person does about phone numbers and codes.
pub struct Phone<'a> {
    /// The application that asks.
    pub application: &'a Arc<Application>,
    /// What a provider may use.
    pub cx: &'a Context,
}

impl Phone<'_> {
    /// A number was typed.
    ///
    /// # Errors
    /// When there was no definite answer.
    pub async fn typed(&self, mut place: Place, typed: &str) -> Result<Next, Trouble> {
        place.at = At::Phone;
        place.phone = typed.chars().take(40).collect();
        match number(typed) {
            Ok(number) => place.phone = number,
            Err(BadNumber::Missing) => return place.show(Wrong::field("error.phone_missing")),
            Err(BadNumber::Country) => return place.show(Wrong::field("error.phone_country")),
            Err(BadNumber::Invalid) => return place.show(Wrong::field("error.phone_invalid")),
        }
        self.send(place).await
    }

    /// Has a code sent.
    async fn send(&self, place: Place) -> Result<Next, Trouble> {
        if let Err(Denied::Spent | Denied::Crowded) = self.may_send(&place.phone) {
            return place.show(Wrong::notice("throttled"));
        }
        let mut line = Line::open(self.application, self.cx, None)?;
        match self.ask(&mut line, &place.phone).await {
            Ok(sent) => self.sent(place, &line, sent),
            Err(refusal) => self.not_sent(place, &refusal),
        }
    }

    /// Asks for a code where the number is at home.
    async fn ask(&self, line: &mut Line, phone: &str) -> Result<enums::auth::SentCode, Refusal> {
        let request = tl::functions::auth::SendCode {
            phone_number: phone.to_owned(),
            api_id: self.application.id,
            api_hash: self.application.hash.reveal().to_owned(),
            settings: types::CodeSettings {
                allow_flashcall: false,
                current_number: false,
                allow_app_hash: false,
                allow_missed_call: false,
                allow_firebase: false,
                unknown_number: false,
                logout_tokens: None,
                token: None,
                app_sandbox: None,
            }
            .into(),
        };
        let refusal = match line.call(&request).await {
            Ok(sent) => return Ok(sent),
            Err(refusal) => refusal,
        };
        match refusal.elsewhere() {
            Some(dc) => line.move_to(self.cx, dc),
            None if refusal.is("AUTH_RESTART") => {}
            None => return Err(refusal),
        }
        line.call(&request).await
    }

    fn may_send(&self, phone: &str) -> Result<(), Denied> {
        self.cx.allowance.sign_in(PEER, phone)
    }

    fn sent(&self, place: Place, line: &Line, sent: enums::auth::SentCode) -> Result<Next, Trouble> {
        let sent = match sent {
            enums::auth::SentCode::Code(sent) => sent,
            // Signed in without any code, by what an earlier sign-in left; we leave nothing, so it is rare.
            enums::auth::SentCode::Success(success) => {
                return self.signed(place, line, success.authorization);
            }
            enums::auth::SentCode::PaymentRequired(_) => {
                return Place { at: At::Phone, ..place }.show(Wrong::notice("payment_required"));
            }
        };
        let Some((way, to)) = way(sent.r#type) else {
            return Place { at: At::Phone, ..place }.show(Wrong::notice("code_unsuitable"));
        };
        let pause = Duration::from_secs(sent.timeout.and_then(|pause| pause.try_into().ok()).unwrap_or(0));
        let at = At::Code(Sent {
            session: line.keep()?,
            hash: Secret::new(sent.phone_code_hash),
            way,
            to,
            again: sent.next_type.is_some(),
            again_at: self.cx.clock.now().after(pause),
        });
        Place { at, ..place }.show(Wrong::default())
    }

    fn not_sent(&self, place: Place, refusal: &Refusal) -> Result<Next, Trouble> {
        let place = Place { at: At::Phone, ..place };
        if refusal.is("PHONE_NUMBER_INVALID") {
            return place.show(Wrong::field("error.phone_invalid"));
        }
        if refusal.is_banned() {
            return place.show(Wrong::notice("phone_banned"));
        }
        if let Some(wait) = refusal.wait() {
            return place.show(Wrong::wait(wait));
        }
        if refusal.is_outdated() {
            // A code to scan would end the same way.
            return place.show(Wrong::trouble(&refusal.told()));
        }
        let other_ways = match refusal {
            Refusal::Named { name, .. } => {
                ["SMS_CODE_CREATE_FAILED", "PHONE_NUMBER_APP_SIGNUP_FORBIDDEN", "RECAPTCHA_CHECK"]
                    .iter()
                    .any(|known| name.starts_with(known))
            }
            Refusal::KeyLost | Refusal::Silent(_) => false,
        };
        if other_ways {
            return place.show(Wrong::notice("code_not_sent"));
        }
        Err(refusal.trouble())
    }

    /// Another code is wanted.
    ///
    /// # Errors
    /// When there was no definite answer.
    pub async fn resend(&self, place: Place, sent: &Sent) -> Result<Next, Trouble> {
        let now = self.cx.clock.now();
        if now < sent.again_at {
            let seconds = sent.again_at.since(now).as_secs() + 1;
            let mut wrong = Wrong::notice("code_wait");
            if let Some(notice) = &mut wrong.notice {
                notice.advice = notice.advice.take().map(|advice| advice.with("n", seconds.to_string()));
            }
            return place.show(wrong);
        }
        if !sent.again {
            return self.send(place).await;
        }
        if let Err(Denied::Spent | Denied::Crowded) = self.may_send(&place.phone) {
            return place.show(Wrong::notice("throttled"));
        }
        let mut line = Line::open(self.application, self.cx, Some(&sent.session))?;
        let request = tl::functions::auth::ResendCode {
            phone_number: place.phone.clone(),
            phone_code_hash: sent.hash.reveal().to_owned(),
            reason: None,
        };
        match line.call(&request).await {
            Ok(sent) => self.sent(place, &line, sent),
            // This one is past being sent again; a fresh one is not.
            Err(refusal) if is_over(&refusal) => self.send(place).await,
            Err(refusal) => match refusal.wait() {
                Some(wait) => place.show(Wrong::wait(wait)),
                None => self.not_sent(place, &refusal),
            },
        }
    }

    /// A code was typed.
    ///
    /// # Errors
    /// When there was no definite answer.
    pub async fn code(&self, place: Place, sent: &Sent, typed: &str) -> Result<Next, Trouble> {
        if typed.is_empty() {
            return place.show(Wrong::field("error.code_missing"));
        }
        let Some(code) = code(sent.way, typed) else {
            return place.show(Wrong::field("error.code_invalid"));
        };
        let mut line = Line::open(self.application, self.cx, Some(&sent.session))?;
        let by_mail = (sent.way == Way::Email)
            .then(|| enums::EmailVerification::Code(types::EmailVerificationCode { code: code.clone() }));
        let request = tl::functions::auth::SignIn {
            phone_number: place.phone.clone(),
            phone_code_hash: sent.hash.reveal().to_owned(),
            phone_code: by_mail.is_none().then_some(code),
            email_verification: by_mail,
        };
        match line.call(&request).await {
            Ok(signed) => self.signed(place, &line, signed),
            Err(refusal) if refusal.is("SESSION_PASSWORD_NEEDED") => {
                password::ask(self.cx, &mut line, place).await
            }
            Err(refusal) if refusal.is_any(&["PHONE_CODE_INVALID", "PHONE_CODE_EMPTY", "CODE_INVALID"]) => {
                place.show(Wrong::field("error.code_invalid"))
            }
            Err(refusal) if refusal.is_any(&["PHONE_CODE_EXPIRED", "EMAIL_VERIFY_EXPIRED"]) => {
                place.show(Wrong::notice("code_expired"))
            }
            Err(refusal) if refusal.is("PHONE_NUMBER_UNOCCUPIED") => self.nobody(place),
            Err(refusal) if refusal.is_banned() => self.not_sent(place, &refusal),
            Err(refusal) if refusal.is_signed_out() || refusal.is("AUTH_RESTART") => {
                password::again(self.cx, place)
            }
            Err(refusal) => match refusal.wait() {
                Some(wait) => place.show(Wrong::wait(wait)),
                None => self.not_sent(place, &refusal),
            },
        }
    }

    fn signed(&self, place: Place, line: &Line, signed: enums::auth::Authorization) -> Result<Next, Trouble> {
        match signed {
            enums::auth::Authorization::SignUpRequired(_) => self.nobody(place),
            signed => talk::finish(self.application, line, signed),
        }
    }

    /// Nobody has an account with this number. We do not make one.
    fn nobody(&self, place: Place) -> Result<Next, Trouble> {
        Place { at: At::Phone, ..place }.show(Wrong::notice("no_account"))
    }
}

fn is_over(refusal: &Refusal) -> bool {
    let over = ["PHONE_CODE_EXPIRED", "PHONE_CODE_HASH_EMPTY", "SEND_CODE_UNAVAILABLE", "AUTH_RESTART"];
    refusal.is_any(&over) || refusal.is_signed_out()
}

/// How a code was sent, and where to; `None` for what a person cannot answer here.
fn way(kind: enums::auth::SentCodeType) -> Option<(Way, String)> {
    use enums::auth::SentCodeType as Kind;
    Some(match kind {
        Kind::App(_) => (Way::App, String::new()),
        // What an app on the phone would be told besides does no harm here: the message comes all the same, or is sent again.
        Kind::Sms(_) | Kind::FirebaseSms(_) => (Way::Sms, String::new()),
        Kind::SmsWord(_) | Kind::SmsPhrase(_) => (Way::Words, String::new()),
        Kind::Call(_) => (Way::Call, String::new()),
        Kind::MissedCall(call) => (Way::Missed, call.prefix),
        Kind::EmailCode(mail) => (Way::Email, mail.email_pattern),
        Kind::FragmentSms(_) => (Way::Fragment, String::new()),
        // The number of the caller would have to be read off by an app.
        Kind::FlashCall(_) => return None,
        // An address would have to be confirmed first, in Telegram's own app.
        Kind::SetUpEmailRequired(_) => return None,
    })
}

/// A code as Telegram wants it; `None` for what cannot be one.
fn code(way: Way, typed: &str) -> Option<String> {
    if way == Way::Words {
        return Some(typed.trim().to_owned()).filter(|typed| (1..=200).contains(&typed.len()));
    }
    let digits: Option<String> = typed.chars().filter(|c| !is_ornament(*c)).map(digit).collect();
    digits.filter(|digits| (1..=16).contains(&digits.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_understood_however_it_is_written() {
        for typed in [
            "+49 151 234-567.89",
            "0049 (151) 23456789",
            " +4915123456789 ",
            "+٤٩١٥١٢٣٤٥٦٧٨٩",
            "＋４９１５１２３４５６７８９",
        ] {
            assert_eq!(number(typed).as_deref(), Ok("+4915123456789"), "{typed}");
        }
        assert_eq!(number("\u{202a}+1 (555) 010‑0199\u{202c}").as_deref(), Ok("+15550100199"));
        for (typed, bad) in [
            ("", BadNumber::Missing),
            ("+", BadNumber::Missing),
            ("0151 23456789", BadNumber::Country),
            ("4915123456789", BadNumber::Country),
            ("+49", BadNumber::Invalid),
            ("+0151234567", BadNumber::Invalid),
            ("+1234567890123456", BadNumber::Invalid),
            ("+49x1512345678", BadNumber::Invalid),
            ("+49+1512345678", BadNumber::Invalid),
            ("ada@example.org", BadNumber::Invalid),
        ] {
            assert_eq!(number(typed), Err(bad), "{typed}");
        }
    }

    #[test]
    fn a_code_is_digits_unless_it_is_words() {
        assert_eq!(code(Way::App, " 12-345 ").as_deref(), Some("12345"));
        assert_eq!(code(Way::Sms, "١٢٣٤٥").as_deref(), Some("12345"));
        assert_eq!(code(Way::Sms, "abc"), None);
        assert_eq!(code(Way::Words, " red fox ").as_deref(), Some("red fox"));
        assert_eq!((code(Way::App, ""), code(Way::Words, " ")), (None, None));
    }

    #[test]
    fn every_way_of_sending_is_said_or_refused() {
        use enums::auth::SentCodeType as Kind;
        let mail = types::auth::SentCodeTypeEmailCode {
            apple_signin_allowed: false,
            google_signin_allowed: false,
            email_pattern: "a***@e***.org".to_owned(),
            length: 6,
            reset_available_period: None,
            reset_pending_date: None,
        };
        assert_eq!(way(mail.into()), Some((Way::Email, "a***@e***.org".to_owned())));
        assert_eq!(way(types::auth::SentCodeTypeCall { length: 5 }.into()), Some((Way::Call, String::new())));
        let flash = types::auth::SentCodeTypeFlashCall { pattern: "*".to_owned() };
        assert_eq!(way(Kind::FlashCall(flash)), None);
    }
}
