//! Reading a row from left to right, in the order the statement names its columns.

use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::error::{Error, Result};
use crate::kernel::clock::Millis;

pub(super) struct Columns<'r> {
    row: &'r AnyRow,
    table: &'static str,
    at: usize,
}

impl<'r> Columns<'r> {
    pub(super) fn of(table: &'static str, row: &'r AnyRow) -> Self {
        Self { row, table, at: 0 }
    }

    fn next<T>(&mut self) -> Result<T>
    where
        T: sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
    {
        let at = self.at;
        self.at += 1;
        self.row.try_get(at).map_err(|error| Error::corrupt(self.table, error))
    }

    pub(super) fn text(&mut self) -> Result<String> {
        self.next()
    }

    pub(super) fn maybe_text(&mut self) -> Result<Option<String>> {
        self.next()
    }

    pub(super) fn int(&mut self) -> Result<i64> {
        self.next()
    }

    pub(super) fn maybe_int(&mut self) -> Result<Option<i64>> {
        self.next()
    }

    pub(super) fn time(&mut self) -> Result<Millis> {
        self.next().map(Millis)
    }

    pub(super) fn maybe_time(&mut self) -> Result<Option<Millis>> {
        self.next::<Option<i64>>().map(|at| at.map(Millis))
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>> {
        self.next()
    }

    pub(super) fn maybe_bytes(&mut self) -> Result<Option<Vec<u8>>> {
        self.next()
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let text = self.text()?;
        serde_json::from_str(&text).map_err(|error| Error::corrupt(self.table, error))
    }

    /// A fixed word or an id.
    pub(super) fn word<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        let text = self.text()?;
        read(&text).ok_or_else(|| Error::corrupt(self.table, format!("unknown word in column {}", self.at)))
    }

    pub(super) fn maybe_word<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
        match self.maybe_text()? {
            None => Ok(None),
            Some(text) => match read(&text) {
                Some(value) => Ok(Some(value)),
                None => Err(Error::corrupt(self.table, format!("unknown word in column {}", self.at))),
            },
        }
    }
}
