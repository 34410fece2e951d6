//! What every store must do, on arrays.

use holdwater_fixed::Fixed;

holdwater_conformance::keyed!(|groups| Fixed::<512>::new(groups).expect("16 groups at most"));

mod operator {
    use holdwater_fixed::Fixed;

    holdwater_conformance::operator!(|groups| Fixed::<512>::new(groups).expect("8 groups at most"));
}
