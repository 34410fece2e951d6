//! `holdwater diff`.

use std::collections::BTreeMap;

use holdwater_system::expected::expected;
use holdwater_system::place::Place;
use holdwater_system::rows::Rows;
use serde_json::Value;

use crate::objects;

const JOB: &str = "run --input flights.csv --key origin,destination --agg count sum:delay \
                   distinct:date --output out.csv --checkpoint-every 1h --retain 9";

fn counts(rows: &Rows) -> BTreeMap<String, String> {
    let all = expected(&[rows], &["origin", "destination"], &["count"]);
    all.rows.into_iter().map(|row| (format!("{},{}", row[0], row[1]), row[2].clone())).collect()
}

fn number(object: &Value, name: &str) -> usize {
    usize::try_from(object[name].as_u64().unwrap_or_else(|| panic!("{name}: {object}"))).unwrap()
}

#[test]
fn the_rows_that_changed_are_those_that_the_job_computes_otherwise() {
    let (place, rows) = Place::with_flights();
    place.run_in_parts(&format!("{JOB} --checkpoints dir"), "flights.csv", &rows, 5);
    let ids: Vec<_> = place.checkpoints("dir").into_iter().map(|found| found.id).collect();
    let (before, after) = (&ids[ids.len() - 2], &ids[ids.len() - 1]);
    let count = rows.rows.len();
    let (one, other) = (counts(&rows.first(count * 4 / 5)), counts(&rows));
    let added = other.keys().filter(|key| !one.contains_key(*key)).count();
    let same = other.iter().filter(|(key, count)| one.get(*key) == Some(count)).count();
    let changed = other.len() - added - same;
    assert!(added > 0 && same > 0 && changed > 0);
    let diff = format!("diff dir@{before} dir@{after}");
    let shown = objects(&place.holdwater(&format!("{diff} --json")).succeed().stdout);
    assert_eq!(shown.len(), 3);
    let found = &shown[0];
    assert!(found["state"].as_str().unwrap().ends_with("/count"), "{found}");
    let numbers = ["added", "removed", "changed", "same"].map(|name| number(found, name));
    assert_eq!(numbers, [added, 0, changed, same]);
    // The other way round what was added is removed.
    let back = place.holdwater(&format!("diff dir@{after} dir@{before} --json --state count"));
    let back = &objects(&back.succeed().stdout)[0];
    let numbers = ["added", "removed", "changed", "same"].map(|name| number(back, name));
    assert_eq!(numbers, [0, added, changed, same]);

    let lines = place.holdwater(&format!("{diff} --state count --rows")).succeed().stdout;
    let lines = objects(&lines);
    assert_eq!(lines.len(), added + changed);
    for line in &lines {
        let of = |name: &str| line["key"][name].as_str().unwrap().to_owned();
        let key = format!("{},{}", of("origin"), of("destination"));
        let shown = |name: &str| line.get(name).map(Value::to_string);
        assert_eq!(shown("before").as_ref(), one.get(&key), "{line}");
        assert_eq!(shown("after").as_ref(), other.get(&key), "{line}");
        assert_eq!(line["change"] == "added", !one.contains_key(&key), "{line}");
    }
    let table = place.holdwater(&diff).succeed().stdout;
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.lines().next().unwrap().contains("changed"), "{table}");
}

#[test]
fn checkpoints_of_other_key_groups_and_parallelism_compare_by_their_keys() {
    let (place, _) = Place::with_flights();
    place.holdwater(&format!("{JOB} --checkpoints one --parallelism 2")).succeed();
    let other = "--checkpoints other --parallelism 3 --key-groups 7 --backend mmap";
    place.holdwater(&format!("{JOB} {other}")).succeed();
    for diff in ["diff one other --json", "diff other one --json"] {
        for state in objects(&place.holdwater(diff).succeed().stdout) {
            let numbers = ["added", "removed", "changed"].map(|name| number(&state, name));
            assert_eq!(numbers, [0, 0, 0], "{state}");
            assert!(number(&state, "same") > 1000, "{state}");
        }
    }
}

#[test]
fn what_cannot_be_compared_is_said() {
    let (place, _) = Place::with_flights();
    place.holdwater(&format!("{JOB} --checkpoints one")).succeed();
    let other = JOB.replace("origin,destination", "origin").replace("sum:delay", "mean:delay");
    place.holdwater(&format!("{other} --checkpoints other")).succeed();
    place.holdwater("diff one other").refuse(1, &["state count", "origin: String", "u64"]);
    place.holdwater("diff one nowhere").refuse(1, &["nowhere"]);
    place.holdwater("diff one one --state counts").refuse(1, &["counts", "sum:delay"]);
    place.holdwater("diff one one --rows --json").refuse(2, &["--rows", "--json"]);
    // A state of one of them alone is added or removed as a whole.
    let only = place.holdwater("diff one other --state mean:delay --json").succeed().stdout;
    let only = &objects(&only)[0];
    assert!(number(only, "added") > 100 && number(only, "removed") == 0, "{only}");
}
