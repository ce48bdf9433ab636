//! Gateways, and the orders in which they are tried, by number.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::SpoolError;

pub(super) const GATEWAY_ID: &str = "SELECT id FROM gateway WHERE name = ?1";

const ADD_GATEWAY: &str = "INSERT INTO gateway (name) VALUES (?1)";

const GATEWAYS: &str = "SELECT id, name FROM gateway ORDER BY id";

pub(super) const ORDER_ID: &str = "SELECT id FROM gateway_order WHERE names = ?1";

const ADD_ORDER: &str = "INSERT INTO gateway_order (names) VALUES (?1)";

const ORDERS: &str = "SELECT id, names FROM gateway_order ORDER BY id";

pub(super) const PIN: &str = "UPDATE sms SET gateway_order = ?2 WHERE seq = ?1";

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

/// Every order; there are as many as the rules of the configuration have had. One that cannot be read counts as
/// one that names nobody.
pub(super) fn all(connection: &Connection) -> Result<Vec<Order>, SpoolError> {
    let mut statement = connection.prepare_cached(ORDERS)?;
    let rows = statement.query_map([], |row| {
        let names = row.get::<_, String>(1).ok().and_then(|text| serde_json::from_str(&text).ok());
        Ok(Order { id: row.get(0)?, names: names.unwrap_or_default() })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// From now on the SMS in row `seq` goes by this gateway only.
pub(super) fn pin(connection: &Connection, seq: i64, gateway: i64) -> Result<(), SpoolError> {
    let Some(name) = gateway_name(connection, gateway)? else { return Ok(()) };
    let order = intern_order(connection, &[name])?;
    connection.prepare_cached(PIN)?.execute(params![seq, order])?;
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
