//! The few words in which the two databases differ. Everything else is one SQL text for both.

use std::path::Path;

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Embedded, one node.
    Sqlite,
    /// Several nodes.
    Postgres,
}

impl Kind {
    /// Reads it off a database URL.
    pub fn of(url: &str) -> Option<Self> {
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }

    pub(super) fn begin(self) -> &'static str {
        match self {
            // A deferred transaction that reads and then writes fails as soon as somebody else wrote.
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    pub(super) fn commit(self) -> &'static str {
        match self {
            Self::Sqlite => "COMMIT",
            // PostgreSQL answers the COMMIT of a transaction with a failed statement with a silent rollback. A
            // statement in front of it, in the same message, fails instead.
            Self::Postgres => "SELECT 1; COMMIT",
        }
    }

    /// What a claiming SELECT ends with, so that nodes pass over each other's rows.
    pub(super) fn skip_locked(self, statement: &'static str) -> sqlx::AssertSqlSafe<String> {
        sqlx::AssertSqlSafe(match self {
            Self::Sqlite => statement.to_owned(),
            Self::Postgres => format!("{statement} FOR UPDATE SKIP LOCKED"),
        })
    }

    /// What a SELECT ends with that keeps others from writing its rows, though not from reading them so; `None` where there
    /// is one writer anyway.
    pub(super) fn shared(self, statement: &'static str) -> Option<sqlx::AssertSqlSafe<String>> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(sqlx::AssertSqlSafe(format!("{statement} FOR SHARE"))),
        }
    }

    /// What every connection says first.
    pub(super) fn greeting(self) -> &'static str {
        match self {
            // FULL: a commit that was answered survives a power cut. Statements wait rather than fail while
            // another process (the command line) holds the file.
            Self::Sqlite => {
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000; \
                 PRAGMA foreign_keys = OFF; PRAGMA cache_size = -2000; PRAGMA journal_size_limit = 16777216"
            }
            Self::Postgres => "SELECT 1",
        }
    }

    /// The database's own clock in UTC milliseconds: only ever compared with ours, never stored.
    pub(super) fn clock(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"),
        }
    }
}

/// The URL of a SQLite file, made when absent.
pub fn sqlite_url(file: &Path) -> String {
    // The driver reads the path percent-decoded and takes the query off at the first question mark.
    let path = file.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{path}?mode=rwc")
}
