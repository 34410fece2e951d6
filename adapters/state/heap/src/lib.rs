//! Typed state on the heap, copied on write while a snapshot reads it.

#![forbid(unsafe_code)]
