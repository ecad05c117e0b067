//! The contract between the engine and the providers: state in, step out, nothing kept in memory between
//! calls. It knows nobody who implements it; the catalogue of those that exist is handed in by `main`.

mod allowance;
mod conversation;
mod grant;
mod import;
mod provider;
mod returns;
mod step;

pub use allowance::{Allowance, Denied};
pub use conversation::{Code, Conversation, Heard};
pub use grant::{
    Alert, Checked, Credentials, End, Finding, NotTaken, Outlook, Renewed, SecurityEvent, Weight,
};
pub use import::{Brought, Imported, Unfit};
pub use provider::{
    About, Actor, Begin, Catalogue, Connected, Context, Detects, Failure, Group, Method, Next, Profile,
    Provider, State, Target, Trouble,
};
pub use returns::{Returns, approval_callback, callback};
pub use step::{
    Action, Alternative, Answer, Choice, Fact, Field, FieldKind, Help, Notice, Step, StepKind, Text, Tone,
    Tried,
};
