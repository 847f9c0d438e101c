//! Who is told of a task that is not finished: by a reminder those who may do it, by an escalation those to whom it goes.

use std::collections::BTreeMap;

use interlink_model::event::Actor;
use interlink_model::id::PersonId;
use interlink_model::process::Process;

use crate::assets::taking_part_as;
use crate::core::Core;
use crate::error::Outcome;
use crate::processes::roles_in;

/// Whom to tell. A reminder of a task that is somebody's is theirs alone; every other is for whoever takes part and has a role
/// that the task wants, an escalation for whoever has its role. Where nobody has it, all who take part are told: it is nobody's
/// otherwise.
pub(crate) async fn whom(core: &Core, process: &Process, task: &str, role: Option<&str>) -> Outcome<Vec<PersonId>> {
    let number = process.plan.outline.task_index(task);
    let assignee = number.and_then(|number| process.tasks[number].stage.person());
    if let Some(assignee) = assignee.filter(|_| role.is_none()) {
        return Ok(vec![assignee]);
    }
    let wanted: Vec<&str> = match (role, number) {
        (Some(role), _) => vec![role],
        (None, Some(number)) => process.plan.task(number).roles.iter().map(String::as_str).collect(),
        (None, None) => Vec::new(),
    };
    let people = taking_part_as(core, process.id).await?;
    Ok(with_a_role(&people, &wanted, |actor| roles_in(actor, &process.plan)))
}

/// Those who have one of the roles, where one is wanted and somebody has it; otherwise all.
fn with_a_role<'a>(
    people: &BTreeMap<PersonId, Actor>,
    wanted: &[&str],
    roles: impl Fn(Actor) -> Vec<&'a str>,
) -> Vec<PersonId> {
    let has = |actor: Actor| roles(actor).iter().any(|role| wanted.contains(role));
    let fitting: Vec<_> = people.iter().filter(|(_, actor)| has(**actor)).map(|(person, _)| *person).collect();
    if fitting.is_empty() { people.keys().copied().collect() } else { fitting }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_the_role_is_told_and_where_nobody_has_it_everybody() {
        let [ana, root] = [1, 2].map(|number| PersonId::from_bytes([number; 16]));
        let people = BTreeMap::from([(ana, Actor::Person(ana)), (root, Actor::Operator(root))]);
        let roles = |actor: Actor| match actor {
            Actor::Operator(_) => vec!["coordinator", "contributor"],
            _ => vec!["contributor"],
        };
        assert_eq!(with_a_role(&people, &["coordinator"], roles), [root]);
        assert_eq!(with_a_role(&people, &["contributor", "observer"], roles), [ana, root]);
        assert_eq!(with_a_role(&people, &["mayor"], roles), [ana, root], "it is nobody's otherwise");
        assert_eq!(with_a_role(&people, &[], roles), [ana, root]);
    }
}
