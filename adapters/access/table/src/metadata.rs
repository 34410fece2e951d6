//! What checkpoints consist of, as tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array,
};
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use holdwater::manifest::Origin;
use holdwater_processor::Checkpoint;

use crate::catalog::typed_name;
use crate::source::Source;

/// The schema of tables that tell of checkpoints.
pub(crate) const META: &str = "meta";

/// Tables that tell of checkpoints: from their manifests alone.
#[derive(Debug)]
pub(crate) struct Metadata {
    tables: BTreeMap<&'static str, Arc<dyn TableProvider>>,
}

impl Metadata {
    /// Tells of checkpoints, each behind its name.
    pub(crate) fn of(checkpoints: &[(String, Arc<Checkpoint>)]) -> Result<Self> {
        let batches = [
            ("checkpoints", of_checkpoints(checkpoints)),
            ("operators", of_operators(checkpoints)),
            ("states", of_states(checkpoints)),
            ("key_groups", of_key_groups(checkpoints)),
            ("files", of_files(checkpoints)),
        ];
        let mut tables: BTreeMap<_, Arc<dyn TableProvider>> = BTreeMap::new();
        for (name, columns) in batches {
            let batch = RecordBatch::try_from_iter(columns)?;
            let table = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
            tables.insert(name, Arc::new(table));
        }
        Ok(Self { tables })
    }
}

