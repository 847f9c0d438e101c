//! The order in which things are to be done.
//!
//! Published bundles keep their phases in files whose names say nothing about order, and authors move items about;
//! so each list of siblings is sorted by prerequisites of both kinds, and keeps the authored order where these say
//! nothing. A prerequisite between the parts of two siblings (a task of one phase waits for a task of another) puts
//! the siblings in order too, as long as that contradicts nothing: it may run both ways at once.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::{Prerequisite, Schema};

/// Place of an item: number of its phase, of its objective within it, of its task within that.
type Path = Vec<usize>;

/// One sibling that comes before another.
#[derive(Debug, Clone, Copy)]
struct Before {
    earlier: usize,
    later: usize,
    /// Named by the sibling itself rather than by one of its parts. These never form a circle in a checked schema.
    direct: bool,
}

/// Puts phases, objectives within their phase and tasks within their objective in order.
pub fn sort(schema: &mut Schema) {
    let items = items(schema);
    let paths: HashMap<&str, &Path> = items.iter().map(|(id, path, _)| (id.as_str(), path)).collect();
    let mut among: HashMap<Path, Vec<Before>> = HashMap::new();
    for (_, path, prerequisites) in &items {
        for other in prerequisites.iter().filter_map(|prerequisite| paths.get(prerequisite.item.as_str())) {
            let common = path.iter().zip(other.iter()).take_while(|(a, b)| a == b).count();
            let (Some(later), Some(earlier)) = (path.get(common), other.get(common)) else {
                continue;
            };
            let direct = path.len() == common + 1 && other.len() == common + 1;
            let before = Before { earlier: *earlier, later: *later, direct };
            among.entry(path[..common].to_vec()).or_default().push(before);
        }
    }
    let sorted = |parent: &[usize], count| permutation(count, among.get(parent).map_or(&[][..], Vec::as_slice));
    for (p, phase) in schema.phases.iter_mut().enumerate() {
        for (o, objective) in phase.objectives.iter_mut().enumerate() {
            arrange(&mut objective.tasks, |count| sorted(&[p, o], count));
        }
        arrange(&mut phase.objectives, |count| sorted(&[p], count));
    }
    arrange(&mut schema.phases, |count| sorted(&[], count));
}

fn items(schema: &Schema) -> Vec<(String, Path, Vec<Prerequisite>)> {
    let mut items = Vec::new();
    for (p, phase) in schema.phases.iter().enumerate() {
        items.push((phase.id.clone(), vec![p], phase.prerequisites.clone()));
        for (o, objective) in phase.objectives.iter().enumerate() {
            items.push((objective.id.clone(), vec![p, o], objective.prerequisites.clone()));
            for (t, task) in objective.tasks.iter().enumerate() {
                items.push((task.id.clone(), vec![p, o, t], task.prerequisites.clone()));
            }
        }
    }
    items
}

fn arrange<T>(list: &mut Vec<T>, order: impl Fn(usize) -> Vec<usize>) {
    let order = order(list.len());
    let mut taken: Vec<Option<T>> = list.drain(..).map(Some).collect();
    list.extend(order.into_iter().filter_map(|number| taken[number].take()));
}

/// The numbers `0..count`, the least first that nothing left comes before.
///
/// If everything left has something before it, the least is taken that no *direct* sibling comes before, and failing
/// that (only in a schema with a circle, which was refused) the least.
fn permutation(count: usize, before: &[Before]) -> Vec<usize> {
    let mut all_waiting = vec![0usize; count];
    let mut direct_waiting = vec![0usize; count];
    let mut followers: Vec<Vec<Before>> = vec![Vec::new(); count];
    for step in before {
        all_waiting[step.later] += 1;
        direct_waiting[step.later] += usize::from(step.direct);
        followers[step.earlier].push(*step);
    }
    let mut free: BinaryHeap<Reverse<usize>> = (0..count).filter(|n| all_waiting[*n] == 0).map(Reverse).collect();
    let mut placed = vec![false; count];
    let mut order = Vec::with_capacity(count);
    while order.len() < count {
        let next = free.pop().map(|Reverse(number)| number).filter(|number| !placed[*number]);
        let next = next.or_else(|| (0..count).find(|n| !placed[*n] && all_waiting[*n] == 0));
        let next = next.or_else(|| (0..count).find(|n| !placed[*n] && direct_waiting[*n] == 0));
        let Some(next) = next.or_else(|| (0..count).find(|n| !placed[*n])) else {
            break;
        };
        placed[next] = true;
        order.push(next);
        for step in &followers[next] {
            all_waiting[step.later] = all_waiting[step.later].saturating_sub(1);
            direct_waiting[step.later] = direct_waiting[step.later].saturating_sub(usize::from(step.direct));
            if all_waiting[step.later] == 0 && !placed[step.later] {
                free.push(Reverse(step.later));
            }
        }
    }
    order
}
