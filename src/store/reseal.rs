//! Sealing again: every column that holds sealed bytes, how many rows each key seals, and bringing rows under another
//! key while others read and write them.
//!
//! A row keeps its version when it is sealed again, since nothing about it changes: a person's answer under way must
//! not fail over it. What is exchanged is compared byte for byte, so whoever wrote in between wins.

use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;

use super::columns::Columns;
use super::error::Result;
use super::{Db, Store, Tx};
use crate::kernel::seal::{self, KeyRing};

/// A column with sealed bytes, and what its rows are sealed for.
#[derive(Debug, PartialEq, Eq)]
pub struct SealedColumn {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The column with the id that the bytes are bound to.
    id: &'static str,
    /// The version that they are bound to: a column, or a number where they never change.
    version: &'static str,
    /// Which rows; those left out are sealed under a key of their own.
    rows: &'static str,
}

const fn column(
    table: &'static str,
    column: &'static str,
    id: &'static str,
    version: &'static str,
) -> SealedColumn {
    SealedColumn { table, column, id, version, rows: "1 = 1" }
}

/// Every column with sealed bytes. A test holds the list against the migrations.
pub const SEALED: &[SealedColumn] = &[
    SealedColumn {
        rows: "SUBSTR(id, 1, 7) <> 'canary:'",
        ..column("sealed_values", "value", "id", "CAST(1 AS BIGINT)")
    },
    column("accounts", "secret", "id", "version"),
    column("accounts", "details", "id", "version"),
    column("sessions", "request", "id", "CAST(1 AS BIGINT)"),
    column("attempts", "shown", "id", "shown_version"),
    column("attempts", "code", "id", "code_version"),
    column("endpoints", "target", "id", "version"),
    column("events", "details", "id", "CAST(1 AS BIGINT)"),
    column("deliveries", "body", "id", "CAST(1 AS BIGINT)"),
    column("delivery_tries", "answer", "delivery_id", "number"),
    column("idempotent_calls", "reply", "id", "version"),
    column("returns", "parked", "id", "CAST(1 AS BIGINT)"),
    column("releases", "secret", "id", "CAST(1 AS BIGINT)"),
    column("finishes", "details", "session_id", "CAST(1 AS BIGINT)"),
    column("finishes", "secret", "session_id", "CAST(1 AS BIGINT)"),
];

/// How far a walk through a column has come: id and version of the last row seen.
pub type Reached = (String, i64);

/// A column's rows by the key that seals them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Rows with sealed bytes.
    pub all: i64,
    /// Those sealed under each of the keys asked for, in their order.
    pub by_key: Vec<i64>,
}

/// What one step of a walk came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Rows that are sealed under the key now and were not before.
    pub resealed: u64,
    /// Rows that were written by somebody else in between, with the key that seals there.
    pub overtaken: u64,
    /// Rows that could not be opened, and were left as they are.
    pub unreadable: u64,
    /// Where to go on; `None` at the column's end.
    pub next: Option<Reached>,
}

/// One row's exchange.
struct Exchange {
    id: String,
    version: i64,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Db {
    /// How many rows of a column each of these keys seals.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn count_sealed(&mut self, sealed: &SealedColumn, keys: &[String]) -> Result<Counted> {
        let SealedColumn { table, column, rows, .. } = sealed;
        // One statement, so that all numbers are of one moment.
        let mut sql = "SELECT COUNT(*)".to_owned();
        for at in 0..keys.len() {
            let (length, mark) = (2 * at + 1, 2 * at + 2);
            sql.push_str(&format!(
                ", CAST(COALESCE(SUM(CASE WHEN SUBSTR({column}, 1, CAST(${length} AS INTEGER)) = ${mark} \
                 THEN 1 ELSE 0 END), 0) AS BIGINT)"
            ));
        }
        sql.push_str(&format!(" FROM {table} WHERE {rows} AND {column} IS NOT NULL"));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for key in keys {
            let mark = KeyRing::mark_of(key);
            query = query.bind(mark.len() as i64).bind(mark);
        }
        let row = query.fetch_one(self.conn()).await?;
        let mut columns = Columns::of(sealed.table, &row);
        let all = columns.int()?;
        Ok(Counted { all, by_key: keys.iter().map(|_| columns.int()).collect::<Result<_>>()? })
    }

