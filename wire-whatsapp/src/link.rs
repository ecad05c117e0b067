//! A linking as its caller sees it: [`Linking::start`], then [`Linking::next`] until it says how it ended. The work is done in
//! a task of its own (`link::run`), so a caller that waits for people loses no time; dropping the [`Linking`] ends it.

mod answers;
mod code_way;
mod passkey_way;
mod qr_way;
mod run;

use crate::channel::Connector;
use crate::error::Error;
use crate::passkey::Assertion;
use crate::session::Session;
use crate::settings::Settings;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

/// Events that may wait for a caller that is busy.
const WAITING: usize = 16;

/// What happened. No `Debug` of it shows a secret.
#[derive(Clone)]
pub enum Event {
    /// Show this QR code until it ends or another event comes. It replaces the one before, which may be dead already.
    Qr {
        /// What the code says. Whoever reads it can link in the person's stead: neither log it nor put it in an address.
        text: Zeroizing<String>,
        /// How long it lives.
        ends_in: Duration,
        /// How many more will follow by themselves.
        left: usize,
    },
    /// Show this code to be typed on the phone; in two groups of four.
    Code {
        /// Eight characters.
        text: Zeroizing<String>,
        /// How long it can be typed in.
        ends_in: Duration,
    },
    /// The code was typed, and the phone is finishing; or trying to, if it was mistyped.
    CodeTyped,
    /// There is no code any more: another may be asked for. QR codes go on if they have not ended.
    CodeEnded(CodeEnd),
    /// The account is behind the passkey gate: hand [`Linking::answer_passkey`] what
    /// `navigator.credentials.get` makes of this on WhatsApp's own site.
    Passkey {
        /// `PublicKeyCredentialRequestOptions` as JSON.
        request: String,
        /// How long there is.
        ends_in: Duration,
    },
    /// The assertion did for the service: show these characters beside the phone's, and have them compared before
    /// [`Linking::confirm_passkey`].
    PasskeyCode {
        /// Eight characters.
        text: String,
    },
    /// The assertion would not do: its code, by the conventions of HTTP. Another may be handed in.
    PasskeyRefused {
        /// 400 where the assertion is for another site or another account.
        code: u16,
    },
    /// The phone said yes. Store the session now: until [`Event::Linked`] the phone shows a device that waits, and
    /// [`crate::complete`] can go on from here in another process.
    Paired(Box<Session>),
    /// Linked and ready for whoever goes on with it; store this session in the other one's place. It is the last event but
    /// [`Event::Ended`].
    Linked(Box<Session>),
    /// Nothing follows.
    Ended(End),
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Qr { ends_in, left, .. } => {
                return f
                    .debug_struct("Qr")
                    .field("ends_in", ends_in)
                    .field("left", left)
                    .finish_non_exhaustive();
            }
            Self::CodeEnded(end) => return f.debug_tuple("CodeEnded").field(end).finish(),
            Self::PasskeyRefused { code } => {
                return f.debug_struct("PasskeyRefused").field("code", code).finish();
            }
            Self::Ended(end) => return f.debug_tuple("Ended").field(end).finish(),
            Self::Code { .. } => "Code",
            Self::CodeTyped => "CodeTyped",
            Self::Passkey { .. } => "Passkey",
            Self::PasskeyCode { .. } => "PasskeyCode",
            Self::Paired(_) => "Paired",
            Self::Linked(_) => "Linked",
        };
        f.write_str(name)
    }
}

/// Why a pairing code is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeEnd {
    /// Nobody typed it in time.
    Expired,
    /// It was typed, and nothing came of it: most likely not as shown.
    Mistyped,
    /// The service wants another one to be shown.
    Withdrawn,
    /// The service asks for patience with this phone number.
    Throttled,
    /// The service gives none for this phone number or this client; its code, by the conventions of HTTP. 400 may ask for
    /// patience, too.
    Refused(u16),
}

/// How a linking ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// After [`Event::Linked`].
    Linked,
    /// Nobody scanned or typed; start anew for new codes.
    Expired,
    /// Something went wrong.
    Failed(Error),
}

enum Command {
    Code(String, oneshot::Sender<Result<(), Error>>),
    Passkey(Assertion, oneshot::Sender<Result<(), Error>>),
    Confirm(oneshot::Sender<Result<(), Error>>),
}

/// A linking under way.
#[derive(Debug)]
pub struct Linking {
    commands: mpsc::Sender<Command>,
    /// Boxed, as a channel sets aside room for many of what goes through it.
    events: mpsc::Receiver<Box<Event>>,
    task: JoinHandle<()>,
}

impl Linking {
    /// Connects, and goes on by itself. Must be called in a tokio runtime.
    pub fn start(settings: Arc<Settings>, connector: Arc<dyn Connector>) -> Self {
        let (commands, received) = mpsc::channel(4);
        let (told, events) = mpsc::channel(WAITING);
        let task = tokio::spawn(run::run(settings, connector, received, told));
        Self { commands, events, task }
    }

    /// What happens next; none after [`Event::Ended`]. Giving the call up loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await.map(|event| *event)
    }

    /// Asks for a code to be typed on the phone with this number; [`Event::Code`] or [`Event::CodeEnded`] follows. QR codes
    /// go on beside it.
    ///
    /// # Errors
    /// [`Error::Input`] for what is no phone number, and while another code can still be typed;
    /// [`Error::Closed`] when the linking has ended.
    pub async fn request_code(&self, phone: &str) -> Result<(), Error> {
        self.command(|reply| Command::Code(phone.to_owned(), reply)).await
    }

    /// Hands in what was asked for by [`Event::Passkey`]; [`Event::PasskeyCode`] or [`Event::PasskeyRefused`] follows.
    ///
    /// # Errors
    /// [`Error::Input`] when nothing was asked, or one is on its way already; [`Error::Closed`] when the linking has ended.
    pub async fn answer_passkey(&self, assertion: Assertion) -> Result<(), Error> {
        self.command(|reply| Command::Passkey(assertion, reply)).await
    }

    /// Says that both sides show the same characters.
    ///
    /// # Errors
    /// [`Error::Input`] before there are any; [`Error::Closed`] when the linking has ended.
    pub async fn confirm_passkey(&self) -> Result<(), Error> {
        self.command(Command::Confirm).await
    }

    async fn command(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<(), Error>>) -> Command,
    ) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

impl Drop for Linking {
    fn drop(&mut self) {
        self.task.abort();
    }
}
