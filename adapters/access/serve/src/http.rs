//! The server: JSON over HTTP, as docs/serve.md says.

mod access;
mod answer;
mod figures;
mod parameters;
mod refusal;
mod routes;
mod server;

pub use access::Token;
pub use server::Server;
