//! SPECs: what a job computes per key.

use std::fmt;
use std::str::FromStr;

/// One thing to compute per key, over a field or over the rows as such.
///
/// It prints as it was given, which is also the name of its column and of its state.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Spec {
    /// The number of rows.
    Count,
    /// The sum of a field.
    Sum(String),
    /// The least value of a field.
    Min(String),
    /// The greatest value of a field.
    Max(String),
    /// The mean of a field.
    Mean(String),
    /// The value of a field that came last.
    Last(String),
    /// The number of different values of a field.
    Distinct(String),
    /// All values of a field in the order they came.
    Collect(String),
}

impl Spec {
    /// Returns the field that is read, or `None` where rows are counted.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Count => None,
            Self::Sum(field)
            | Self::Min(field)
            | Self::Max(field)
            | Self::Mean(field)
            | Self::Last(field)
            | Self::Distinct(field)
            | Self::Collect(field) => Some(field),
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum(_) => "sum",
            Self::Min(_) => "min",
            Self::Max(_) => "max",
            Self::Mean(_) => "mean",
            Self::Last(_) => "last",
            Self::Distinct(_) => "distinct",
            Self::Collect(_) => "collect",
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field() {
            None => f.write_str(self.name()),
            Some(field) => write!(f, "{}:{field}", self.name()),
        }
    }
}

impl FromStr for Spec {
    type Err = String;

    /// Reads `count` or `sum:F`, where all behind the first colon is the field.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "count" {
            return Ok(Self::Count);
        }
        let (name, field) = text.split_once(':').unwrap_or((text, ""));
        let over: fn(String) -> Self = match name {
            "count" => return Err("count counts rows and takes no field".to_owned()),
            "sum" => Self::Sum,
            "min" => Self::Min,
            "max" => Self::Max,
            "mean" => Self::Mean,
            "last" => Self::Last,
            "distinct" => Self::Distinct,
            "collect" => Self::Collect,
            _ => {
                return Err("expected count, sum:F, min:F, max:F, mean:F, last:F, distinct:F \
                            or collect:F"
                    .to_owned());
            }
        };
        if field.is_empty() {
            return Err(format!("{name} needs a field, such as {name}:delay"));
        }
        Ok(over(field.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_prints_as_it_was_given() {
        for text in [
            "count",
            "sum:delay",
            "min:delay",
            "max:delay",
            "mean:delay",
            "last:delay",
            "distinct:destination",
            "collect:destination",
            "sum:a:b",
            "sum: a",
        ] {
            assert_eq!(text.parse::<Spec>().unwrap().to_string(), text);
        }
        assert_eq!("sum:a:b".parse(), Ok(Spec::Sum("a:b".to_owned())));
    }

    #[test]
    fn what_is_no_spec_is_refused() {
        for text in ["", "count:", "count:delay", "sum", "sum:", "median:delay", "Sum:delay", ":"] {
            assert!(text.parse::<Spec>().is_err(), "{text}");
        }
    }
}
