//! The store's whole error.

/// What can go wrong with rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such row.
    #[error("there is no such row")]
    NotFound,
    /// Somebody else was quicker: a version moved, or a value that must be unique exists.
    #[error("somebody else was quicker")]
    Conflict,
    /// The database did not do its part. `retry` says that the same transaction may succeed if run again.
    #[error("the database is not available: {what}")]
    Unavailable {
        /// The driver's words.
        what: String,
        /// Serialisation failure or deadlock.
        retry: bool,
    },
    /// A row holds what it must not.
    #[error("table {table} holds a row that cannot be read: {what}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong with it; never the value.
        what: String,
    },
}

impl Error {
    pub(super) fn corrupt(table: &'static str, what: impl ToString) -> Self {
        Self::Corrupt { table, what: what.to_string() }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => Self::Conflict,
            sqlx::Error::Database(database) => {
                let code = database.code();
                // PostgreSQL's serialisation failure and deadlock.
                let retry = matches!(code.as_deref(), Some("40001" | "40P01"));
                Self::Unavailable { what: error.to_string(), retry }
            }
            _ => Self::Unavailable { what: error.to_string(), retry: false },
        }
    }
}

/// What store functions give.
pub type Result<T> = std::result::Result<T, Error>;
