//! The conversation where mail is read: TLS, sign in once, say who we are, open the inbox read-only, leave.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Duration, Instant, timeout};
use zeroize::Zeroizing;

use crate::kernel::egress::{Egress, TlsStream};
use crate::kernel::secret::Secret;

use super::super::refusal::{self, Code, Refusal};
use super::super::servers::Server;
use super::line::Lines;
use super::response::{self, Response, Status, Word};
use super::secured;

/// Some large providers refuse mailboxes to programs that do not say their name.
const IDENTITY: &str = concat!("ID (\"name\" \"Vestibule\" \"version\" \"", env!("CARGO_PKG_VERSION"), "\")");

/// Goes through the whole conversation. `connect` is when the connection must stand.
pub async fn talk(
    egress: &Egress,
    server: &Server,
    password: &Secret,
    connect: Instant,
) -> Result<(), Refusal> {
    let mut talk = open(egress, server, connect).await?;
    // What was said in clear does not count: an attacker may have said it.
    talk.learn_abilities().await?;
    talk.sign_in(&server.login, password).await?;
    talk.prove().await
}

/// Connects and has the server say what it can, over TLS; signs in nowhere.
pub async fn reach(egress: &Egress, server: &Server, connect: Instant) -> Result<(), Refusal> {
    let mut talk = open(egress, server, connect).await?;
    talk.learn_abilities().await
}

async fn open(egress: &Egress, server: &Server, connect: Instant) -> Result<Talk<TlsStream>, Refusal> {
    let (stream, greets) = secured(egress, server, connect, prelude).await?;
    let mut talk = Talk::new(stream);
    if greets {
        talk.greeting().await?;
    }
    Ok(talk)
}

/// The part in clear: nothing but the question for TLS.
async fn prelude(stream: TcpStream) -> Result<TcpStream, Refusal> {
    let mut talk = Talk::new(stream);
    talk.greeting().await?;
    talk.learn_abilities().await?;
    if !talk.able("STARTTLS") {
        return Err(Code::TlsNotOffered.into());
    }
    let answer = talk.command("STARTTLS").await?;
    if answer.word != Word::Ok {
        return Err(Code::TlsNotOffered.into());
    }
    Ok(talk.lines.into_stream()?)
}

struct Talk<S> {
    lines: Lines<S>,
    tags: u32,
    abilities: Vec<String>,
    /// An untagged hint before a refusal: the provider wants the person in a browser.
    web_login: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    fn new(stream: S) -> Self {
        Self { lines: Lines::new(stream), tags: 0, abilities: Vec::new(), web_login: false }
    }

    fn able(&self, ability: &str) -> bool {
        self.abilities.iter().any(|known| known == ability)
    }

    async fn greeting(&mut self) -> Result<(), Refusal> {
        match response::next(&mut self.lines).await? {
            Response::Status(Status { tag: None, word: Word::Ok, .. }) => Ok(()),
            Response::Status(Status { tag: None, word: Word::Bye, code, text, .. }) => {
                Err(refusal::imap(code.as_deref(), &text, Code::ProviderUnavailable))
            }
            // PREAUTH among them: whoever is signed in there, it is not by this password.
            _ => Err(Code::ProtocolError.into()),
        }
    }

    async fn learn_abilities(&mut self) -> Result<(), Refusal> {
        self.abilities.clear();
        let answer = self.command("CAPABILITY").await?;
        match answer.word {
            Word::Ok if !self.abilities.is_empty() => Ok(()),
            _ => Err(refusal::imap(answer.code.as_deref(), &answer.text, Code::ProtocolError)),
        }
    }

    async fn command(&mut self, command: &str) -> Result<Status, Refusal> {
        let tag = self.send(command).await?;
        loop {
            if let Some(status) = self.heard(&tag).await? {
                return Ok(status);
            }
        }
    }

    async fn send(&mut self, command: &str) -> Result<String, Refusal> {
        self.tags += 1;
        let tag = format!("V{}", self.tags);
        let line = Zeroizing::new(format!("{tag} {command}\r\n"));
        self.lines.say(line.as_bytes()).await?;
        Ok(tag)
    }

    /// One response; the status that ends the command when it is that, and `None` for anything on the way.
    /// A continuation ends it too, without a tag.
    async fn heard(&mut self, tag: &str) -> Result<Option<Status>, Refusal> {
        match response::next(&mut self.lines).await? {
            Response::Continue => {
                let (argument, text) = (String::new(), String::new());
                Ok(Some(Status { tag: None, word: Word::Ok, code: None, argument, text }))
            }
            Response::Capability(abilities) => {
                self.abilities = abilities;
                Ok(None)
            }
            Response::Other => Ok(None),
            Response::Status(status) => match &status.tag {
                Some(answered) if answered == tag => Ok(Some(self.noted(status))),
                Some(_) => Err(Code::ProtocolError.into()),
                None if status.word == Word::Bye => self.parting(tag, status).await.map(Some),
                None => {
                    self.noted(status);
                    Ok(None)
                }
            },
        }
    }

    /// A server that hangs up may still give the command's real answer behind its `BYE`, or before the line
    /// goes dead.
    async fn parting(&mut self, tag: &str, bye: Status) -> Result<Status, Refusal> {
        let brief = timeout(Duration::from_secs(2), response::next(&mut self.lines)).await;
        if let Ok(Ok(Response::Status(status))) = brief
            && status.tag.as_deref() == Some(tag)
        {
            return Ok(status);
        }
        Err(refusal::imap(bye.code.as_deref(), &bye.text, Code::ProviderUnavailable))
    }

