//! Which columns of an input a job reads, and how.

use crate::spec::Spec;

/// The columns that a job reads, each once, and which of them the key and the SPECs use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selection {
    columns: Vec<Column>,
    key: Vec<usize>,
    specs: Vec<Option<usize>>,
    time: Option<usize>,
}

/// A column that a job reads.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Column {
    /// Its name in the header, or the name of the member.
    pub name: String,
    /// How its cells are read.
    pub reading: Reading,
}

/// How the cells of a column are read; of several ways the last one here holds for all.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Reading {
    /// As written.
    Text,
    /// As a number where it is one, else as text.
    Any,
    /// As a number; a row with text here is a bad row.
    Number,
}

impl Selection {
    /// Collects the columns that the key fields and the SPECs name.
    pub fn new<K: AsRef<str>>(key: &[K], specs: &[Spec]) -> Self {
        let mut selection =
            Self { columns: Vec::new(), key: Vec::new(), specs: Vec::new(), time: None };
        for field in key {
            let column = selection.column(field.as_ref(), Reading::Text);
            selection.key.push(column);
        }
        for spec in specs {
            let reading = match spec {
                Spec::Sum(_) | Spec::Mean(_) => Reading::Number,
                Spec::Min(_) | Spec::Max(_) => Reading::Any,
                Spec::Count | Spec::Last(_) | Spec::Distinct(_) | Spec::Collect(_) => Reading::Text,
            };
            let column = spec.field().map(|field| selection.column(field, reading));
            selection.specs.push(column);
        }
        selection
    }

    /// Adds the column that holds the time of each record.
    #[must_use]
    pub fn with_time(mut self, name: &str) -> Self {
        self.time = Some(self.column(name, Reading::Text));
        self
    }

    /// Returns the columns, in the order in which a record holds their cells.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns the columns of the key, in the key's order, as indices into [`Self::columns`].
    pub fn key(&self) -> &[usize] {
        &self.key
    }

    /// Returns for each SPEC the index of its column, or `None` where it reads none.
    pub fn specs(&self) -> &[Option<usize>] {
        &self.specs
    }

    /// Returns the column of times, if there is one.
    pub fn time(&self) -> Option<usize> {
        self.time
    }

    fn column(&mut self, name: &str, reading: Reading) -> usize {
        if let Some(known) = self.columns.iter().position(|column| column.name == name) {
            let column = &mut self.columns[known];
            column.reading = column.reading.max(reading);
            return known;
        }
        self.columns.push(Column { name: name.to_owned(), reading });
        self.columns.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_once_in_the_strictest_way_asked_for() {
        let specs = ["count", "last:delay", "mean:delay", "min:origin", "max:delay"]
            .map(|text| text.parse().unwrap());
        let selection = Selection::new(&["origin", "date"], &specs);
        let column = |name: &str, reading| Column { name: name.to_owned(), reading };
        assert_eq!(
            selection.columns(),
            [
                column("origin", Reading::Any),
                column("date", Reading::Text),
                column("delay", Reading::Number)
            ]
        );
        assert_eq!(selection.key(), [0, 1]);
        assert_eq!(selection.specs(), [None, Some(2), Some(2), Some(0), Some(2)]);
    }
}
