//! What an expression may name and use.

use std::collections::BTreeSet;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SourceInfo, operators};

use super::VARIABLES;
use super::environment::{ADDED, ORDERED, pass_through};
use super::error::{ConditionError, Place};
use super::limits::{DEPTH_MAX, NODES_MAX};
use super::parse::place_of;
use crate::near::{nearest, shown};

/// Operators, and what macros are made of.
const OPERATORS: [&str; 19] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
    operators::IN,
];

/// Functions whose cost is that of their arguments' size at most.
const FUNCTIONS: [&str; 21] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "bool",
    "int",
    "uint",
    "double",
    "string",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];

/// Macros, for those who misspell one; the parser has replaced them.
const MACROS: [&str; 6] = ["has", "all", "exists", "exists_one", "map", "filter"];

/// Checks an expression, and passes what its comprehensions go through, and what it adds, through [`ORDERED`] and
/// [`ADDED`].
///
/// # Errors
///
/// At the first node that may not be.
pub(super) fn check(
    expression: &mut IdedExpr,
    places: &SourceInfo,
    source: &str,
) -> Result<BTreeSet<&'static str>, ConditionError> {
    let mut check = Check { places, source, variables: BTreeSet::new(), locals: Vec::new(), nodes: 0 };
    check.node(expression, 1)?;
    Ok(check.variables)
}

struct Check<'s> {
    places: &'s SourceInfo,
    source: &'s str,
    variables: BTreeSet<&'static str>,
    /// Variables of the comprehensions around.
    locals: Vec<String>,
    nodes: usize,
}

impl Check<'_> {
    fn node(&mut self, node: &mut IdedExpr, depth: usize) -> Result<(), ConditionError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(ConditionError::TooManyNodes);
        }
        if depth > DEPTH_MAX {
            return Err(ConditionError::TooDeep { place: place_of(self.places, self.source, node.id) });
        }
        let (id, depth) = (node.id, depth + 1);
        match &mut node.expr {
            Expr::Literal(LiteralValue::Bytes(_)) => Err(self.not_offered(id, "bytes", "write a text without `b`")),
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.name(id, name),
            Expr::Select(select) => self.node(&mut select.operand, depth),
            Expr::Call(call) => self.call(id, call, depth),
            Expr::List(list) => list.elements.iter_mut().try_for_each(|element| self.node(element, depth)),
            Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| match &mut entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.node(&mut entry.key, depth)?;
                    self.node(&mut entry.value, depth)
                }
                EntryExpr::StructField(_) => Err(self.not_offered(id, "a message", "write a map, as in `{'a': 1}`")),
            }),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, depth),
            Expr::Struct(_) => Err(self.not_offered(id, "a message", "write a map, as in `{'a': 1}`")),
            Expr::Unspecified => Err(self.not_offered(id, "nothing", "write an expression")),
        }
    }

    fn comprehension(&mut self, comprehension: &mut ComprehensionExpr, depth: usize) -> Result<(), ConditionError> {
        self.node(&mut comprehension.iter_range, depth + 1)?;
        self.node(&mut comprehension.accu_init, depth)?;
        pass_through(ORDERED, &mut comprehension.iter_range);
        let locals = self.locals.len();
        self.locals.extend([comprehension.iter_var.clone(), comprehension.accu_var.clone()]);
        let body = [&mut comprehension.loop_cond, &mut comprehension.loop_step, &mut comprehension.result];
        body.into_iter().try_for_each(|part| self.node(part, depth))?;
        self.locals.truncate(locals);
        Ok(())
    }

    fn name(&mut self, id: u64, name: &str) -> Result<(), ConditionError> {
        if self.locals.iter().any(|local| local == name) {
            return Ok(());
        }
        if let Some(variable) = VARIABLES.iter().find(|variable| **variable == name) {
            self.variables.insert(variable);
            return Ok(());
        }
        let known = VARIABLES.into_iter().chain(self.locals.iter().map(String::as_str));
        let help = match nearest(name, known.filter(|known| !known.starts_with('@'))) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write process, tasks, data or now, and texts in quotes".to_owned(),
        };
        Err(ConditionError::Variable { place: place_of(self.places, self.source, id), name: shown(name), help })
    }

    fn call(&mut self, id: u64, call: &mut CallExpr, depth: usize) -> Result<(), ConditionError> {
        let name = call.func_name.as_str();
        if !OPERATORS.contains(&name) && !FUNCTIONS.contains(&name) {
            let help = help_for_function(name);
            return Err(ConditionError::Function { place: self.place_of_name(id, name), name: shown(name), help });
        }
        let parts = call.target.as_deref_mut().into_iter().chain(&mut call.args);
        parts.into_iter().try_for_each(|part| self.node(part, depth))?;
        if let (operators::ADD, [left, right]) = (call.func_name.as_str(), call.args.as_mut_slice())
            && !is_result(left)
        {
            pass_through(ADDED, right);
        }
        Ok(())
    }

    /// Where the name of a function stands that is called: calls are known by their bracket.
    fn place_of_name(&self, id: u64, name: &str) -> Place {
        let bracket = place_of(self.places, self.source, id);
        let before = self.source[..bracket.offset].trim_end();
        if before.ends_with(name) { Place::of(self.source, before.len() - name.len()) } else { bracket }
    }

    fn not_offered(&self, id: u64, what: &'static str, help: &'static str) -> ConditionError {
        ConditionError::NotOffered { place: place_of(self.places, self.source, id), what, help }
    }
}

/// Whether it is what a comprehension has so far, to which macros add lists; the crate knows that form and adds in place.
fn is_result(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Ident(name) if name.starts_with('@'))
}

fn help_for_function(name: &str) -> String {
    if name == "matches" {
        return "regular expressions are not evaluated: write contains, startsWith or endsWith".to_owned();
    }
    if MACROS.contains(&name) {
        return format!("`{name}` is written as in `has(data.name)`, `tasks.all(task, …)` or `tasks.map(task, …)`");
    }
    match nearest(name, FUNCTIONS.into_iter().chain(MACROS)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write one of CEL's functions for texts, numbers, lists and times".to_owned(),
    }
}
