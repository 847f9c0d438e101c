//! What an evaluation costs at most, and how large its values become.
//!
//! The expression is walked once, with bounds in place of values. What is inside a comprehension counts as often as the
//! list is long, so nested lists multiply; both sides of a choice count. It is never too little: a list's length is that
//! of the longest which the same path could lead to.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use serde_json::{Map, Value};

use super::bound::Bound;
use super::environment::{ADDED, ORDERED};
use super::limits::{COMPREHENSIONS_MAX, COST_MAX, WEIGHT_MAX};

/// What the text of a number weighs: `string(1e-308)` is written out in more than 300 digits.
const NUMBER_TEXT_WEIGHT: u64 = 12;

/// What crosses a limit, at the node with this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excess {
    /// Comprehensions inside each other.
    Nested(u64),
    /// The cost.
    Cost(u64),
    /// The weight of a value.
    Weight(u64),
}

/// What is known of the inputs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Inputs<'d> {
    /// Nothing: the expression is being read.
    Assumed,
    /// Their values, by name.
    Given(&'d Map<String, Value>),
}

/// What is known of a value.
#[derive(Clone)]
enum Known<'d> {
    /// It is this part of an input.
    Value(&'d Value),
    /// It is no larger than this.
    AtMost(Bound),
}

impl Known<'_> {
    fn bound(&self) -> Bound {
        match self {
            Known::Value(value) => Bound::of_json(value),
            Known::AtMost(bound) => bound.clone(),
        }
    }
}

/// Estimates an expression.
///
/// # Errors
///
/// At the first node at which a limit is crossed.
pub(super) fn estimate(expression: &IdedExpr, inputs: Inputs) -> Result<(), Excess> {
    result_bound(expression, inputs).map(drop)
}

/// How large the result can be, if no limit is crossed on the way.
pub(super) fn result_bound(expression: &IdedExpr, inputs: Inputs) -> Result<Bound, Excess> {
    let mut estimate = Estimate { inputs, locals: Vec::new(), times: 1, nested: 0, cost: 0 };
    let result = estimate.of(expression)?.bound();
    // The result is copied out of the evaluation.
    estimate.charge(expression.id, result.weight())?;
    Ok(result)
}

struct Estimate<'d, 'e> {
    inputs: Inputs<'d>,
    /// Variables of comprehensions around, the innermost last.
    locals: Vec<(&'e str, Known<'d>)>,
    /// How often what is looked at is evaluated.
    times: u64,
    /// How many comprehensions are around.
    nested: usize,
    cost: u64,
}

