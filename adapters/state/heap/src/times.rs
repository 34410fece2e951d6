//! The times of the timers of one key: most have one, as each window of a key is a key of its own.

use alloc::boxed::Box;
use core::mem::size_of;
use core::ops::ControlFlow;

use holdwater::codec::{EncodeError, Encoding};
use holdwater::key::Key;
use holdwater::state::{Judge, OutputFailed, RowWriter};

use crate::cell::{Cell, Inline};
use crate::fields::Fields;
use crate::hashed::Hashed;
use crate::row::{Payload, Row, Touch};

/// The times of one key.
#[derive(Clone, Debug)]
pub(crate) enum Times {
    /// One, in place: it never changes, it goes with its row.
    One(i64),
    /// Several, or what is left of them.
    Many(Box<Many>),
}

type Many = Fields<Hashed<i64, Inline<()>>>;

impl Times {
    pub(crate) fn contains(&self, time: i64, encoding: Encoding) -> bool {
        match self {
            Self::One(one) => *one == time,
            Self::Many(many) => many.get(time, encoding).is_some(),
        }
    }

    /// Inserts a time that is not there.
    pub(crate) fn insert(&mut self, time: i64, touch: &mut Touch) {
        if let Self::One(one) = *self {
            touch.meter.owned += size_of::<Many>().cast_signed();
            let mut many = Box::new(Many::new(touch));
            put(&mut many, one, touch);
            *self = Self::Many(many);
        }
        if let Self::Many(many) = self {
            put(many, time, touch);
        }
    }

    /// Removes a time of several; returns how many are left.
    pub(crate) fn remove(&mut self, time: i64, touch: &mut Touch) -> u64 {
        match self {
            Self::One(one) => u64::from(*one != time),
            Self::Many(many) => {
                many.remove(time, touch);
                many.len()
            }
        }
    }

    pub(crate) fn each(&self, mut visit: impl FnMut(i64) -> ControlFlow<()>) -> ControlFlow<()> {
        match self {
            Self::One(one) => visit(*one),
            Self::Many(many) => many.each(|time, ()| visit(*time)),
        }
    }
}

impl<K: Key> Payload<K> for Times {
    const GROWS: bool = true;

    type Position = ();

    fn bytes(&self, _: Encoding) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Many(many) => size_of::<Many>() + many.bytes(),
        }
    }

    fn save(
        row: &Row<K, Self>,
        base: Option<u32>,
        judge: Option<&Judge>,
        out: &mut RowWriter<'_>,
    ) -> Result<(), EncodeError<OutputFailed>> {
        match &row.payload {
            Self::One(one) => out.entries(&row.key, core::iter::once((one, &()))),
            // Of a row that the base does not have, everything is new.
            Self::Many(many) => {
                many.save(&row.key, base.filter(|base| row.born <= *base), judge, out)
            }
        }
    }

    fn removed(key: &K, out: &mut RowWriter<'_>) -> Result<(), EncodeError<OutputFailed>> {
        out.cleared(key)
    }
}

fn put(many: &mut Many, time: i64, touch: &mut Touch) {
    let insert = |(), touch: &mut Touch| (Inline::new((), touch), ());
    many.write(time, touch, (), insert, |(), _, _| ());
}
