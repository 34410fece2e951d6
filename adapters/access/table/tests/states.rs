//! States of a job as tables: which parts of files are read, and what is refused.

#![cfg(feature = "sql")]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use holdwater::manifest::Part;
use holdwater_cli::arguments::{Arguments, Command};
use holdwater_processor::Checkpoint;
use holdwater_processor::datum::Datum;
use holdwater_processor::failure::Failure;
use holdwater_table::{context, query, values};
use tempfile::TempDir;

/// Runs a job over some lines; its checkpoints lie in `dir`.
fn job() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let names = (0..200).map(|number| format!("k{},v{number},{number}\n", number % 40));
    let lines: String = std::iter::once("k,v,n\n".to_owned()).chain(names).collect();
    fs::write(path("in.csv"), lines).unwrap();
    let (input, output, checkpoints) = (path("in.csv"), path("out.csv"), path("dir"));
    let line = format!(
        "holdwater run --input {input} --output {output} --checkpoints {checkpoints} --key k \
         --agg count sum:n collect:v distinct:v"
    );
    let Ok(Command::Run(run)) = Arguments::read(line.split_whitespace()) else {
        panic!("a job: {line}")
    };
    assert_eq!(holdwater_cli::run::run(&run).unwrap(), 0);
    place
}

fn open(place: &Path) -> Arc<Checkpoint> {
    Arc::new(Checkpoint::open_unread(place.join("dir").to_str().unwrap()).unwrap())
}

fn asked(checkpoint: &Arc<Checkpoint>, text: &str) -> Result<Vec<Vec<Datum>>, Failure> {
    let context = context([("a".to_owned(), Arc::clone(checkpoint))], 64 << 20)?;
    let mut rows = Vec::new();
    for batch in query(&context, text)? {
        rows.extend(values(&batch?)?);
    }
    Ok(rows)
}

#[test]
fn a_query_of_one_key_reads_the_parts_of_its_group_and_no_other() {
    let place = job();
    let whole = open(place.path());
    let state = whole.state("count").unwrap();
    let key = Datum::Pairs(vec![(Datum::Text("k".to_owned()), Datum::Text("k7".to_owned()))]);
    let group = state.group_by_schema(&key).unwrap();
    let other = |other: &str| {
        let key = Datum::Pairs(vec![(Datum::Text("k".to_owned()), Datum::Text(other.to_owned()))]);
        state.group_by_schema(&key).unwrap()
    };
    let kept = state.entry().parts(group);
    // Damages every part but those, and but the first of each file: what lies there tells where the
    // file's table ends.
    let states = whole.states().flat_map(|(_, state)| &state.chains);
    let parts: Vec<_> = states.flat_map(|chain| &chain.parts).collect();
    let is_first = |part: &Part| {
        parts.iter().all(|other| other.file != part.file || other.offset >= part.offset)
    };
    for part in parts.iter().filter(|part| !kept.contains(part) && !is_first(part)) {
        let path = place.path().join("dir/data").join(part.file.to_string());
        let mut bytes = fs::read(&path).unwrap();
        bytes[(part.offset + part.length / 2) as usize] ^= 0x10;
        fs::write(path, bytes).unwrap();
    }
    let damaged = open(place.path());
    for text in [
        "select value from count where k = 'k7'",
        "select value from count where 'k7' = k and value > 0",
        "select value from count where k in ('k7')",
        "select c.value from count c join (select 'k7' k) x on c.k = x.k where c.k = 'k7'",
    ] {
        assert_eq!(asked(&damaged, text).unwrap(), [[Datum::Unsigned(5)]], "{text}");
    }
    for text in [
        "select count(*) from count".to_owned(),
        "select value from count where k <> 'k7'".to_owned(),
        "select value from count where k = 'k7' or value = 5".to_owned(),
        (0..40)
            .map(|number| format!("k{number}"))
            .find(|name| other(name) != group)
            .map(|name| format!("select value from count where k in ('k7', '{name}')"))
            .unwrap(),
    ] {
        let failure = asked(&damaged, &text).unwrap_err();
        assert!(matches!(failure, Failure::Corrupt(_)), "{text}: {failure}");
        assert_eq!(failure.exit_code(), 3);
    }
}

#[test]
fn what_is_read_is_counted_and_shown() {
    let place = job();
    let checkpoint = open(place.path());
    let state = checkpoint.state("count").unwrap();
    let key = Datum::Pairs(vec![(Datum::Text("k".to_owned()), Datum::Text("k7".to_owned()))]);
    let group = state.group_by_schema(&key).unwrap();
    let bytes: u64 = state.entry().parts(group).iter().map(|part| part.length).sum();
    let of = state.groups().count();
    let plan = |text: &str| {
        let rows = asked(&checkpoint, text).unwrap();
        rows.iter().flatten().map(Datum::cell).collect::<Vec<_>>().join("\n")
    };
    let one = plan("explain analyze select value from count where k = 'k7'");
    let said = format!("key_groups=1 of {of}, bytes={bytes}, groups=[{group}]");
    assert!(one.contains(&said), "{one}");
    let counted = format!("metrics=[bytes_read={bytes}, key_groups_read=1]");
    assert!(one.contains(&counted), "{one}");
    let all = plan("explain analyze select value from count");
    assert!(all.contains(&format!("key_groups={of} of {of}")), "{all}");
    assert!(all.contains(&format!("key_groups_read={of}]")), "{all}");
    let none = plan("explain select value from count where k = 'k7' and k = 'k8' and k = 'k9'");
    assert!(!none.contains(&format!("key_groups={of}")), "{none}");
}

#[test]
fn a_query_that_cannot_be_is_refused_and_nothing_is_changed() {
    let place = job();
    let checkpoint = open(place.path());
    for text in [
        "selec",
        "select x from count",
        "select * from nowhere",
        "create table x as select 1",
        "drop table count",
        "insert into count values ('a', 1)",
        "delete from count",
        "copy count to 'x.csv'",
        "set datafusion.execution.batch_size = 1",
        "select 1; select 2",
    ] {
        let failure = asked(&checkpoint, text).unwrap_err();
        assert!(matches!(failure, Failure::Usage(_)), "{text}: {failure}");
    }
    let failure = asked(&checkpoint, "select 1 / 0").unwrap_err();
    assert_eq!(failure.exit_code(), 1);
    let sorted = "select c.v from (select unnest(value) v from collect_v) c, count d order by v";
    let context = context([("a".to_owned(), Arc::clone(&checkpoint))], 1_000).unwrap();
    let rows: Result<Vec<_>, _> = query(&context, sorted).and_then(Iterator::collect);
    let failure = rows.unwrap_err();
    assert!(matches!(failure, Failure::Resource(_)), "{failure}");
    let twice = ["meta", "meta"].map(|name| (name.to_owned(), Arc::clone(&checkpoint)));
    assert!(holdwater_table::context(twice, 1_000).is_err());
}
