//! The parameters of a request.

use std::str::FromStr;

use axum::extract::Query;
use axum::http::Uri;
use holdwater::manifest::CheckpointId;

use super::refusal::Refusal;

/// The parameters that stand in a target, each with its name.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads those of a target, which may have no others than the `known` ones.
    pub(super) fn read(uri: &Uri, known: &[&str]) -> Result<Self, Refusal> {
        let Query(all) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Refusal::bad("the parameters are no query in UTF-8; encode them"))?;
        match all.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(Self(all)),
            Some((name, _)) => Err(Refusal::bad(format!(
                "there is no parameter {name:?} here; give {}",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ))),
        }
    }

    /// Returns one that may stand once.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let mut all = self.all(name);
        match (all.next(), all.next()) {
            (one, None) => Ok(one),
            _ => Err(Refusal::bad(format!("{name} stands twice; give it once"))),
        }
    }

    /// Returns one that has to stand.
    pub(super) fn needed(&self, name: &str) -> Result<&str, Refusal> {
        self.one(name)?.ok_or_else(|| Refusal::bad(format!("give {name}=")))
    }

    /// Returns all of one name.
    pub(super) fn all<'p>(&'p self, name: &str) -> impl Iterator<Item = &'p str> {
        let named = move |(other, value): &'p (String, String)| {
            (other.as_str() == name).then_some(value.as_str())
        };
        self.0.iter().filter_map(named).collect::<Vec<_>>().into_iter()
    }

    /// Returns one that is not text.
    pub(super) fn parsed<T: FromStr>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, Refusal> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Refusal::bad(format!("{name}: expected {expected}")))
        };
        self.one(name)?.map(parse).transpose()
    }

    /// Returns the checkpoint that is asked for.
    pub(super) fn checkpoint(&self) -> Result<Option<CheckpointId>, Refusal> {
        self.parsed("checkpoint", "a name as /v1/checkpoints lists them, such as 7.e2")
    }

    /// Returns fields that are written as in a line of CSV.
    pub(super) fn fields(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        self.one(name)?.map(|text| fields(name, text)).transpose()
    }
}

fn fields(name: &str, text: &str) -> Result<Vec<String>, Refusal> {
    if text.is_empty() {
        // The one field of a key may be empty, and a line without any is none.
        return Ok(vec![String::new()]);
    }
    if text.is_ascii() && !text.contains([',', '"', '\r', '\n']) {
        // One field, as it is: a reader of CSV takes longer to be made than all the rest.
        return Ok(vec![text.to_owned()]);
    }
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut lines = reader.records();
    match (lines.next(), lines.next()) {
        (Some(Ok(fields)), None) => Ok(fields.iter().map(str::to_owned).collect()),
        _ => Err(Refusal::bad(format!("{name}: expected fields as in a line of CSV"))),
    }
}
