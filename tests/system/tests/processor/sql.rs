//! `holdwater sql`.

use holdwater_system::place::Place;
#[cfg(feature = "sql")]
use {
    holdwater_system::expected::expected,
    holdwater_system::process::Finished,
    holdwater_system::rows::{Rows, assert_same},
    holdwater_system::windows::{DAY, Windows, windows},
    std::fs,
};

#[cfg(not(feature = "sql"))]
#[test]
fn a_build_without_it_says_how_to_get_it() {
    let said = ["this build has no SQL", "--features sql"];
    let (place, _) = Place::with_flights();
    place.holdwater("sql dir").argument("select 1").refuse(2, &said);
    let job = "run --input flights.csv --key origin --agg count --output out.csv --checkpoints dir";
    place.holdwater(job).succeed();
    for flag in ["--set-from", "--delete-from"] {
        let edit = place.holdwater(&format!("edit dir out --state count {flag}"));
        edit.argument("select * from count").refuse(2, &said);
    }
    let said = ["this build has no Parquet", "--features sql"];
    place.holdwater("dump dir --state count --format parquet").refuse(2, &said);
    place.holdwater("import x.parquet out --like dir --state count").refuse(2, &said);
    assert!(!place.path("out").exists());
}

#[cfg(feature = "sql")]
fn sql(place: &Place, flags: &str, query: &str) -> Finished {
    place.holdwater(&format!("sql {flags}")).argument(query).succeed()
}

#[cfg(feature = "sql")]
#[test]
fn counts_and_sums_of_windows_equal_an_independent_computation() {
    let (place, flights) = Place::with_flights();
    let specs = ["count", "sum:delay"];
    // Late rows still count for longer than there are flights: every window is held.
    let job = "run --input flights.csv --key origin --agg count sum:delay --time date --window 5d \
               --lateness 4000d --output out.csv --checkpoints dir --parallelism 2";
    place.run_in_parts(&format!("{job} --checkpoint-every 1700rows"), "flights.csv", &flights, 2);
    let lateness = 4_000 * DAY;
    let wanted =
        windows(&[&flights], &["origin"], &specs, "date", (Windows::Tumbling(5 * DAY), lateness));
    let mut wanted = wanted.rows;
    wanted.rows.retain(|row| row[2] != "0");
    let query = "select origin, window_start, c.value as count, s.value['Integer'] as \"sum:delay\" \
                 from count c join sum_delay s using (origin, window_start)";
    assert_same(&sql(&place, "dir", query).rows(), &wanted);
    let total = "select sum(value) n, count(distinct origin) keys from count";
    let origins = expected(&[&flights], &["origin"], &["count"]);
    let rows = sql(&place, "dir", total).rows().rows;
    assert_eq!(rows, [[flights.rows.len().to_string(), origins.rows.len().to_string()]]);
    let ends = "select count(*) from count where window_end <> window_start + interval '5 days'";
    assert_eq!(sql(&place, "dir", ends).rows().rows, [["0"]]);
}

#[cfg(feature = "sql")]
#[test]
fn one_query_tells_what_changed_between_two_checkpoints() {
    let (place, flights) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg count --output out.csv --checkpoints dir";
    let first = flights.first(300);
    place.write("flights.csv", &first.to_csv());
    place.holdwater(job).succeed();
    place.holdwater("savepoint dir before").succeed();
    place.write("flights.csv", &flights.first(500).to_csv());
    place.holdwater(job).succeed();
    let query = "select coalesce(x.origin, y.origin) origin, x.value was, y.value is_now \
                 from a.count x full join b.count y on x.origin = y.origin \
                 where x.value is distinct from y.value";
    let found = sql(&place, "before dir", query).rows();
    let counts = |rows: &Rows| expected(&[rows], &["origin"], &["count"]).rows;
    let was: std::collections::BTreeMap<_, _> =
        counts(&first).into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let mut wanted = Rows::new(&["origin", "was", "is_now"]);
    for row in counts(&flights.first(500)) {
        let before = was.get(&row[0]).cloned().unwrap_or_default();
        if before != row[1] {
            wanted.rows.push(vec![row[0].clone(), before, row[1].clone()]);
        }
    }
    assert!(wanted.rows.iter().any(|row| row[1].is_empty()));
    assert_same(&found, &wanted);
    let named = query.replace("a.count", "old.count").replace("b.count", "new.count");
    assert_same(&sql(&place, "old=before new=dir", &named).rows(), &wanted);
    let gone = "select origin, value from b.count except select origin, value from a.count";
    assert_eq!(sql(&place, "before dir", gone).rows().rows.len(), wanted.rows.len());
}

