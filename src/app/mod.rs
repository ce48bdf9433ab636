//! Composition root: bind, wire, notify, reload, stop order.
