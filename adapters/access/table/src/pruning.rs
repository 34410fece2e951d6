//! Which keys a condition leaves, and so which key groups.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Expr, Operator};
use holdwater::schema::{Kind, Leaf, Schema};
use holdwater_processor::StateReader;
use holdwater_processor::datum::Datum;

use crate::layout::Layout;
use crate::types::data;

/// Returns the groups of the keys that all of these conditions leave, or nothing where they do not
/// say what the whole key is.
pub(crate) fn groups(
    state: &StateReader<'_>,
    layout: &Layout,
    conditions: &[Expr],
) -> Option<BTreeSet<u16>> {
    let mut named: BTreeMap<String, Vec<ScalarValue>> = BTreeMap::new();
    for (column, values) in conditions.iter().filter_map(alternatives) {
        // Each condition holds by itself: the first one that is told is enough.
        named.entry(column).or_insert(values);
    }
    let mut keys: Vec<Vec<Datum>> = vec![Vec::new()];
    for (place, schema) in layout.key() {
        let values = named.get(layout.columns().field(place).name())?;
        let wanted = layout.columns().field(place).data_type();
        let mut held: Vec<Datum> = Vec::new();
        for value in values {
            let column = value.cast_to(wanted).ok()?.to_array().ok()?;
            held.extend(data(schema, &column).ok()?);
        }
        if !is_compared_as_stored(schema) || keys.len() * held.len() > KEYS_MAX {
            return None;
        }
        let longer = |key: &Vec<Datum>| {
            let with = |held: &Datum| key.iter().chain([held]).cloned().collect();
            held.iter().map(with).collect::<Vec<_>>()
        };
        keys = keys.iter().flat_map(longer).collect();
    }
    keys.into_iter().map(|key| state.group_by_schema(&layout.key_of(key))).collect()
}

/// Returns whether a condition may say what a part of the key is.
pub(crate) fn is_about_keys(layout: &Layout, condition: &Expr) -> bool {
    let Some((column, _)) = alternatives(condition) else { return false };
    layout.key().any(|(place, _)| *layout.columns().field(place).name() == column)
}

/// Returns the values that a condition leaves of a column, where it is one that lists them.
fn alternatives(condition: &Expr) -> Option<(String, Vec<ScalarValue>)> {
    match condition {
        Expr::BinaryExpr(it) => match (it.op, &*it.left, &*it.right) {
            (Operator::Eq, Expr::Column(column), Expr::Literal(value, _))
            | (Operator::Eq, Expr::Literal(value, _), Expr::Column(column)) => {
                Some((column.name.clone(), vec![value.clone()]))
            }
            (Operator::Or, one, other) => {
                let ((column, mut values), (same, more)) =
                    (alternatives(one)?, alternatives(other)?);
                values.extend(more);
                (column == same).then_some((column, values))
            }
            (Operator::And, one, other) => alternatives(one).or_else(|| alternatives(other)),
            _ => None,
        },
        Expr::InList(InList { expr, list, negated: false }) => {
            let Expr::Column(column) = &**expr else { return None };
            let values = list.iter().map(|value| match value {
                Expr::Literal(value, _) => Some(value.clone()),
                _ => None,
            });
            Some((column.name.clone(), values.collect::<Option<_>>()?))
        }
        _ => None,
    }
}

/// Returns whether values that SQL finds equal are stored as the same bytes: of floats zero has two
/// signs, and what has parts is not compared here.
fn is_compared_as_stored(schema: Schema<'_>) -> bool {
    match schema.kind() {
        Kind::Leaf(leaf) => !matches!(leaf, Leaf::F32 | Leaf::F64),
        Kind::Option(inner) => is_compared_as_stored(inner),
        _ => false,
    }
}

/// For how many keys groups are looked up.
const KEYS_MAX: usize = 1_024;
