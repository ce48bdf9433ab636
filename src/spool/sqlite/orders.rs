//! Gateways, and the orders in which they are tried, by number.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::SpoolError;

pub(super) const GATEWAY_ID: &str = "SELECT id FROM gateway WHERE name = ?1";

const ADD_GATEWAY: &str = "INSERT INTO gateway (name) VALUES (?1)";

const GATEWAYS: &str = "SELECT id, name FROM gateway ORDER BY id";

pub(super) const ORDER_ID: &str = "SELECT id FROM gateway_order WHERE names = ?1";

const ADD_ORDER: &str = "INSERT INTO gateway_order (names) VALUES (?1)";

const ORDERS: &str = "SELECT id, names FROM gateway_order ORDER BY id";

/// The order that a row of `sms` has now.
pub(super) const NAMES: &str = "SELECT names FROM gateway_order WHERE id = \
     (SELECT gateway_order FROM sms WHERE seq = ?1)";

/// It counts anew whenever the order changes.
pub(super) const REORDER: &str = "UPDATE sms SET first_order = coalesce(first_order, gateway_order), \
     gateway_order = ?2, failures = 0 WHERE seq = ?1";

pub(super) const COUNT_FAILURE: &str = "UPDATE sms SET failures = failures + 1 WHERE seq = ?1";

pub(super) const GATEWAY_NAME: &str = "SELECT name FROM gateway WHERE id = ?1";

/// An order in which gateways are tried.
pub(super) struct Order {
    /// Its number.
    pub(super) id: i64,
    /// Empty: all that there are.
    names: Vec<String>,
}

impl Order {
    /// Which of `known` stand in it, by their places there, in its order. All of them where none does: better
    /// by a gateway that it does not name than never.
    pub(super) fn among(&self, known: &[&str]) -> Vec<usize> {
        let place = |name: &String| known.iter().position(|known| known == name);
        let places: Vec<usize> = self.names.iter().filter_map(place).collect();
        if places.is_empty() { (0..known.len()).collect() } else { places }
    }

    /// Whether it leaves a choice among `known`. An SMS that goes by any, as none of those that its order names is
    /// there, is bound to them again when they come back.
    pub(super) fn has_choice(&self, known: &[&str]) -> bool {
        let is_known = |name: &&String| known.contains(&name.as_str());
        let choice =
            if self.names.is_empty() { known.len() } else { self.names.iter().filter(is_known).count() };
        choice > 1
    }
}

/// The order whose names stand in a column. One that cannot be read names nobody.
fn read_names(row: &Row<'_>, column: usize) -> Vec<String> {
    let names = row.get::<_, String>(column).ok().and_then(|text| serde_json::from_str(&text).ok());
    names.unwrap_or_default()
}

/// The number of a gateway that an SMS was given to or is to go by.
pub(super) fn gateway_id(connection: &Connection, name: &str) -> Result<Option<i64>, SpoolError> {
    Ok(connection.prepare_cached(GATEWAY_ID)?.query_row(params![name], |row| row.get(0)).optional()?)
}

/// The number of a gateway, a new one where it has none yet.
pub(super) fn intern_gateway(connection: &Connection, name: &str) -> Result<i64, SpoolError> {
    match gateway_id(connection, name)? {
        Some(id) => Ok(id),
        None => Ok(connection.prepare_cached(ADD_GATEWAY)?.insert(params![name])?),
    }
}

/// The number of an order, a new one where it has none yet; its gateways get theirs, too.
pub(super) fn intern_order(connection: &Connection, names: &[String]) -> Result<i64, SpoolError> {
    let text = serde_json::to_string(names).map_err(|error| {
        SpoolError::Unavailable(format!("an order of gateways cannot be written: {error}"))
    })?;
    let found = connection.prepare_cached(ORDER_ID)?.query_row(params![text], |row| row.get(0)).optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    for name in names {
        intern_gateway(connection, name)?;
    }
    Ok(connection.prepare_cached(ADD_ORDER)?.insert(params![text])?)
}

/// Every order; there are as many as the rules of the configuration have had, each as often as it has names at most.
pub(super) fn all(connection: &Connection) -> Result<Vec<Order>, SpoolError> {
    let mut statement = connection.prepare_cached(ORDERS)?;
    let rows = statement.query_map([], |row| Ok(Order { id: row.get(0)?, names: read_names(row, 1) }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// From now on the SMS in row `seq` goes by this gateway only.
pub(super) fn pin(connection: &Connection, seq: i64, gateway: i64) -> Result<(), SpoolError> {
    let Some(name) = gateway_name(connection, gateway)? else { return Ok(()) };
    reorder(connection, seq, &[name])
}

/// From now on the SMS in row `seq` goes by the gateways that stand behind this one in its order, then by those before
/// it, and by this one last. So a list has no more orders than names. `known` is the order where it names none; one
/// that does not name this gateway stays as it is.
pub(super) fn others_first(
    connection: &Connection,
    seq: i64,
    gateway: i64,
    known: &[String],
) -> Result<(), SpoolError> {
    let mut statement = connection.prepare_cached(NAMES)?;
    let names = statement.query_row(params![seq], |row| Ok(read_names(row, 0))).optional()?;
    let mut names = names.filter(|names| !names.is_empty()).unwrap_or_else(|| known.to_vec());
    let gateway = gateway_name(connection, gateway)?;
    let Some(place) = names.iter().position(|name| Some(name) == gateway.as_ref()) else { return Ok(()) };
    names.rotate_left(place + 1);
    reorder(connection, seq, &names)
}

fn reorder(connection: &Connection, seq: i64, names: &[String]) -> Result<(), SpoolError> {
    let order = intern_order(connection, names)?;
    connection.prepare_cached(REORDER)?.execute(params![seq, order])?;
    Ok(())
}

/// The gateway that the SMS in row `seq` went by has said that it did not take it.
pub(super) fn count_failure(connection: &Connection, seq: i64) -> Result<(), SpoolError> {
    connection.prepare_cached(COUNT_FAILURE)?.execute(params![seq])?;
    Ok(())
}

/// The name of a gateway by its number.
pub(super) fn gateway_name(connection: &Connection, gateway: i64) -> Result<Option<String>, SpoolError> {
    let mut statement = connection.prepare_cached(GATEWAY_NAME)?;
    Ok(statement.query_row(params![gateway], |row| row.get(0)).optional()?)
}

/// Every gateway that has a number, with it.
pub(super) fn gateways(connection: &Connection) -> Result<Vec<(i64, String)>, SpoolError> {
    let mut statement = connection.prepare_cached(GATEWAYS)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
