//! What must hold between the items of a schema: ids are unique, every prerequisite is on something that is there,
//! and nobody waits for themselves.
//!
//! Circles are looked for in one graph of beginnings and ends. An item's beginning comes before those of its parts,
//! and their ends before its own; "finished" puts the other's end before this one's beginning, "previous" the
//! other's beginning. So a circle is found that runs through containment (a phase waits for a task of the phase that
//! waits for it), and what is merely an unusual order is not taken for one.

use std::collections::{HashMap, VecDeque};

use super::PrerequisiteKind;
use super::finding::{Findings, did_you_mean, quoted};
use super::items::{Item, Named};

/// An item named by another, after names have been looked up.
struct Edge<'i> {
    from: usize,
    to: usize,
    named: &'i Named,
}

/// Reports what does not hold.
pub(super) fn check(items: &[Item], findings: &mut Findings<'_>) {
    let numbers = unique_ids(items, findings);
    let edges = known(items, &numbers, findings);
    for circle in circles(items, &edges) {
        report(items, &edges, &circle, findings);
    }
}

fn unique_ids<'i>(items: &'i [Item], findings: &mut Findings<'_>) -> HashMap<&'i str, usize> {
    let mut numbers: HashMap<&str, usize> = HashMap::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        // An id that could not be read was reported where it stands.
        if item.id.is_empty() {
            continue;
        }
        match numbers.get(item.id.as_str()) {
            None => {
                numbers.insert(&item.id, number);
            }
            Some(&first) => {
                let first = &items[first];
                let message = format!(
                    "the id {} is given twice: first to the {} at {}, again to this {}",
                    quoted(&item.id),
                    first.level.name(),
                    findings.place(first.span),
                    item.level.name()
                );
                let help = "an id is unique in the whole schema, over phases, objectives and tasks".to_owned();
                findings.error(item.span, &item.pointer, message, Some(help));
            }
        }
    }
    numbers
}

fn known<'i>(items: &'i [Item], numbers: &HashMap<&str, usize>, findings: &mut Findings<'_>) -> Vec<Edge<'i>> {
    let mut edges = Vec::new();
    for (from, item) in items.iter().enumerate() {
        for named in &item.named {
            let Some(&to) = numbers.get(named.item.as_str()) else {
                let message = format!(
                    "{} {} waits for {}, which is nowhere in this schema",
                    item.level.name(),
                    quoted(&item.id),
                    quoted(&named.item)
                );
                let help = match findings.is_full() {
                    true => None,
                    false => did_you_mean(&named.item, numbers.keys().copied()),
                };
                findings.error(named.span, &named.pointer, message, help);
                continue;
            };
            let relation = if from == to {
                "itself".to_owned()
            } else if is_part_of(items, from, to) {
                format!("{}, which it is part of", quoted(&named.item))
            } else if is_part_of(items, to, from) {
                format!("{}, which is part of it", quoted(&named.item))
            } else {
                edges.push(Edge { from, to, named });
                continue;
            };
            let message = format!("{} {} waits for {relation}", item.level.name(), quoted(&item.id));
            findings.error(named.span, &named.pointer, message, None);
        }
    }
    edges
}

/// Whether `inner` is somewhere below `outer`.
fn is_part_of(items: &[Item], inner: usize, outer: usize) -> bool {
    std::iter::successors(items[inner].parent, |number| items[*number].parent).any(|parent| parent == outer)
}

/// The point where an item begins, and the one where it ends.
fn begin(item: usize) -> usize {
    2 * item
}
fn end(item: usize) -> usize {
    2 * item + 1
}

/// One step of the graph: what comes later, and by which prerequisite, if by one.
#[derive(Clone, Copy)]
struct Step {
    later: usize,
    edge: Option<usize>,
}