    fn noted(&mut self, status: Status) -> Status {
        if status.code.as_deref() == Some("CAPABILITY") {
            self.abilities = response::capabilities(&status.argument);
        }
        self.web_login |= status.code.as_deref() == Some("WEBALERT");
        status
    }

    fn refused(&self, answer: &Status, otherwise: Code) -> Refusal {
        if self.web_login {
            return Code::WebLoginRequired.into();
        }
        refusal::imap(answer.code.as_deref(), &answer.text, otherwise)
    }
}

impl Talk<TlsStream> {
    /// Tries the password once. Twice over the wire only where the server did not understand the first form
    /// and so cannot have judged it.
    async fn sign_in(&mut self, login: &str, password: &Secret) -> Result<(), Refusal> {
        if self.able("AUTH=PLAIN") {
            let short = self.able("SASL-IR");
            let mut answer = self.plain(login, password, short).await?;
            if short && answer.word == Word::Bad {
                // Coremail advertises the short form and rejects it as bad syntax.
                answer = self.plain(login, password, false).await?;
            }
            return self.judged(&answer);
        }
        let disabled = self.able("LOGINDISABLED");
        if !disabled && let (Some(login), Some(password)) = (quoted(login), quoted(password.reveal())) {
            let command = Zeroizing::new(format!("LOGIN {} {}", *login, *password));
            let answer = self.command(&command).await?;
            // A continuation here is no answer to anything.
            if answer.tag.is_none() {
                return Err(Code::ProtocolError.into());
            }
            return self.judged(&answer);
        }
        if self.able("AUTH=LOGIN") {
            return self.dialogue(login, password).await;
        }
        let token = |ability: &String| ability == "AUTH=XOAUTH2" || ability == "AUTH=OAUTHBEARER";
        Err(Refusal::from(match disabled {
            false => Code::PasswordCharacters,
            true if self.abilities.iter().any(token) => Code::OauthRequired,
            true => Code::LoginNotOffered,
        }))
    }

    /// The old two-question form, which some servers offer beside or instead of the command of that name.
    async fn dialogue(&mut self, login: &str, password: &Secret) -> Result<(), Refusal> {
        let tag = self.send("AUTHENTICATE LOGIN").await?;
        let mut answers = [login, password.reveal()].into_iter();
        loop {
            match self.heard(&tag).await? {
                None => {}
                Some(status) if status.tag.is_some() => return self.judged(&status),
                Some(_) => {
                    let answer = answers.next().ok_or(Code::ProtocolError)?;
                    let answer = Zeroizing::new(STANDARD.encode(answer));
                    let line = Zeroizing::new(format!("{}\r\n", *answer));
                    self.lines.say(line.as_bytes()).await?;
                }
            }
        }
    }

    async fn plain(&mut self, login: &str, password: &Secret, short: bool) -> Result<Status, Refusal> {
        let sasl = Zeroizing::new(format!("\0{login}\0{}", password.reveal()));
        let sasl = Zeroizing::new(STANDARD.encode(sasl.as_bytes()));
        let command = Zeroizing::new(match short {
            true => format!("AUTHENTICATE PLAIN {}", *sasl),
            false => "AUTHENTICATE PLAIN".to_owned(),
        });
        let tag = self.send(&command).await?;
        let mut asked = false;
        loop {
            match self.heard(&tag).await? {
                None => {}
                Some(status) if status.tag.is_some() => return Ok(status),
                // Asked although the short form gave it: a server that does not know that form.
                Some(_) if !asked => {
                    asked = true;
                    let line = Zeroizing::new(format!("{}\r\n", *sasl));
                    self.lines.say(line.as_bytes()).await?;
                }
                Some(_) => return Err(Code::ProtocolError.into()),
            }
        }
    }

    fn judged(&self, answer: &Status) -> Result<(), Refusal> {
        match answer.word {
            Word::Ok => Ok(()),
            Word::No => Err(self.refused(answer, Code::CredentialsInvalid)),
            Word::Bad | Word::Bye | Word::Preauth => Err(self.refused(answer, Code::ProtocolError)),
        }
    }

    /// That the password is right is not enough: the mailbox must open.
    async fn prove(&mut self) -> Result<(), Refusal> {
        let said = self.able("ID");
        if said {
            self.command(IDENTITY).await?;
        }
        let mut answer = self.command("EXAMINE INBOX").await?;
        // NetEase's words to a program that has not said its name, which it may want without asking for it.
        if !said && answer.word == Word::No && answer.text.to_lowercase().contains("unsafe login") {
            self.command(IDENTITY).await?;
            answer = self.command("EXAMINE INBOX").await?;
        }
        if answer.word != Word::Ok || answer.tag.is_none() {
            return Err(self.refused(&answer, Code::MailboxUnavailable));
        }
        // Manners; nothing depends on it any more.
        let _ = timeout(Duration::from_secs(1), self.command("LOGOUT")).await;
        Ok(())
    }
}

/// A quoted string; `None` when the text has characters that none can hold.
fn quoted(text: &str) -> Option<Zeroizing<String>> {
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return None;
    }
    // Room for every character escaped: growing would leave copies behind that nobody wipes.
    let mut quoted = Zeroizing::new(String::with_capacity(2 * text.len() + 2));
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    Some(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_strings_escape_what_would_end_them_and_refuse_what_they_cannot_hold() {
        assert_eq!(quoted(r#"a "b" \c"#).unwrap().as_str(), r#""a \"b\" \\c""#);
        for odd in ["naïve", "a\r\nLOGOUT", "a\0b", "a\tb"] {
            assert!(quoted(odd).is_none());
        }
    }
}