type Columns = Vec<(&'static str, ArrayRef)>;

/// Makes a column of texts.
fn texts<T>(of: &[T], text: impl Fn(&T) -> String) -> ArrayRef {
    Arc::new(of.iter().map(|one| Some(text(one))).collect::<StringArray>())
}

/// Makes a column of numbers.
fn numbers<T>(of: &[T], number: impl Fn(&T) -> u64) -> ArrayRef {
    Arc::new(of.iter().map(|one| Some(number(one))).collect::<UInt64Array>())
}

fn of_checkpoints(all: &[(String, Arc<Checkpoint>)]) -> Columns {
    let time = |(_, it): &(String, Arc<Checkpoint>)| i64::try_from(it.manifest.created_ms).ok();
    let created: TimestampMillisecondArray = all.iter().map(time).collect();
    let origin = |origin: &Origin| match origin {
        Origin::Imported { id, .. } => format!("imported from {id}"),
        other => format!("{other:?}").to_lowercase(),
    };
    let parent = |(_, it): &(String, Arc<Checkpoint>)| it.manifest.parent.map(|id| id.to_string());
    vec![
        ("checkpoint", texts(all, |(name, _)| name.clone())),
        ("id", texts(all, |(_, it)| it.manifest.id.to_string())),
        ("kind", texts(all, |(_, it)| format!("{:?}", it.manifest.kind).to_lowercase())),
        ("job", texts(all, |(_, it)| format!("{:032x}", it.manifest.job))),
        ("created", Arc::new(created)),
        ("parent", Arc::new(all.iter().map(parent).collect::<StringArray>())),
        ("origin", texts(all, |(_, it)| origin(&it.manifest.origin))),
        ("depth", numbers(all, |(_, it)| it.manifest.depth.into())),
        ("key_groups", numbers(all, |(_, it)| it.manifest.key_groups.into())),
        ("files", numbers(all, |(_, it)| it.manifest.files.len() as u64)),
        ("bytes", numbers(all, |(_, it)| it.manifest.files.iter().map(|it| it.length).sum())),
    ]
}

fn of_operators(all: &[(String, Arc<Checkpoint>)]) -> Columns {
    let operators = all.iter().flat_map(|(name, checkpoint)| {
        checkpoint.manifest.operators.iter().map(move |operator| (name, operator))
    });
    let all: Vec<_> = operators.collect();
    vec![
        ("checkpoint", texts(&all, |(name, _)| (*name).clone())),
        ("operator", texts(&all, |(_, it)| it.name.clone())),
        ("parallelism", numbers(&all, |(_, it)| it.parallelism.into())),
        ("states", numbers(&all, |(_, it)| it.states.len() as u64)),
        ("native_parts", numbers(&all, |(_, it)| it.natives.len() as u64)),
    ]
}

/// Returns all states, each behind the name of its checkpoint.
fn sources(all: &[(String, Arc<Checkpoint>)]) -> Vec<(&str, Source)> {
    let named = |(name, checkpoint)| {
        let name: &String = name;
        Source::all(checkpoint).into_iter().map(move |source| (name.as_str(), source))
    };
    all.iter().map(|(name, checkpoint)| (name, checkpoint)).flat_map(named).collect()
}

fn of_states(all: &[(String, Arc<Checkpoint>)]) -> Columns {
    let all = sources(all);
    let kind = |source: &Source| {
        let kind = holdwater::state::Kind::from_code(source.entry().schema.kind);
        kind.map_or_else(|| "unknown".to_owned(), |kind| format!("{kind:?}").to_lowercase())
    };
    let schema = |source: &Source, of: fn(&holdwater_processor::encoded::Types) -> String| {
        holdwater_processor::encoded::Types::of(source.entry()).map(|types| of(&types)).ok()
    };
    let column = |of: fn(&holdwater_processor::encoded::Types) -> String| -> ArrayRef {
        Arc::new(all.iter().map(|(_, source)| schema(source, of)).collect::<StringArray>())
    };
    let ttl = |(_, source): &(&str, Source)| source.entry().schema.expiry.map(|it| it.duration_ms);
    vec![
        ("checkpoint", texts(&all, |(name, _)| (*name).to_owned())),
        ("operator", texts(&all, |(_, source)| source.operator().name.clone())),
        ("state", texts(&all, |(_, source)| source.entry().name.clone())),
        ("table_name", texts(&all, |(_, source)| typed_name(&source.name()))),
        ("kind", texts(&all, |(_, source)| kind(source))),
        ("key", column(|types| types.key.view().to_string())),
        ("value", column(|types| types.value_without_stamp().to_string())),
        ("ttl_ms", Arc::new(all.iter().map(ttl).collect::<Int64Array>())),
        ("key_groups", numbers(&all, |(_, source)| source.entry().chains.len() as u64)),
        ("rows", numbers(&all, |(_, source)| rows(source))),
        ("bytes", numbers(&all, |(_, source)| bytes(source))),
    ]
}

fn rows(source: &Source) -> u64 {
    let chains = source.entry().chains.iter();
    chains.flat_map(|chain| &chain.parts).map(|part| part.rows).sum()
}

fn bytes(source: &Source) -> u64 {
    source.entry().chains.iter().map(|chain| source.bytes(chain.group)).sum()
}

fn of_key_groups(all: &[(String, Arc<Checkpoint>)]) -> Columns {
    let all = sources(all);
    let groups = all.iter().flat_map(|(name, source)| {
        source.entry().chains.iter().map(move |chain| (*name, source, chain))
    });
    let all: Vec<_> = groups.collect();
    vec![
        ("checkpoint", texts(&all, |(name, ..)| (*name).to_owned())),
        ("operator", texts(&all, |(_, source, _)| source.operator().name.clone())),
        ("state", texts(&all, |(_, source, _)| source.entry().name.clone())),
        ("key_group", numbers(&all, |(.., chain)| chain.group.into())),
        ("parts", numbers(&all, |(.., chain)| chain.parts.len() as u64)),
        ("rows", numbers(&all, |(.., chain)| chain.parts.iter().map(|part| part.rows).sum())),
        ("bytes", numbers(&all, |(.., chain)| chain.parts.iter().map(|part| part.length).sum())),
    ]
}

fn of_files(all: &[(String, Arc<Checkpoint>)]) -> Columns {
    let files = all.iter().flat_map(|(name, checkpoint)| {
        let natives = checkpoint.manifest.native_files();
        checkpoint.manifest.files.iter().map(move |file| {
            let kind = if natives.contains(&file.id) { "native" } else { "snapshot" };
            (name, file, kind)
        })
    });
    let all: Vec<_> = files.collect();
    vec![
        ("checkpoint", texts(&all, |(name, ..)| (*name).clone())),
        ("file", texts(&all, |(_, file, _)| file.id.to_string())),
        ("kind", texts(&all, |(.., kind)| (*kind).to_owned())),
        ("bytes", numbers(&all, |(_, file, _)| file.length)),
        ("hash", texts(&all, |(_, file, _)| format!("{:032x}", file.hash))),
    ]
}

#[async_trait]
impl SchemaProvider for Metadata {
    fn table_names(&self) -> Vec<String> {
        self.tables.keys().map(|name| (*name).to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.tables.get(name).cloned())
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }
}