/// For each knot of items that wait for each other, one shortest circle of prerequisites through it, as numbers of
/// edges, each waiting for what the next one begins with.
fn circles(items: &[Item], edges: &[Edge<'_>]) -> Vec<Vec<usize>> {
    let mut steps: Vec<Vec<Step>> = vec![Vec::new(); 2 * items.len()];
    for (number, item) in items.iter().enumerate() {
        steps[begin(number)].push(Step { later: end(number), edge: None });
        if let Some(parent) = item.parent {
            steps[begin(parent)].push(Step { later: begin(number), edge: None });
            steps[end(number)].push(Step { later: end(parent), edge: None });
        }
    }
    for (number, edge) in edges.iter().enumerate() {
        let earlier = match edge.named.kind {
            PrerequisiteKind::Finished => end(edge.to),
            PrerequisiteKind::Previous => begin(edge.to),
        };
        steps[earlier].push(Step { later: begin(edge.from), edge: Some(number) });
    }
    let component = components(&steps);
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    component.iter().for_each(|id| *sizes.entry(*id).or_default() += 1);
    let mut reported = Vec::new();
    let mut circles = Vec::new();
    for (point, id) in component.iter().enumerate() {
        if sizes[id] > 1 && !reported.contains(id) {
            reported.push(*id);
            circles.push(shortest_circle(&steps, &component, point));
        }
    }
    circles
}

/// The edges on a shortest way from `start` back to it within its component, last one first.
fn shortest_circle(steps: &[Vec<Step>], component: &[usize], start: usize) -> Vec<usize> {
    let mut came_by: HashMap<usize, (usize, Option<usize>)> = HashMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(point) = queue.pop_front() {
        for step in steps[point].iter().filter(|step| component[step.later] == component[start]) {
            if let std::collections::hash_map::Entry::Vacant(unseen) = came_by.entry(step.later) {
                unseen.insert((point, step.edge));
                queue.push_back(step.later);
            }
        }
        if came_by.contains_key(&start) {
            break;
        }
    }
    let mut circle = Vec::new();
    let mut point = start;
    while let Some((before, edge)) = came_by.remove(&point) {
        circle.extend(edge);
        point = before;
    }
    circle
}

/// Number of each point's strongly connected component (Tarjan's algorithm, with a stack of its own: a chain of two
/// thousand items must not become two thousand calls inside each other).
fn components(steps: &[Vec<Step>]) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let mut index = vec![UNSEEN; steps.len()];
    let mut low = vec![0; steps.len()];
    let mut component = vec![UNSEEN; steps.len()];
    let mut stack = Vec::new();
    let mut next = 0;
    for root in 0..steps.len() {
        if index[root] != UNSEEN {
            continue;
        }
        let mut calls = vec![(root, 0)];
        while let Some((point, child)) = calls.last_mut() {
            let point = *point;
            if *child == 0 {
                index[point] = next;
                low[point] = next;
                next += 1;
                stack.push(point);
            }
            if let Some(step) = steps[point].get(*child) {
                *child += 1;
                let later = step.later;
                if index[later] == UNSEEN {
                    calls.push((later, 0));
                } else if component[later] == UNSEEN {
                    low[point] = low[point].min(index[later]);
                }
                continue;
            }
            calls.pop();
            if let Some((caller, _)) = calls.last() {
                low[*caller] = low[*caller].min(low[point]);
            }
            if low[point] == index[point] {
                while let Some(member) = stack.pop() {
                    component[member] = point;
                    if member == point {
                        break;
                    }
                }
            }
        }
    }
    component
}

/// Prerequisites of a circle that are told; a longer one is cut, with their number.
const CIRCLE_TOLD_MAX: usize = 12;

fn report(items: &[Item], edges: &[Edge<'_>], circle: &[usize], findings: &mut Findings<'_>) {
    let Some(first) = circle.first().map(|number| &edges[*number]) else {
        return;
    };
    let mut message = format!("these wait for each other in a circle: {}", quoted(&items[first.from].id));
    for (place, number) in circle.iter().enumerate().take(CIRCLE_TOLD_MAX) {
        let edge = &edges[*number];
        let verb = match edge.named.kind {
            PrerequisiteKind::Finished => "waits for",
            PrerequisiteKind::Previous => "comes after",
        };
        let which = if place == 0 { "" } else { "which " };
        message.push_str(&format!(" {which}{verb} {},", quoted(&items[edge.to].id)));
        let following = edges[circle[(place + 1) % circle.len()]].from;
        if is_part_of(items, following, edge.to) {
            message.push_str(&format!(" whose part is {},", quoted(&items[following].id)));
        } else if is_part_of(items, edge.to, following) {
            message.push_str(&format!(" which is part of {},", quoted(&items[following].id)));
        }
    }
    message.pop();
    if circle.len() > CIRCLE_TOLD_MAX {
        message.push_str(&format!(", and so on over {} prerequisites", circle.len()));
    }
    let help = "leave out one of these prerequisites".to_owned();
    findings.error(first.named.span, &first.named.pointer, message, Some(help));
}
