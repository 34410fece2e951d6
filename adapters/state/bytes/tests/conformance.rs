//! What every store must do, on rows of bytes in memory.

use holdwater_bytes::Bytes;

holdwater_conformance::keyed!(Bytes::in_memory);

mod deltas {
    use holdwater_bytes::Bytes;

    holdwater_conformance::row_deltas!(Bytes::in_memory);
}

mod operator {
    use holdwater_bytes::Bytes;

    holdwater_conformance::operator!(Bytes::in_memory);
}