#[cfg(feature = "sql")]
#[test]
fn every_kind_of_state_is_a_table_and_what_had_expired_is_not_there() {
    let (place, flights) = Place::with_flights();
    let specs = ["count", "mean:distance", "max:delay", "last:date", "distinct:destination"];
    let job = format!(
        "run --input flights.csv --key origin --agg {} collect:delay --output out.csv",
        specs.join(" ")
    );
    place.holdwater(&format!("{job} --checkpoints dir")).succeed();
    let query = "select c.origin, c.value as count, \
                 coalesce(m.value['sum']['Integer'] / 1.0, m.value['sum']['Float']) \
                 / m.value['count'] as mean, \
                 x.value['Integer'] as max, l.value as last, cardinality(d.value) as destinations, \
                 cardinality(k.value) as delays \
                 from count c join mean_distance m on m.origin = c.origin \
                 join max_delay x on x.origin = c.origin join last_date l on l.origin = c.origin \
                 join distinct_destination d on d.origin = c.origin \
                 join collect_delay k on k.origin = c.origin where c.origin = 'ATL'";
    let found = sql(&place, "dir --json", query).stdout;
    let found = &crate::objects(&found)[0];
    let wanted = expected(&[&flights], &["origin"], &specs);
    let wanted = wanted.rows.into_iter().find(|row| row[0] == "ATL").unwrap();
    let text = |name: &str| found[name].to_string().trim_matches('"').to_owned();
    assert_eq!((text("count"), text("last")), (wanted[1].clone(), wanted[4].clone()));
    assert_eq!((text("max"), text("destinations")), (wanted[3].clone(), wanted[5].clone()));
    let mean = |text: &str| text.parse::<f64>().unwrap();
    assert!((mean(&text("mean")) - mean(&wanted[2])).abs() < 1e-3, "{found} {wanted:?}");
    let ttl = "run --input flights.csv --key origin --agg count --output out.csv --time date \
               --window 4000d --ttl 20d --checkpoints ttl";
    place.holdwater(ttl).succeed();
    let dumped = place.holdwater("dump ttl --state count").succeed().stdout.lines().count();
    let rows = sql(&place, "ttl", "select count(*) from count").rows().rows;
    assert_eq!(rows, [[dumped.to_string()]]);
    let kinds = "select state, kind from meta.states order by state";
    let kinds = sql(&place, "dir", kinds).rows().rows;
    assert_eq!(kinds.len(), 6, "{kinds:?}");
}

#[cfg(feature = "sql")]
#[test]
fn what_is_damaged_ends_a_query_as_it_ends_every_other_look() {
    let (place, flights) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg count --output out.csv --checkpoints dir";
    place.run_in_parts(job, "flights.csv", &flights, 2);
    let all = || place.holdwater("sql dir").argument("select sum(value) from count");
    assert_eq!(all().succeed().rows().rows, [[flights.rows.len().to_string()]]);
    let newest = place.checkpoints("dir").len();
    assert!(newest > 1);
    // The newest file is cut in its middle: the checkpoint before it is asked, and one is warned.
    let mut files = place.objects("dir", "data");
    files.sort();
    let (_, newest) = files.pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, bytes).unwrap();
    let older = all().succeed();
    assert!(older.stderr.contains("passed over"), "{}", older.stderr);
    for (_, file) in files {
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    }
    all().refuse(3, &["dir"]);
    place.holdwater("sql nowhere").argument("select 1").refuse(1, &["nowhere"]);
    place.holdwater("sql dir").refuse(2, &["a query behind it"]);
}

