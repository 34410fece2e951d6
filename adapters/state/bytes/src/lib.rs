//! Typed state on any ordered store of byte rows.

#![forbid(unsafe_code)]
