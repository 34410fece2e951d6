//! What every store must do, on the heap.

use holdwater_heap::Heap;

holdwater_conformance::keyed!(Heap::new);

mod deltas {
    use holdwater_heap::Heap;

    holdwater_conformance::row_deltas!(Heap::new);
}

mod operator {
    use holdwater_heap::Heap;

    holdwater_conformance::operator!(Heap::new);
}
