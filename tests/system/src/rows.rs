//! Rows of text under named columns: inputs and results alike.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use serde_json::value::RawValue;

/// Rows of text; each has as many cells as there are columns.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The cells of each row; an empty one is no value.
    pub rows: Vec<Vec<String>>,
}

impl Rows {
    /// Returns no rows under the given columns.
    pub fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }

    /// Reads CSV with a header.
    pub fn from_csv(text: &str) -> Self {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
        let columns = cells(reader.headers().unwrap());
        let rows = reader.records().map(|record| cells(&record.unwrap())).collect();
        Self { columns, rows }
    }

    /// Reads JSON lines whose members all have the names and the order of the first.
    pub fn from_jsonl(text: &str) -> Self {
        let mut rows = Self::default();
        for line in text.lines() {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(line).unwrap();
            let mut members: Vec<_> = members.into_iter().collect();
            // A value borrows its place from the line.
            members.sort_by_key(|(_, value)| value.get().as_ptr());
            let names: Vec<_> = members.iter().map(|(name, _)| name.clone()).collect();
            if rows.rows.is_empty() {
                rows.columns.clone_from(&names);
            }
            assert_eq!(names, rows.columns, "{line}");
            rows.rows.push(members.iter().map(|(_, value)| written(value.get())).collect());
        }
        rows
    }

    /// Writes CSV with a header.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in std::iter::once(&self.columns).chain(&self.rows) {
            writer.write_record(row).unwrap();
        }
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    }

    /// Writes JSON lines: what is a number as such, no value as `null` or by leaving it out.
    pub fn to_jsonl(&self) -> String {
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            let mut members = Vec::new();
            for (name, cell) in self.columns.iter().zip(row) {
                let value = match cell.as_str() {
                    "" if index % 2 == 0 => continue,
                    "" => "null".to_owned(),
                    number if serde_json::from_str::<serde_json::Number>(number).is_ok() => {
                        number.to_owned()
                    }
                    text => Value::from(text).to_string(),
                };
                members.push(format!("{}: {value}", Value::from(name.as_str())));
            }
            writeln!(text, "{{{}}}", members.join(", ")).unwrap();
        }
        text
    }

    /// Returns the rows in the order of their cells: results come in any order.
    pub fn sorted(mut self) -> Self {
        self.rows.sort();
        self
    }

    /// Returns the first so many rows.
    pub fn first(&self, count: usize) -> Self {
        Self { columns: self.columns.clone(), rows: self.rows[..count].to_vec() }
    }

    /// Returns every `parts`-th row from the row `part` on.
    pub fn share(&self, part: usize, parts: usize) -> Self {
        let rows = self.rows.iter().skip(part).step_by(parts).cloned().collect();
        Self { columns: self.columns.clone(), rows }
    }

    /// Returns the cells of one column.
    pub fn column(&self, name: &str) -> impl Iterator<Item = &str> {
        let place = self.columns.iter().position(|column| column == name).unwrap();
        self.rows.iter().map(move |row| row[place].as_str())
    }
}

/// Spoils the first rows of CSV, though not their length: whoever reads them fails, and whoever
/// goes on far enough behind them does not see it, as only the 64 KiB before a position are
/// compared.
pub fn spoil(csv: &str, rows: usize) -> String {
    let line = |(index, line): (usize, &str)| {
        if (1..=rows).contains(&index) { line.replace(',', ";") } else { line.to_owned() }
    };
    csv.split_inclusive('\n').enumerate().map(line).collect()
}

/// Fails where two sets of rows differ, showing the first differences.
#[track_caller]
pub fn assert_same(found: &Rows, wanted: &Rows) {
    assert_eq!(found.columns, wanted.columns);
    let (found, wanted) = (found.clone().sorted(), wanted.clone().sorted());
    let shown = |rows: &Rows, others: &Rows| {
        let strange = rows.rows.iter().filter(|row| others.rows.binary_search(row).is_err());
        strange.take(SHOWN_MAX).map(|row| brief(row)).collect::<String>()
    };
    assert!(
        found == wanted,
        "{} rows where {} are wanted; too much:{}\ntoo little:{}",
        found.rows.len(),
        wanted.rows.len(),
        shown(&found, &wanted),
        shown(&wanted, &found)
    );
}

/// Returns a JSON value as a CSV cell would hold it.
fn written(value: &str) -> String {
    match serde_json::from_str(value).unwrap() {
        Value::Null => String::new(),
        // As it is written: reading it could round.
        Value::Number(_) => value.to_owned(),
        Value::String(text) => text,
        other => panic!("no cell of a result: {other}"),
    }
}

/// Returns a row to be shown, its long cells cut.
fn brief(row: &[String]) -> String {
    let cell = |cell: &String| match cell.char_indices().nth(CELL_SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &cell[..end]),
        None => cell.clone(),
    };
    format!("\n  {:?}", row.iter().map(cell).collect::<Vec<_>>())
}

const SHOWN_MAX: usize = 5;

const CELL_SHOWN_MAX: usize = 40;
