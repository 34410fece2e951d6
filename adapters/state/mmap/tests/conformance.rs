//! What every store must do: with all rows in memory, with most in mapped files, and with most in
//! files that are read by calls to the system.

mod place;

/// Rows stay in the tail.
mod tail {
    use crate::place::directory;
    use holdwater_mmap::Mmap;

    holdwater_conformance::keyed!(|groups| Mmap::new(groups, directory()));

    mod deltas {
        use crate::place::directory;
        use holdwater_mmap::Mmap;

        holdwater_conformance::row_deltas!(|groups| Mmap::new(groups, directory()));
    }

    mod operator {
        use crate::place::directory;
        use holdwater_mmap::Mmap;

        holdwater_conformance::operator!(|groups| Mmap::new(groups, directory()));
    }
}

/// A few rows, and the tail is sealed.
mod mapped {
    use crate::place::directory;
    use holdwater_mmap::Mmap;

    holdwater_conformance::keyed!(|groups| Mmap::new(groups, directory()).with_segment_bytes(1));

    mod deltas {
        use crate::place::directory;
        use holdwater_mmap::Mmap;

        holdwater_conformance::row_deltas!(
            |groups| Mmap::new(groups, directory()).with_segment_bytes(1)
        );
    }
}

/// Files without a map.
mod positional {
    use crate::place::directory;
    use holdwater_mmap::Mmap;

    holdwater_conformance::keyed!(|groups| {
        Mmap::new(groups, directory()).with_segment_bytes(2000).with_positional_reads()
    });
}

/// What is restored is read where it lies: in files of checkpoints, by a map.
mod in_place {
    use crate::place::{directory, native};
    use holdwater_mmap::Mmap;

    holdwater_conformance::keyed!(
        |groups| Mmap::new(groups, directory()).with_segment_bytes(2000),
        native
    );

    mod deltas {
        use crate::place::{directory, native};
        use holdwater_mmap::Mmap;

        holdwater_conformance::row_deltas!(|groups| Mmap::new(groups, directory()), native);
    }
}

/// What is restored is read where it lies, by calls to the system.
mod in_place_positional {
    use crate::place::{directory, native};
    use holdwater_mmap::Mmap;

    holdwater_conformance::keyed!(
        |groups| Mmap::new(groups, directory()).with_positional_reads(),
        native
    );
}
