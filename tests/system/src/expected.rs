//! What each SPEC comes to, computed from the contract alone: slow, simple, all in memory.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::rows::Rows;

/// Computes what a job over `inputs`, one after the other, has as its result, sorted by key.
pub fn expected(inputs: &[&Rows], key: &[&str], specs: &[&str]) -> Rows {
    let columns = &inputs[0].columns;
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut job = Expected::new(&columns, key, specs);
    for input in inputs {
        for row in &input.rows {
            job.add(row);
        }
    }
    job.result()
}

/// A job to which rows are added one by one.
#[derive(Debug)]
pub struct Expected {
    columns: Vec<String>,
    key: Vec<usize>,
    /// For each SPEC its name and the column that it reads.
    specs: Vec<(String, usize)>,
    keys: BTreeMap<Vec<String>, Vec<Answer>>,
}

impl Expected {
    /// Begins a job over inputs of the given columns.
    pub fn new(columns: &[&str], key: &[&str], specs: &[&str]) -> Self {
        let place = |name: &str| columns.iter().position(|column| *column == name).unwrap();
        let named = |spec: &&str| match spec.split_once(':') {
            Some((name, column)) => (name.to_owned(), place(column)),
            None => ((*spec).to_owned(), 0),
        };
        Self {
            columns: key.iter().chain(specs).map(ToString::to_string).collect(),
            key: key.iter().map(|name| place(name)).collect(),
            specs: specs.iter().map(named).collect(),
            keys: BTreeMap::new(),
        }
    }

    /// Adds a row.
    pub fn add<C: AsRef<str>>(&mut self, row: &[C]) {
        let key: Vec<_> = self.key.iter().map(|place| row[*place].as_ref().to_owned()).collect();
        let fresh = || self.specs.iter().map(|(name, _)| Answer::new(name)).collect();
        let answers = self.keys.entry(key).or_insert_with(fresh);
        for (answer, (_, place)) in answers.iter_mut().zip(&self.specs) {
            answer.add(row[*place].as_ref());
        }
    }

    /// Returns a row for each key.
    pub fn result(self) -> Rows {
        let row = |(mut key, answers): (Vec<String>, Vec<Answer>)| {
            key.extend(answers.iter().map(Answer::shown));
            key
        };
        Rows { columns: self.columns, rows: self.keys.into_iter().map(row).collect() }
    }
}

#[derive(Debug)]
enum Answer {
    Count(u64),
    Sum(Option<Total>),
    Mean(Option<Total>, u64),
    Min(Option<Cell>),
    Max(Option<Cell>),
    Last(String),
    Distinct(BTreeSet<String>),
    Collect(Vec<String>),
}

#[derive(Clone, Copy, Debug)]
enum Total {
    Whole(i128),
    Float(f64),
}

#[derive(Clone, Debug)]
enum Cell {
    Whole(i64),
    Float(f64),
    Text(String),
}

impl Answer {
    fn new(spec: &str) -> Self {
        match spec {
            "count" => Self::Count(0),
            "sum" => Self::Sum(None),
            "mean" => Self::Mean(None, 0),
            "min" => Self::Min(None),
            "max" => Self::Max(None),
            "last" => Self::Last(String::new()),
            "distinct" => Self::Distinct(BTreeSet::new()),
            "collect" => Self::Collect(Vec::new()),
            other => panic!("no SPEC: {other}"),
        }
    }

    fn add(&mut self, text: &str) {
        if let Self::Count(count) = self {
            *count += 1;
            return;
        }
        if text.is_empty() {
            return;
        }
        match self {
            Self::Count(_) => {}
            Self::Sum(total) => *total = Some(Total::plus(*total, &Cell::read(text))),
            Self::Mean(total, values) => {
                *total = Some(Total::plus(*total, &Cell::read(text)));
                *values += 1;
            }
            Self::Min(least) => keep(least, Cell::read(text), Ordering::Less),
            Self::Max(most) => keep(most, Cell::read(text), Ordering::Greater),
            Self::Last(last) => text.clone_into(last),
            Self::Distinct(values) => {
                if !values.contains(text) {
                    values.insert(text.to_owned());
                }
            }
            Self::Collect(values) => values.push(text.to_owned()),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Count(count) => count.to_string(),
            Self::Sum(Some(Total::Whole(sum))) => sum.to_string(),
            Self::Sum(Some(Total::Float(sum))) => format!("{sum:?}"),
            Self::Mean(Some(Total::Whole(sum)), values) => {
                format!("{:?}", *sum as f64 / *values as f64)
            }
            Self::Mean(Some(Total::Float(sum)), values) => format!("{:?}", sum / *values as f64),
            Self::Min(Some(cell)) | Self::Max(Some(cell)) => match cell {
                Cell::Whole(number) => number.to_string(),
                Cell::Float(number) => format!("{number:?}"),
                Cell::Text(text) => text.clone(),
            },
            Self::Sum(None) | Self::Mean(None, _) | Self::Min(None) | Self::Max(None) => {
                String::new()
            }
            Self::Last(last) => last.clone(),
            Self::Distinct(values) if values.is_empty() => String::new(),
            Self::Distinct(values) => values.len().to_string(),
            Self::Collect(values) => values.join(";"),
        }
    }
}

impl Total {
    fn plus(total: Option<Self>, cell: &Cell) -> Self {
        match (total.unwrap_or(Self::Whole(0)), cell) {
            (Self::Whole(sum), Cell::Whole(number)) => Self::Whole(sum + i128::from(*number)),
            (Self::Whole(sum), Cell::Float(number)) => Self::Float(sum as f64 + number),
            (Self::Float(sum), Cell::Whole(number)) => Self::Float(sum + *number as f64),
            (Self::Float(sum), Cell::Float(number)) => Self::Float(sum + number),
            (_, Cell::Text(text)) => panic!("no number: {text}"),
        }
    }
}

impl Cell {
    fn read(text: &str) -> Self {
        if let Ok(number) = text.parse() {
            Self::Whole(number)
        } else if let Ok(number) = text.parse() {
            Self::Float(number)
        } else {
            Self::Text(text.to_owned())
        }
    }

    /// Numbers before text. Whole ones are compared with floats as such: those of the tests are
    /// small enough.
    fn order(&self, other: &Self) -> Ordering {
        let number = |cell: &Self| match cell {
            Self::Whole(number) => *number as f64,
            Self::Float(number) => *number,
            Self::Text(_) => f64::INFINITY,
        };
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            _ => number(self).partial_cmp(&number(other)).unwrap(),
        }
    }
}

fn keep(held: &mut Option<Cell>, cell: Cell, wanted: Ordering) {
    if held.as_ref().is_none_or(|held| cell.order(held) == wanted) {
        *held = Some(cell);
    }
}
