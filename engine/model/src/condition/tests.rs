//! The estimate against what comes out.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Expression;
use super::bound::Bound;
use super::cost::{Inputs, result_bound};
use super::error::ConditionError;

/// Expressions that give lists for [`any_inputs`] as often as not.
fn any_list() -> impl Strategy<Value = String> {
    let leaf =
        prop::sample::select(vec!["data.numbers", "data.texts", "[data.number]", "data.lists", "['a', data.text]"]);
    leaf.prop_map(str::to_owned).prop_recursive(3, 12, 2, |list| {
        let entry = prop_oneof![
            Just("x".to_owned()),
            Just("[x, x]".to_owned()),
            Just("{'key': x, data.text: [x]}".to_owned()),
            Just("string(x)".to_owned()),
            Just("x + x".to_owned()),
            Just("string(data.number) + string(size(data.texts))".to_owned()),
            list.clone(),
            list.clone().prop_map(|list| format!("{list}.map(x, [x])")),
        ];
        let test = prop_oneof![Just("true"), Just("x != data.number"), Just("x in data.numbers"), Just("size(x) > 1")];
        prop_oneof![
            (list.clone(), list.clone()).prop_map(|(a, b)| format!("({a} + {b})")),
            (list.clone(), entry).prop_map(|(list, entry)| format!("{list}.map(x, {entry})")),
            (list.clone(), test).prop_map(|(list, test)| format!("{list}.filter(x, {test})")),
            (list.clone(), list.clone()).prop_map(|(a, b)| format!("(size({a}) > 2 ? {a} : {b})")),
            (list.clone(), list.clone()).prop_map(|(a, b)| format!("{{'a': {a}, 'b': {b}}}.map(x, x)")),
            (list.clone(), list.clone()).prop_map(|(a, b)| format!("{{'a': {a}, 'b': {b}}}['b']")),
            list.clone().prop_map(|list| format!("[{list}, {list}][1]")),
            list.prop_map(|list| format!("[{list}]")),
        ]
    })
}

fn any_inputs() -> impl Strategy<Value = Value> {
    let number = prop_oneof![any::<i32>().prop_map(Value::from), any::<f64>().prop_map(Value::from)];
    let numbers = prop::collection::vec(number.clone(), 0..6);
    let texts = prop::collection::vec("[a-z]{0,90}", 0..6);
    let lists = prop::collection::vec(prop::collection::vec("[a-z]{0,40}", 0..4), 0..4);
    (number, "[a-z]{0,70}", numbers, texts, lists).prop_map(|(number, text, numbers, texts, lists)| {
        json!({"data": {"number": number, "text": text, "numbers": numbers, "texts": texts, "lists": lists}})
    })
}

proptest! {
    #[test]
    fn no_result_is_larger_than_its_bound(source in any_list(), inputs in any_inputs()) {
        let Ok(expression) = Expression::parse(&source) else {
            return Ok(());
        };
        let given = Inputs::Given(inputs.as_object().expect("they are a map"));
        match expression.evaluate_value(&inputs) {
            Ok(result) => {
                let bound = result_bound(&expression.0.expression, given).expect("it was let run");
                let measured = Bound::of_json(&result);
                prop_assert_eq!(measured.or(&bound), bound, "{}: {}", source, result);
            }
            Err(ConditionError::Failed { .. } | ConditionError::TooCostly { .. } | ConditionError::TooLarge { .. }) => (),
            Err(error) => prop_assert!(false, "{source}: {error}"),
        }
    }
}
