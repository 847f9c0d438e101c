//! What CEL offers here: its own types and functions, without optional values, and two functions that make a map's order
//! the same each time. The `cel` crate keeps maps in a hash map with a random seed, and goes through it as it lies.

use std::sync::{Arc, LazyLock};

use cel::common::ast::{CallExpr, Expr, operators};
use cel::common::types::{CelList, CelMap, CelMapKey, DYN_TYPE, LIST_TYPE, MAP_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError, IdedExpr};

/// The function that what a comprehension goes through is passed through. No source can name it.
pub(super) const ORDERED: &str = "@ordered";

/// The function that what is added to something is passed through: the crate adds a map's keys to a list, in any order,
/// where CEL has no such sum. No source can name it.
pub(super) const ADDED: &str = "@added";

pub(super) static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib().with_optional_support(false);
    declare(&mut environment).expect("the names begin with a sign that no other has");
    Arc::new(environment)
});

fn declare(environment: &mut Env) -> Result<(), DeclarationError> {
    environment.add_overload(ORDERED, "ordered_list", vec![LIST_TYPE], same)?;
    environment.add_overload(ORDERED, "ordered_map", vec![MAP_TYPE], sorted_keys)?;
    environment.add_overload(ADDED, "added_map", vec![MAP_TYPE], |_| {
        Err(ExecutionError::no_such_overload(operators::ADD, vec!["list".to_owned(), "map".to_owned()]))
    })?;
    // Overloads are tried in their order, and this one takes what is left.
    environment.add_overload(ADDED, "added_any", vec![DYN_TYPE], same)
}

fn same<'b, 'v>(mut arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    // An overload of one argument is called with one.
    Ok(arguments.remove(0))
}

/// The keys of a map in their order.
fn sorted_keys<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let map = arguments.first().and_then(|map| map.downcast_ref::<CelMap>());
    let mut keys: Vec<CelMapKey<'v>> = map.map(|map| map.inner().keys().cloned().collect()).unwrap_or_default();
    keys.sort();
    let values = keys.into_iter().map(|key| match key {
        CelMapKey::Bool(key) => Box::new(key) as Box<dyn Val + 'v>,
        CelMapKey::Int(key) => Box::new(key),
        CelMapKey::String(key) => Box::new(key),
        CelMapKey::UInt(key) => Box::new(key),
    });
    Ok(CowVal::owned(CelList::from(values.collect::<Vec<_>>())))
}

/// Puts a call of one of the functions above around a node.
pub(super) fn pass_through(function: &str, node: &mut IdedExpr) {
    let inner = std::mem::take(node);
    node.id = inner.id;
    node.expr = Expr::Call(CallExpr { func_name: function.to_owned(), target: None, args: vec![inner] });
}
