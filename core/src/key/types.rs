//! The types that are keys: integers, bool, char, text, byte arrays, tuples, windows, your own.

use postcard_schema_ng::Schema;
use serde::{Deserialize, Serialize};

use super::Key;
use super::digest::{digest_encoded, digest_integer, digest_wide};
use crate::schema::Data;

macro_rules! plain {
    ($($key:ty, $value:ident => $digest:expr;)*) => {$(
        impl Key for $key {
            type View<'k> = Self;

            #[inline]
            fn view(&self) -> Self {
                *self
            }

            #[inline]
            fn own(view: Self) -> Self {
                view
            }

            #[inline]
            fn is(&self, view: Self) -> bool {
                *self == view
            }

            #[inline]
            fn digest($value: Self) -> u64 {
                $digest
            }
        }
    )*};
}

// Signed keys are extended by their sign, so that a widened type finds its old rows.
plain! {
    u8, key => digest_integer(u64::from(key));
    u16, key => digest_integer(u64::from(key));
    u32, key => digest_integer(u64::from(key));
    u64, key => digest_integer(key);
    u128, key => digest_wide(key);
    i8, key => digest_integer(i64::from(key).cast_unsigned());
    i16, key => digest_integer(i64::from(key).cast_unsigned());
    i32, key => digest_integer(i64::from(key).cast_unsigned());
    i64, key => digest_integer(key.cast_unsigned());
    i128, key => digest_wide(key.cast_unsigned());
    bool, key => digest_integer(u64::from(key));
    char, key => digest_integer(u64::from(u32::from(key)));
    (), _key => digest_integer(0);
}

#[cfg(feature = "alloc")]
impl Key for alloc::string::String {
    type View<'k> = &'k str;

    #[inline]
    fn view(&self) -> &str {
        self
    }

    fn own(view: &str) -> Self {
        view.into()
    }

    #[inline]
    fn is(&self, view: &str) -> bool {
        self == view
    }

    #[inline]
    fn digest(view: &str) -> u64 {
        digest_encoded(view)
    }
}

impl<const N: usize> Key for [u8; N]
where
    Self: Data,
{
    type View<'k> = &'k Self;

    fn view(&self) -> &Self {
        self
    }

    fn own(view: &Self) -> Self {
        *view
    }

    #[inline]
    fn is(&self, view: &Self) -> bool {
        self == view
    }

    #[inline]
    fn digest(view: &Self) -> u64 {
        digest_encoded(view)
    }
}

macro_rules! tuple {
    ($($part:ident $view:ident $place:tt),+) => {
        impl<$($part: Key),+> Key for ($($part,)+) {
            type View<'k> = ($($part::View<'k>,)+);

            fn view(&self) -> Self::View<'_> {
                ($(self.$place.view(),)+)
            }

            fn own(($($view,)+): Self::View<'_>) -> Self {
                ($($part::own($view),)+)
            }

            fn is(&self, ($($view,)+): Self::View<'_>) -> bool {
                $(self.$place.is($view))&&+
            }

            fn digest(view: Self::View<'_>) -> u64 {
                digest_encoded(&view)
            }
        }
    };
}

tuple!(A a 0, B b 1);
tuple!(A a 0, B b 1, C c 2);
tuple!(A a 0, B b 1, C c 2, D d 3);

/// A key inside a window: routed by the key alone, so all windows of a key stay together.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Schema, Serialize,
)]
pub struct In<K, W> {
    /// The key.
    pub key: K,
    /// The window, or any other namespace within the key.
    pub window: W,
}

impl<K: Key, W: Key + Copy> Key for In<K, W> {
    type View<'k> = (K::View<'k>, W);

    fn view(&self) -> Self::View<'_> {
        (self.key.view(), self.window)
    }

    fn own((key, window): Self::View<'_>) -> Self {
        Self { key: K::own(key), window }
    }

    #[inline]
    fn is(&self, (key, window): Self::View<'_>) -> bool {
        self.window == window && self.key.is(key)
    }

    #[inline]
    fn digest((key, _): Self::View<'_>) -> u64 {
        K::digest(key)
    }

    #[inline]
    fn slot((_, window): Self::View<'_>, digest: u64) -> u64 {
        digest_integer(digest ^ W::spread(window.view()).rotate_left(32))
    }
}

/// Makes a type of your own a [`Key`](crate::key::Key).
///
/// The type derives `Serialize`, `Deserialize`, `Schema`, `Clone` and `Eq`. A newtype of an integer
/// is named with its inner type, so that widening the integer later keeps every row in its group.
///
/// ```
/// use postcard_schema_ng::Schema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Schema, Serialize)]
/// struct Account(u32);
/// holdwater::key!(Account: u32);
///
/// #[derive(Clone, Debug, Deserialize, Eq, PartialEq, Schema, Serialize)]
/// struct Route {
///     from: u16,
///     to: u16,
/// }
/// holdwater::key!(Route);
///
/// use holdwater::key::KeyGroups;
/// let groups = KeyGroups::all(128);
/// let account = groups.locate::<Account>(&Account(7));
/// assert_eq!(account.group(), groups.locate::<u64>(7).group());
/// ```
#[macro_export]
macro_rules! key {
    ($key:ty : $inner:ty) => {
        $crate::key!(@ $key, view => {
            let inner: &$inner = &view.0;
            <$inner as $crate::key::Key>::digest($crate::key::Key::view(inner))
        });
    };
    ($key:ty) => {
        $crate::key!(@ $key, view => $crate::key::digest_encoded(view));
    };
    (@ $key:ty, $view:ident => $digest:expr) => {
        impl $crate::key::Key for $key {
            type View<'k> = &'k Self;

            fn view(&self) -> &Self {
                self
            }

            fn own(view: &Self) -> Self {
                view.clone()
            }

            fn is(&self, view: &Self) -> bool {
                self == view
            }

            fn digest($view: &Self) -> u64 {
                $digest
            }
        }
    };
}
