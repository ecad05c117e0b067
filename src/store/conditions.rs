//! Conditions that are there only where something is asked for: a condition that holds for whatever is not asked (`$1 =
//! '' OR name = $1`) keeps SQLite from its indexes.

/// A `WHERE` of those conditions that have a value, and what they compare with, numbered from one.
pub(super) fn conditions<'a>(all: &[(&str, Option<&'a str>)]) -> (String, Vec<&'a str>) {
    let (mut sql, mut values) = ("WHERE 1 = 1".to_owned(), Vec::new());
    for (condition, value) in all {
        if let Some(value) = value {
            values.push(*value);
            sql.push_str(&format!(" AND {condition} ${}", values.len()));
        }
    }
    (sql, values)
}

/// So many placeholders from one, for an `IN`.
pub(super) fn placeholders(count: usize) -> String {
    if count == 0 {
        // PostgreSQL has no empty list, and nothing is NULL.
        return "NULL".to_owned();
    }
    (1..=count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};

    use super::super::fragments::Kind;
    use super::super::{AccountFilter, DeliveryFilter, SessionFilter, drivers, migrate};
    use crate::kernel::clock::Millis;
    use crate::kernel::ids::EndpointId;
    use crate::kernel::random::Random;
    use crate::kernel::words::Dialect;

    /// How SQLite finds the rows that a statement asks for.
    async fn plan(conn: &mut AnyConnection, sql: String, values: Vec<&str>) -> String {
        let explained = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        let query = values.into_iter().fold(sqlx::query(explained), sqlx::query::Query::bind);
        let rows = query.fetch_all(conn).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>(3)).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn what_is_asked_for_by_name_is_found_by_an_index() {
        drivers();
        let mut conn = AnyConnection::connect("sqlite::memory:").await.unwrap();
        migrate::migrate(&mut conn, Kind::Sqlite, Millis(1)).await.unwrap();
        let mark = || Some("mark".to_owned());
        let account = AccountFilter { name_mark: mark(), after: mark(), ..Default::default() };
        let session = SessionFilter {
            dialect: Some(Dialect::Riposte),
            name_mark: mark(),
            before: mark(),
            ..Default::default()
        };
        let delivery = DeliveryFilter {
            endpoint: Some(EndpointId::new(Millis(1), &Random::system())),
            ..Default::default()
        };
        for (table, (sql, values), index) in [
            ("accounts", account.conditions(), "accounts_name"),
            ("sessions", session.conditions(), "sessions_name"),
            ("deliveries", delivery.conditions(), "deliveries_endpoint"),
        ] {
            for what in [
                format!("SELECT COUNT(*) FROM {table} {sql}"),
                format!("SELECT * FROM {table} {sql} ORDER BY id LIMIT 9"),
            ] {
                let plan = plan(&mut conn, what, values.clone()).await;
                assert!(plan.contains("SEARCH") && plan.contains(index), "{table}: {plan}");
            }
        }
    }
}
