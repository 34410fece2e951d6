//! Rows in an array, and the order in which they are found.

use core::ops::Range;

use holdwater::key::Key;

/// What orders rows: group and slot of the key, or the time of a timer and the slot.
pub(crate) type Rank = (u64, u64);

/// One row: of a key, of an item of its list, of a field of its map, or of a timer.
#[derive(Clone, Debug)]
pub(crate) struct Row<K, T> {
    pub(crate) rank: Rank,
    pub(crate) key: K,
    pub(crate) content: T,
}

/// Up to `N` rows, found by binary search.
///
/// Rows stay where they were put; what is kept in order is their numbers. The order is by rank,
/// and the rows of one key within a rank stand together. So a group, a key, and the fields of a key
/// are each one range of places, and inserting moves two bytes a row.
#[derive(Clone, Debug)]
pub struct Table<K, T, const N: usize> {
    rows: [Option<Row<K, T>>; N],
    /// The numbers of the rows in order, then those that are free.
    order: [u16; N],
    len: usize,
}

impl<K: Key, T, const N: usize> Table<K, T, N> {
    pub(crate) fn new() -> Self {
        const { assert!(N > 0 && N <= ROWS_MAX, "a table has 1 to 32768 rows") };
        let order = core::array::from_fn(|number| number as u16);
        Self { rows: [const { None }; N], order, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Returns how many more rows there is room for.
    pub(crate) const fn room(&self) -> usize {
        N - self.len
    }

    pub(crate) fn row(&self, place: usize) -> &Row<K, T> {
        self.rows[self.number(place)].as_ref().expect("a row in order is there")
    }

    pub(crate) fn row_mut(&mut self, place: usize) -> &mut Row<K, T> {
        let number = self.number(place);
        self.rows[number].as_mut().expect("a row in order is there")
    }

    /// Returns the row of that number, if one lies there.
    pub(crate) fn numbered(&self, number: usize) -> Option<&Row<K, T>> {
        self.rows[number].as_ref()
    }

    /// Returns the place of the row of that number: looks for it.
    pub(crate) fn place(&self, number: usize) -> Option<usize> {
        self.order[..self.len].iter().position(|other| usize::from(*other) == number)
    }

    /// Returns the rows at `places`.
    pub(crate) fn rows(
        &self,
        places: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = &Row<K, T>> + Clone {
        places.map(|place| self.row(place))
    }

    /// Returns the first of `places` whose row does not stand `before`, as those in front all do.
    pub(crate) fn first(&self, places: Range<usize>, before: impl Fn(&Row<K, T>) -> bool) -> usize {
        let numbers = &self.order[places.clone()];
        let row = |number: &u16| self.rows[usize::from(*number)].as_ref();
        places.start + numbers.partition_point(|number| row(number).is_some_and(&before))
    }

    /// Returns the places of all rows whose rank begins so.
    pub(crate) fn with(&self, first: u64) -> Range<usize> {
        let start = self.first(0..self.len, |row| row.rank.0 < first);
        start..self.first(start..self.len, |row| row.rank.0 == first)
    }

    /// Returns the places of the rows of a key; where there are none, the place for the first.
    pub(crate) fn of(&self, rank: Rank, key: K::View<'_>) -> Range<usize> {
        let start = self.first(0..self.len, |row| row.rank < rank);
        let end = self.first(start..self.len, |row| row.rank == rank);
        let is = |place: usize| self.row(place).key.is(key);
        // Two keys of one rank are rare: look at both ends first.
        if start < end && is(start) && is(end - 1) {
            return start..end;
        }
        let start = (start..end).find(|place| is(*place)).unwrap_or(end);
        start..(start..end).find(|place| !is(*place)).unwrap_or(end)
    }

    /// Divides `places` into those of one key each.
    pub(crate) fn runs(&self, places: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let mut rest = places;
        core::iter::from_fn(move || {
            let start = rest.next()?;
            let key = &self.row(start).key;
            while rest.start < rest.end && self.row(rest.start).key == *key {
                rest.start += 1;
            }
            Some(start..rest.start)
        })
    }

    /// Puts `row` in front of the row at `place`.
    ///
    /// # Panics
    ///
    /// If there is no [`room`](Self::room).
    pub(crate) fn insert(&mut self, place: usize, row: Row<K, T>) {
        assert!(self.len < N, "room is asked for first");
        let number = usize::from(self.order[self.len]);
        self.rows[number] = Some(row);
        self.order[place..=self.len].rotate_right(1);
        self.len += 1;
    }

    /// Takes out the row at `place`.
    pub(crate) fn take(&mut self, place: usize) -> Row<K, T> {
        let number = self.number(place);
        let row = self.rows[number].take().expect("a row in order is there");
        self.order[place..self.len].rotate_left(1);
        self.len -= 1;
        row
    }

    /// Drops the rows at `places`.
    pub(crate) fn remove(&mut self, places: Range<usize>) {
        for number in &self.order[places.clone()] {
            self.rows[usize::from(*number)] = None;
        }
        self.order[places.start..self.len].rotate_left(places.len());
        self.len -= places.len();
    }

    /// Moves the rows at `places` in front of the row at `place`, outside of them; returns their
    /// places.
    pub(crate) fn shift(&mut self, places: Range<usize>, place: usize) -> Range<usize> {
        let count = places.len();
        if places.end <= place {
            self.order[places.start..place].rotate_left(count);
            place - count..place
        } else {
            self.order[place..places.end].rotate_right(count);
            place..place + count
        }
    }

    fn number(&self, place: usize) -> usize {
        assert!(place < self.len, "a place is one of a row");
        usize::from(self.order[place])
    }
}

/// The most rows that a state can have: their numbers take 16 bits, and the order is moved whole.
pub(crate) const ROWS_MAX: usize = 32_768;