#[cfg(feature = "sql")]
#[test]
fn a_job_goes_on_from_rows_that_queries_put_and_removed() {
    let (place, flights) = Place::with_flights();
    let job = "run --input flights.csv --key origin --agg count --output out.csv";
    let first = flights.first(12_000);
    place.write("flights.csv", &first.to_csv());
    place.holdwater(&format!("{job} --checkpoints dir")).succeed();
    let edit = place.holdwater("edit dir edited --state count --set-from");
    let edit =
        edit.argument("select origin, value + 1000 as value from count where origin <> 'JFK'");
    edit.argument("--delete-from")
        .argument("select origin from count where origin = 'JFK'")
        .succeed();
    place.holdwater("verify edited --deep").succeed();
    place.write("flights.csv", &flights.to_csv());
    place.holdwater(&format!("{job} --checkpoints new --from edited --parallelism 3")).succeed();
    let counts = |rows: &Rows| expected(&[rows], &["origin"], &["count"]);
    let was: std::collections::BTreeMap<_, _> =
        counts(&first).rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let mut wanted = counts(&flights);
    for row in &mut wanted.rows {
        let number = |text: &str| text.parse::<i64>().unwrap();
        match (was.get(&row[0]), &*row[0]) {
            (Some(was), "JFK") => row[1] = (number(&row[1]) - number(was)).to_string(),
            (Some(_), _) => row[1] = (number(&row[1]) + 1_000).to_string(),
            (None, _) => {}
        }
    }
    assert_same(&place.rows("out.csv"), &wanted);
    for (query, said) in [
        ("select origin, 1.5 as value from count", "value: expected u64, found Float64"),
        ("select origin from count", "the columns are origin, not origin, value"),
        ("select origin, -1 as value from count", "value: expected u64"),
        ("selec", "SQL"),
    ] {
        let edit = place.holdwater("edit dir other --state count --set-from").argument(query);
        edit.refuse(2, &[said]);
        assert!(!place.path("other").exists());
    }
}

#[cfg(feature = "sql")]
#[test]
fn rows_come_back_from_parquet_as_they_were_and_a_job_goes_on_from_them() {
    let (place, flights) = Place::with_flights();
    let specs = ["count", "sum:delay", "max:delay", "distinct:destination", "collect:delay"];
    let job = format!(
        "run --input flights.csv --key origin,destination --agg {} --output out.csv",
        specs.join(" ")
    );
    place.write("flights.csv", &flights.first(9_000).to_csv());
    place.holdwater(&format!("{job} --checkpoints dir")).succeed();
    let ttl = "run --input flights.csv --key origin --agg count collect:delay last:date \
               --output ttl.csv --time date";
    place.holdwater(&format!("{ttl} --window 90d --ttl 30d --checkpoints stamped")).succeed();
    place.holdwater(&format!("{ttl} --session 6h --checkpoints sessions")).succeed();
    let mut from = "dir".to_owned();
    let stamped = [("stamped", "collect:delay"), ("stamped", "count"), ("sessions", "last:date")];
    for (number, (directory, state)) in
        specs.map(|state| ("dir", state)).into_iter().chain(stamped).enumerate()
    {
        let dump = format!("dump {directory} --state {state} --stored --format parquet");
        place.shell(&format!("\"$0\" {dump} > rows.parquet")).succeed();
        let like = if directory == "dir" { &from } else { directory };
        let out = format!("imported-{number}");
        let import = format!("import rows.parquet {out} --like {like} --state {state}");
        place.holdwater(&import).succeed();
        let diff = place.holdwater(&format!("diff {directory} {out} --rows")).succeed();
        assert_eq!(diff.stdout, "", "{directory} {state}");
        if directory == "dir" {
            from = out;
        }
    }
    place.write("flights.csv", &flights.to_csv());
    place.holdwater(&format!("{job} --checkpoints new --from {from}")).succeed();
    assert_same(&place.rows("out.csv"), &expected(&[&flights], &["origin", "destination"], &specs));
    place.write("bad.parquet", "PAR1");
    place.holdwater("import bad.parquet x --like dir --state count").refuse(1, &["bad.parquet"]);
    let query = "select origin, destination, 'x' as value from count";
    sql(&place, "dir --output bad.parquet", query);
    let bad = place.holdwater("import bad.parquet x --like dir --state count");
    bad.refuse(1, &["bad.parquet", "value: expected u64, found"]);
}
