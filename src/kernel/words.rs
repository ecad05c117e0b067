//! The product's words as types. One word per thing, the same in code, tables, replies and pages.

use serde::{Deserialize, Serialize};

/// Makes an enum that is stored and spoken as a fixed word.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every value there is.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word it is stored and spoken as.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads the stored word back.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}

words! {
    /// Which public API made a session; its events are told in the same words.
    Dialect {
        /// `/v1` and `/api/v1`.
        Postpress = "postpress",
        /// `/auth`, `/providers`, `/accounts`, `/webhooks`.
        Riposte = "riposte",
    }

    /// What a session is for.
    Purpose {
        /// Connect something new.
        Create = "create",
        /// Repair one account in place.
        Reconnect = "reconnect",
    }

    /// Where a session stands. Expiry is not stored: an open session past its time is expired.
    SessionState {
        /// May still be used.
        Open = "open",
        /// Its person has signed in, and its backend has still to redeem the code that proves who they are; spent.
        Finishing = "finishing",
        /// Made or repaired its account; spent.
        Connected = "connected",
        /// The person gave up.
        Cancelled = "cancelled",
        /// Ended without an account, in a way nobody can retry.
        Failed = "failed",
        /// Its time ran out, and that has been reported.
        Expired = "expired",
        /// The backend took the link back.
        Revoked = "revoked",
    }

    /// Where an attempt stands.
    AttemptState {
        /// Shows a step.
        Live = "live",
        /// Made or repaired the session's account.
        Connected = "connected",
        /// Given up for another attempt, another browser, or at the session's end.
        Ended = "ended",
    }

    /// How an account is, in the postpress vocabulary.
    Status {
        /// Being set up.
        Connecting = "CONNECTING",
        /// Working.
        Ok = "OK",
        /// The person must sign in again.
        Credentials = "CREDENTIALS",
        /// Something the person or an administrator must allow is missing.
        Permissions = "PERMISSIONS",
        /// Not working for a reason of its own; see the cause.
        Error = "ERROR",
        /// Switched off.
        Stopped = "STOPPED",
    }

    /// What somebody has to do for an account to work again.
    UserAction {
        /// The person signs in again, by a reconnect link.
        Reconnect = "reconnect",
        /// The person changes a setting at their provider.
        Allow = "allow_access",
        /// Whoever administers the person's account has to allow it.
        AskAdmin = "ask_admin",
        /// Whoever runs this server has to mend its settings.
        Operator = "mend_settings",
        /// Nothing; it is tried again.
        Wait = "wait",
    }

    /// Who may be online with a session that only one may be online with.
    Owner {
        /// This server, to look whether it still works.
        Vestibule = "vestibule",
        /// A backend that read it.
        Consumer = "consumer",
    }

    /// What happened.
    EventKind {
        /// A browser claimed the session.
        SessionOpened = "session.opened",
        /// Another browser took the session over.
        SessionTakenOver = "session.taken_over",
        /// A step was refused (wrong password, server out of reach …).
        StepFailed = "session.step_failed",
        /// The person has signed in; the account waits until the backend redeems the session's code.
        SessionFinishing = "session.finishing",
        /// The session connected its account.
        SessionCompleted = "session.completed",
        /// The person gave up.
        SessionCancelled = "session.cancelled",
        /// The backend took the link back.
        SessionRevoked = "session.revoked",
        /// The session's time ran out.
        SessionExpired = "session.expired",
        /// The session ended without an account.
        SessionFailed = "session.failed",
        /// An account was connected.
        AccountConnected = "account.connected",
        /// An account was repaired in place.
        AccountReconnected = "account.reconnected",
        /// An account's status is another one than `OK`; its cause says why.
        AccountBroken = "account.broken",
        /// An account works again, without a person.
        AccountHealed = "account.healed",
        /// An account's end is known and near.
        AccountEnding = "account.ending",
        /// An account was deleted.
        AccountDeleted = "account.deleted",
        /// An endpoint was tried out.
        WebhookTest = "webhook.test",
    }

    /// Where an endpoint stands.
    EndpointState {
        /// It is told.
        Enabled = "enabled",
        /// Its owner switched it off.
        Disabled = "disabled",
        /// It answered that it is gone, and is not called any more.
        Gone = "gone",
    }

    /// Where a grant stands that is no longer needed.
    ReleaseState {
        /// Waits to be ended at its provider.
        Due = "due",
        /// May be being ended at this moment.
        Ending = "ending",
        /// Was ended a moment ago: what its person granted before that is gone, too.
        Ended = "ended",
    }

    /// What a line of the audit log is about.
    AuditAction {
        /// Credentials of an account were asked for.
        CredentialsRead = "credentials.read",
        /// An account was brought here from elsewhere.
        AccountImport = "account.import",
        /// A session that was handed out came back, or was said to be dead.
        SessionBack = "session.back",
    }

    /// What came of it.
    AuditOutcome {
        /// It was done; for credentials, they were handed out.
        Done = "done",
        /// The account had nothing to hand out.
        Withheld = "withheld",
        /// The caller may not do it, or asked for what there is not.
        Refused = "refused",
        /// There was no answer to be had.
        Failed = "failed",
    }

    /// Where a delivery stands.
    DeliveryState {
        /// Waits for its turn or its next try.
        Due = "due",
        /// The endpoint took it.
        Done = "done",
        /// Given up after the last try.
        Dead = "dead",
    }
}
