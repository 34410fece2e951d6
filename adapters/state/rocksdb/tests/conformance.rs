//! What every store must do, in RocksDB.
#![cfg(feature = "rocksdb")]

mod place;

use crate::place::rocksdb;

holdwater_conformance::keyed!(rocksdb);

mod deltas {
    use crate::place::rocksdb;

    holdwater_conformance::row_deltas!(rocksdb);
}

mod operator {
    use crate::place::rocksdb;

    holdwater_conformance::operator!(rocksdb);
}

mod evolution {
    use crate::place::rocksdb;

    holdwater_conformance::evolution!(rocksdb);
}