    /// The next rows of a column that another key than this one seals: id, version, bytes.
    async fn sealed_otherwise(
        &mut self,
        sealed: &SealedColumn,
        key: &str,
        after: &Reached,
        limit: i64,
    ) -> Result<Vec<(String, i64, Vec<u8>)>> {
        let SealedColumn { table, column, id, version, rows } = sealed;
        let mark = KeyRing::mark_of(key);
        let next = format!(
            "SELECT {id}, {version}, {column} FROM {table} WHERE {rows} AND ({id} > $1 OR ({id} = $1 AND {version} > $2)) \
             AND {column} IS NOT NULL AND SUBSTR({column}, 1, CAST($3 AS INTEGER)) <> $4 \
             ORDER BY {id}, {version} LIMIT $5"
        );
        let rows = sqlx::query(AssertSqlSafe(next))
            .bind(after.0.as_str())
            .bind(after.1)
            .bind(mark.len() as i64)
            .bind(mark)
            .bind(limit)
            .fetch_all(self.conn())
            .await?;
        let lift = |row: &AnyRow| {
            let mut columns = Columns::of(sealed.table, row);
            Ok((columns.text()?, columns.int()?, columns.bytes()?))
        };
        rows.iter().map(lift).collect()
    }
}

impl Tx {
    async fn exchange(&mut self, sealed: &SealedColumn, exchange: &Exchange) -> Result<bool> {
        let SealedColumn { table, column, id, version, .. } = sealed;
        let sql =
            format!("UPDATE {table} SET {column} = $1 WHERE {id} = $2 AND {version} = $3 AND {column} = $4");
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(exchange.new.clone())
            .bind(exchange.id.as_str())
            .bind(exchange.version)
            .bind(exchange.old.clone())
            .execute(self.conn())
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

impl Store {
    /// Seals the next rows of a column, at most `limit`, again under the key of this name. Only what must be is done
    /// inside the transaction, so that others wait as short as possible.
    ///
    /// # Errors
    /// `Unavailable`; `NotFound` when the ring lacks the key.
    pub async fn reseal(
        &self,
        sealed: &'static SealedColumn,
        key: &str,
        after: &Reached,
        limit: i64,
    ) -> Result<Resealed> {
        let ring = self.shared.ring().sealing_under(key).ok_or(super::Error::NotFound)?;
        let rows = self.read().await?.sealed_otherwise(sealed, key, after, limit).await?;
        let mut step = Resealed::default();
        if let Some((id, version, _)) = rows.last().filter(|_| rows.len() as i64 == limit) {
            step.next = Some((id.clone(), *version));
        }
        let mut exchanges = Vec::with_capacity(rows.len());
        for (id, version, old) in rows {
            let place = seal::Place { table: sealed.table, column: sealed.column, id: &id, version };
            match ring.open(place, &old) {
                Ok(plain) => {
                    let new = ring.seal(place, &plain);
                    exchanges.push(Exchange { id, version, old, new });
                }
                Err(error) => {
                    let (table, column) = (sealed.table, sealed.column);
                    tracing::error!(table, column, id, error = %error, "a value cannot be read; it is left as it is");
                    step.unreadable += 1;
                }
            }
        }
        if exchanges.is_empty() {
            return Ok(step);
        }
        let all = exchanges.len() as u64;
        step.resealed = self
            .write((sealed, exchanges), |(sealed, exchanges), tx| {
                Box::pin(async move {
                    let mut done = 0;
                    for exchange in exchanges {
                        done += u64::from(tx.exchange(sealed, exchange).await?);
                    }
                    Ok(done)
                })
            })
            .await?;
        step.overtaken = all - step.resealed;
        Ok(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_bytes_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut found = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let mut table = String::new();
            for line in text.lines().filter(|line| !line.trim_start().starts_with("--")) {
                let words: Vec<_> = line.split_whitespace().collect();
                match words.as_slice() {
                    ["CREATE", "TABLE", name, ..] => table = (*name).to_owned(),
                    ["ALTER", "TABLE", name, "ADD", "COLUMN", column, kind, ..]
                        if kind.starts_with("BYTEA") =>
                    {
                        found.push(format!("{name}.{column}"));
                    }
                    [column, kind, ..] if kind.starts_with("BYTEA") => {
                        found.push(format!("{table}.{column}"));
                    }
                    _ => {}
                }
            }
        }
        let mut listed: Vec<_> = SEALED.iter().map(|one| format!("{}.{}", one.table, one.column)).collect();
        found.sort();
        listed.sort();
        assert_eq!(found, listed);
    }
}
