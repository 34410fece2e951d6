//! How state outlives the types that it was written with.

use holdwater_bytes::Bytes;

holdwater_conformance::evolution!(Bytes::in_memory);
