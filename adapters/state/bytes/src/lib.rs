//! Typed state on any ordered store of byte rows.
