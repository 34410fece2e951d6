//! Checkpoints as schemas of tables.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::prelude::SessionContext;
use holdwater_processor::Checkpoint;
use holdwater_processor::failure::{Failure, quoted};

use crate::failure::failure;
use crate::metadata::{META, Metadata};
use crate::source::Source;
use crate::state::StateTable;

/// Makes the states of checkpoints tables of a context: each checkpoint is a schema of the name
/// that stands before it, in the context's catalog; the schema `meta` tells what they consist of.
///
/// A table is called as its state, `OPERATOR/STATE` where several operators have one of that name;
/// and, to be typed without quotes, in small letters with `_` for all that is neither letter nor
/// digit, where no other is called so.
pub fn register(
    context: &SessionContext,
    checkpoints: impl IntoIterator<Item = (String, Arc<Checkpoint>)>,
) -> std::result::Result<(), Failure> {
    let checkpoints: Vec<_> = checkpoints.into_iter().collect();
    let state = context.state();
    let catalog = &state.config_options().catalog.default_catalog;
    let catalog = context.catalog(catalog);
    let catalog = catalog.ok_or_else(|| Failure::Usage("the context has no catalog".to_owned()))?;
    let mut taken = vec![META.to_owned(), "information_schema".to_owned()];
    for (name, checkpoint) in &checkpoints {
        if taken.contains(name) {
            let text = format!("{} names another schema; give another name", quoted(name));
            return Err(Failure::Usage(text));
        }
        taken.push(name.clone());
        let tables = Arc::new(Tables::of(checkpoint));
        catalog.register_schema(name, tables).map_err(failure)?;
    }
    let metadata = Metadata::of(&checkpoints).map_err(failure)?;
    catalog.register_schema(META, Arc::new(metadata)).map_err(failure)?;
    Ok(())
}

/// The states of a checkpoint.
struct Tables {
    states: Vec<(String, Source)>,
}

impl Tables {
    fn of(checkpoint: &Arc<Checkpoint>) -> Self {
        let named = Source::all(checkpoint).into_iter().map(|source| (source.name(), source));
        Self { states: named.collect() }
    }

    /// Finds a state by its name, or by the one that is typed for it.
    fn find(&self, name: &str) -> Option<&Source> {
        let exact = self.states.iter().find(|(own, _)| own == name);
        let found = exact.or_else(|| {
            let mut typed = self.states.iter().filter(|(own, _)| typed_name(own) == name);
            typed.next().filter(|_| typed.next().is_none())
        });
        found.map(|(_, source)| source)
    }
}

/// Returns a name as it is typed in SQL without quotes.
pub(crate) fn typed_name(name: &str) -> String {
    let typed = |letter: char| if letter.is_alphanumeric() { letter } else { '_' };
    name.to_lowercase().chars().map(typed).collect()
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.states.iter().map(|(name, _)| name)).finish()
    }
}

#[async_trait]
impl SchemaProvider for Tables {
    fn table_names(&self) -> Vec<String> {
        let names = self.states.iter().map(|(name, _)| {
            let typed = typed_name(name);
            let is_found = self.find(&typed).is_some_and(|found| found.name() == *name);
            if is_found { typed } else { name.clone() }
        });
        names.collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(source) = self.find(name) else { return Ok(None) };
        let opened = StateTable::new(source.clone());
        let table = opened.map_err(|failure| DataFusionError::External(Box::new(failure)))?;
        Ok(Some(Arc::new(table)))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.find(name).is_some()
    }
}