impl<'d, 'e> Estimate<'d, 'e> {
    /// The bound of a node, whose cost is charged.
    fn of(&mut self, node: &'e IdedExpr) -> Result<Known<'d>, Excess> {
        self.charge(node.id, 1)?;
        let known = match &node.expr {
            Expr::Literal(literal) => Known::AtMost(of_literal(literal)),
            Expr::Ident(name) => self.named(name),
            Expr::Select(select) => {
                let operand = self.of(&select.operand)?;
                if select.test { small() } else { field(&operand, &select.field) }
            }
            Expr::Call(call) => Known::AtMost(self.call(node.id, call)?),
            Expr::List(list) => Known::AtMost(self.entries(node.id, list.elements.iter())?),
            Expr::Map(map) => {
                let parts = map.entries.iter().flat_map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
                    EntryExpr::StructField(field) => vec![&field.value],
                });
                Known::AtMost(self.entries(node.id, parts)?)
            }
            Expr::Comprehension(comprehension) => Known::AtMost(self.comprehension(node.id, comprehension)?),
            // Refused when the expression was read.
            Expr::Struct(_) | Expr::Unspecified => small(),
        };
        match &known {
            Known::AtMost(bound) if bound.weight() > WEIGHT_MAX => Err(Excess::Weight(node.id)),
            _ => Ok(known),
        }
    }

    fn charge(&mut self, id: u64, nodes: u64) -> Result<(), Excess> {
        self.cost = self.cost.saturating_add(nodes.saturating_mul(self.times));
        if self.cost > COST_MAX { Err(Excess::Cost(id)) } else { Ok(()) }
    }

    fn named(&self, name: &str) -> Known<'d> {
        if let Some((_, known)) = self.locals.iter().rev().find(|(local, _)| *local == name) {
            return known.clone();
        }
        match self.inputs {
            Inputs::Assumed => Known::AtMost(Bound::assumed()),
            Inputs::Given(values) => values.get(name).map_or_else(small, Known::Value),
        }
    }

    /// A list or map of parts, which are copied into it.
    fn entries(&mut self, id: u64, parts: impl Iterator<Item = &'e IdedExpr>) -> Result<Bound, Excess> {
        let bounds = parts.map(|part| Ok(self.of(part)?.bound())).collect::<Result<Vec<_>, _>>()?;
        let list = Bound::list(&bounds);
        self.charge(id, list.weight())?;
        Ok(list)
    }

    fn call(&mut self, id: u64, call: &'e CallExpr) -> Result<Bound, Excess> {
        let parts = call.target.as_deref().into_iter().chain(&call.args);
        let known = parts.map(|part| self.of(part)).collect::<Result<Vec<_>, _>>()?;
        if let (operators::INDEX, [container, _]) = (call.func_name.as_str(), known.as_slice()) {
            let key = call.args.get(1).and_then(literal_text);
            return Ok(key.map_or_else(|| container.bound().inside(), |key| field(container, key).bound()));
        }
        let bounds: Vec<Bound> = known.iter().map(Known::bound).collect();
        let weight = bounds.iter().fold(0, |sum: u64, bound| sum.saturating_add(bound.weight()));
        match (call.func_name.as_str(), bounds.as_slice()) {
            (operators::CONDITIONAL, [_, yes, no]) => Ok(yes.or(no)),
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => {
                self.charge(id, left.weight().min(right.weight()))?;
                Ok(Bound::small())
            }
            (operators::ADD, [left, right]) => {
                self.charge(id, weight)?;
                Ok(left.and(right))
            }
            (operators::IN, [wanted, list]) => {
                // Each entry is compared, up to the smaller of the two.
                let compared = list.length().saturating_mul(wanted.weight().saturating_add(1));
                self.charge(id, compared.min(list.weight()))?;
                Ok(Bound::small())
            }
            (ORDERED, [range]) => {
                // The keys of a map are sorted and copied.
                self.charge(id, range.length())?;
                Ok(range.clone())
            }
            (ADDED, [added]) => Ok(added.clone()),
            ("string", [text]) => {
                self.charge(id, weight)?;
                Ok(Bound::of_weight(text.weight().saturating_add(NUMBER_TEXT_WEIGHT)))
            }
            ("size", _) => Ok(Bound::small()),
            _ => {
                self.charge(id, weight)?;
                Ok(Bound::small())
            }
        }
    }

    fn comprehension(&mut self, id: u64, comprehension: &'e ComprehensionExpr) -> Result<Bound, Excess> {
        if self.nested == COMPREHENSIONS_MAX {
            return Err(Excess::Nested(id));
        }
        let range = self.of(&comprehension.iter_range)?.bound();
        let start = self.of(&comprehension.accu_init)?.bound();
        let (count, entry) = (range.length(), range.inside());
        let around = self.times;
        self.times = around.saturating_mul(count);
        self.nested += 1;
        // Each entry is copied into its variable.
        self.charge(id, entry.weight())?;
        let locals = self.locals.len();
        self.locals.push((&comprehension.iter_var, Known::AtMost(entry)));
        self.locals.push((&comprehension.accu_var, Known::AtMost(start)));
        self.of(&comprehension.loop_cond)?;
        let step = self.of(&comprehension.loop_step)?.bound();
        self.locals.truncate(locals);
        self.nested -= 1;
        self.times = around;
        // `map` and `filter` begin with an empty list and add a list of one to it; the others give true or false.
        let made = match comprehension.accu_init.expr {
            Expr::List(_) => step.times(count),
            _ => Bound::small(),
        };
        self.charge(id, made.weight())?;
        Ok(made)
    }
}

fn small<'d>() -> Known<'d> {
    Known::AtMost(Bound::small())
}

fn of_literal(literal: &LiteralValue) -> Bound {
    match literal {
        LiteralValue::String(text) => Bound::text(text.inner().len()),
        _ => Bound::small(),
    }
}

fn literal_text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// A named field; one that is missing has no size.
fn field<'d>(known: &Known<'d>, name: &str) -> Known<'d> {
    match known {
        Known::Value(value) => value.get(name).map_or_else(small, Known::Value),
        Known::AtMost(bound) => Known::AtMost(bound.inside()),
    }
}
