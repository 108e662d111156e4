//! Structure: every element travels with the set of inputs it can depend on, whatever the numbers are.
//!
//! `where`, `maximum` and the like depend on both branches, so a pattern found at one point holds at all others that take
//! the same way through the program.
use super::{apply_prim, Kind, LevelRef, Value};
use crate::{
    array::Array,
    dtype::DType,
    error::{Error, Result},
    op::{Locality, Prim, Values, Which},
    ops::{compare::nonzero_flags, create::arange_i64, expand, reshape},
    shape::{Axes, Dims},
};
use smallvec::SmallVec;
use std::sync::Arc;

/// For every element, in row-major order, the sorted inputs it depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Sets {
    /// Where each element's members begin, and where the last one's end.
    pub offsets: Vec<usize>,
    pub members: Vec<u32>,
}
/// Members from which on a pattern is no use any more: 1 GiB of them.
const TOO_MANY: usize = 1 << 28;

impl Sets {
    /// Every element depends on itself; the first one has the number `start`.
    pub fn of_inputs(start: usize, n: usize) -> Sets {
        Sets { offsets: (0..=n).collect(), members: (start as u32..(start + n) as u32).collect() }
    }
    pub fn row(&self, i: usize) -> &[u32] {
        &self.members[self.offsets[i]..self.offsets[i + 1]]
    }
    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }
    // Iterators and closures come as pointers: one copy of each loop is enough, and its work is in memory.
    fn collect<'a>(rows: &mut dyn Iterator<Item = Row<'a>>) -> Result<Sets> {
        let mut sets = Sets { offsets: vec![0], members: Vec::new() };
        for row in rows {
            match row {
                Row::One(members) => sets.members.extend_from_slice(members),
                Row::Two(a, b) => merge(a, b, &mut sets.members),
            }
            sets.offsets.push(sets.members.len());
            if sets.members.len() > TOO_MANY {
                return Err(dense());
            }
        }
        Ok(sets)
    }
    fn union(&self, other: &Sets) -> Result<Sets> {
        Sets::collect(&mut (0..self.rows()).map(|i| Row::Two(self.row(i), other.row(i))))
    }
    /// The union of the elements that go to each of `groups` places.
    fn grouped(&self, groups: usize, place: &dyn Fn(usize) -> usize) -> Result<Sets> {
        if self.rows() > u32::MAX as usize {
            return Err(dense());
        }
        let order = Sets::placed(groups, &|put| (0..self.rows()).for_each(|i| put(place(i), i as u32)));
        order.unions(&|i| self.row(i as usize))
    }
    /// For each of `groups` places what is put there, in the order in which it comes.
    fn placed(groups: usize, each: &dyn Fn(&mut dyn FnMut(usize, u32))) -> Sets {
        let mut offsets = vec![0usize; groups + 1];
        each(&mut |place, _| offsets[place + 1] += 1);
        for g in 0..groups {
            offsets[g + 1] += offsets[g];
        }
        let (mut next, mut members) = (offsets.clone(), vec![0; offsets[groups]]);
        each(&mut |place, i| {
            members[next[place]] = i;
            next[place] += 1;
        });
        Sets { offsets, members }
    }
    /// Each member replaced by what it depends on itself.
    fn unions<'a>(&self, row: &dyn Fn(u32) -> &'a [u32]) -> Result<Sets> {
        let mut sets = Sets { offsets: vec![0], members: Vec::new() };
        let mut gathered: Vec<u32> = Vec::new();
        for g in 0..self.rows() {
            // Where everything depends on everything all unions are the same.
            if g == 0 || self.row(g) != self.row(g - 1) {
                gathered.clear();
                for &i in self.row(g) {
                    // Many elements of a group tend to depend on the same: tidy up before the list grows.
                    if gathered.len() > 4096 && gathered.len() + row(i).len() > gathered.capacity() {
                        gathered.sort_unstable();
                        gathered.dedup();
                    }
                    gathered.extend_from_slice(row(i));
                }
                gathered.sort_unstable();
                gathered.dedup();
            }
            sets.members.extend_from_slice(&gathered);
            sets.offsets.push(sets.members.len());
            if sets.members.len() > TOO_MANY {
                return Err(dense());
            }
        }
        Ok(sets)
    }
}
enum Row<'a> {
    One(&'a [u32]),
    Two(&'a [u32], &'a [u32]),
}
/// Append the union of two sorted lists.
fn merge(a: &[u32], b: &[u32], out: &mut Vec<u32>) {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        out.push(a[i].min(b[j]));
        let (x, y) = (a[i], b[j]);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
}
#[cold]
fn dense() -> Error {
    Error::memory(
        "sparse pattern",
        format!("more than {TOO_MANY} dependencies between elements: this function is dense, use func.jacobian or func.hessian"),
    )
}
/// A value whose elements depend on these inputs.
pub fn depending(level: &LevelRef, value: Value, sets: Arc<Sets>) -> Value {
    Value::traced(level, Kind::Sets { value, sets })
}

pub(super) fn interpret(level: &LevelRef, op: &Prim, xs: &[&Value]) -> Result<Values> {
    let mut values: SmallVec<[&Value; 4]> = SmallVec::new();
    let mut known: SmallVec<[Option<&Arc<Sets>>; 4]> = SmallVec::new();
    for x in xs {
        match x.at(level) {
            Some(Kind::Sets { value, sets }) => {
                values.push(value);
                known.push(Some(sets));
            }
            _ => {
                values.push(x);
                known.push(None);
            }
        }
    }
    let ys = apply_prim(op.clone(), &values)?;
    // Comparisons, positions and integers have no derivative, but a rule may go on with them.
    if !op.differentiable() || !ys.iter().all(|y| y.dtype().is_inexact()) {
        level.lose();
    }
    if !op.differentiable() || !ys.iter().any(|y| y.dtype().is_inexact()) {
        return Ok(ys);
    }
    let n = ys.first().map_or(0, Value::len);
    let same_size = ys.iter().all(|y| y.len() == n);
    let sets = match op.locality() {
        Locality::Elementwise => elementwise(&known)?,
        Locality::Moves(which) => Arc::new(moved(op, &values, &known, which)?),
        Locality::Along(axes) => match known[0] {
            Some(sets) if same_size => Arc::new(along(sets, values[0].shape(), axes, n)?),
            _ => everything(&known, n)?,
        },
        Locality::Running { axis, reverse } => match known[0] {
            Some(sets) => Arc::new(running(sets, values[0].shape(), axis, reverse)?),
            None => everything(&known, n)?,
        },
        Locality::Pairs => match known[0] {
            Some(sets) if n > sets.rows() => Arc::new(Sets::collect(&mut (0..n).map(|i| Row::One(sets.row(i / 2))))?),
            Some(sets) => Arc::new(Sets::collect(&mut (0..n).map(|i| Row::Two(sets.row(2 * i), sets.row(2 * i + 1))))?),
            None => everything(&known, n)?,
        },
        Locality::Product => Arc::new(product(&values, &known)?),
        Locality::AddsRows => Arc::new(added_rows(&values, &known, &ys[0])?),
        Locality::Everything => {
            return ys
                .into_iter()
                .map(|y| {
                    let sets = everything(&known, y.len())?;
                    Ok(depending(level, y, sets))
                })
                .collect()
        }
    };
    Ok(ys.into_iter().map(|y| if y.dtype().is_inexact() { depending(level, y, sets.clone()) } else { y }).collect())
}
/// What elements depend on that are made of those in their place.
pub fn elementwise(known: &[Option<&Arc<Sets>>]) -> Result<Arc<Sets>> {
    let mut sum: Option<Arc<Sets>> = None;
    for &sets in known.iter().flatten() {
        sum = Some(match sum {
            None => sets.clone(),
            Some(sum) if Arc::ptr_eq(&sum, sets) => sum,
            Some(sum) => Arc::new(sum.union(sets)?),
        });
    }
    sum.ok_or_else(|| Error::graph("sparse pattern", "no input is followed"))
}
/// Run the op on the numbers of the elements instead of their values: the result says where each came from.
fn moved(op: &Prim, values: &[&Value], known: &[Option<&Arc<Sets>>], which: Which) -> Result<Sets> {
    let mut next = 1usize;
    let mut starts: Vec<(usize, &Sets)> = Vec::new();
    let mut arrays: Vec<Array> = Vec::new();
    for (i, value) in values.iter().enumerate() {
        arrays.push(match (which.has(i), known[i]) {
            (false, _) => value.array()?.clone(),
            // Zero means: comes from nowhere.
            (true, None) => Array::zeros("sparse pattern", Dims::from_slice(value.shape()), DType::I64)?,
            (true, Some(sets)) => {
                starts.push((next, sets));
                let numbers = (next as i64..(next + sets.rows()) as i64).collect::<Vec<_>>();
                next += sets.rows();
                Array::from_shape(DType::I64, Dims::from_slice(value.shape()), &numbers)?
            }
        });
    }
    let came_from = op.eval(&arrays.iter().collect::<Vec<_>>())?.swap_remove(0).to_vec::<i64>()?;
    Sets::collect(&mut came_from.iter().map(|&number| {
        let number = number as usize;
        match starts.partition_point(|(start, _)| *start <= number) {
            0 => Row::One(&[]),
            at => Row::One(starts[at - 1].1.row(number - starts[at - 1].0)),
        }
    }))
}
/// For every element of `shape`, the number of its group: elements that differ along `axes` alone are in one.
fn groups(shape: &[usize], axes: Axes) -> Result<(usize, Vec<i64>)> {
    let kept = axes.kept_in(shape);
    let count = kept.iter().product();
    let numbers = reshape::reshape(&Value::Array(arange_i64(count, 1)?), &kept)?;
    Ok((count, expand::to("sparse pattern", &numbers, shape)?.array()?.to_vec::<i64>()?))
}
fn along(sets: &Sets, shape: &[usize], axes: Axes, n: usize) -> Result<Sets> {
    let (count, group) = groups(shape, axes)?;
    let unions = sets.grouped(count, &|i| group[i] as usize)?;
    if n == count {
        return Ok(unions);
    }
    Sets::collect(&mut group.iter().map(|&g| Row::One(unions.row(g as usize))))
}
fn running(sets: &Sets, shape: &[usize], axis: usize, reverse: bool) -> Result<Sets> {
    let (n, length) = (sets.rows(), shape[axis]);
    let step: usize = shape[axis + 1..].iter().product();
    let mut found = Sets { offsets: vec![0], members: Vec::new() };
    let mut before: Vec<u32> = Vec::new();
    // From the last element to the first, lines are read backwards as well.
    for i in 0..n {
        before.clear();
        if !(i / step).is_multiple_of(length) {
            before.extend_from_slice(found.row(i - step));
        }
        merge(&before, sets.row(if reverse { n - 1 - i } else { i }), &mut found.members);
        found.offsets.push(found.members.len());
        if found.members.len() > TOO_MANY {
            return Err(dense());
        }
    }
    match reverse {
        true => Sets::collect(&mut (0..n).rev().map(|i| Row::One(found.row(i)))),
        false => Ok(found),
    }
}
fn product(values: &[&Value], known: &[Option<&Arc<Sets>>]) -> Result<Sets> {
    let (a, b) = (values[0].shape(), values[1].shape());
    let r = a.len();
    let (m, n) = (a[r - 2], b[r - 1]);
    let stacks: usize = a[..r - 2].iter().product();
    let lines = |i: usize, shape: &[usize], axis: usize| match known[i] {
        None => Ok(None),
        Some(sets) => {
            along(sets, shape, Axes::one(axis), shape.iter().product::<usize>() / shape[axis].max(1)).map(Some)
        }
    };
    let nothing = |count: usize| Sets { offsets: vec![0; count + 1], members: Vec::new() };
    if a[r - 1] == 0 {
        return Ok(nothing(stacks * m * n));
    }
    let rows = lines(0, a, r - 1)?.unwrap_or_else(|| nothing(stacks * m));
    let columns = lines(1, b, r - 2)?.unwrap_or_else(|| nothing(stacks * n));
    Sets::collect(&mut (0..stacks * m * n).map(|i| {
        let (row, stack) = (i / n, i / (m * n));
        Row::Two(rows.row(row), columns.row(stack * n + i % n))
    }))
}
fn added_rows(values: &[&Value], known: &[Option<&Arc<Sets>>], y: &Value) -> Result<Sets> {
    let Some(sets) = known[0] else { return Err(Error::graph("sparse pattern", "positions have no derivative")) };
    let (length, at) = (y.shape()[1], values[1].array()?.to_vec::<i64>()?);
    sets.grouped(y.len(), &|i| at[i / length.max(1)] as usize * length + i % length.max(1))
}
/// The same for all of `n` elements: all that any of these depends on.
pub fn everything(known: &[Option<&Arc<Sets>>], n: usize) -> Result<Arc<Sets>> {
    let mut all: Vec<u32> = Vec::new();
    for sets in known.iter().flatten() {
        all.extend_from_slice(&sets.members);
        all.sort_unstable();
        all.dedup();
    }
    Ok(Arc::new(Sets::collect(&mut (0..n).map(|_| Row::One(&all)))?))
}

/// A value that one level watches: what is underneath, and the sets of its elements.
type Known<'a> = (&'a Value, Option<&'a Arc<Sets>>);

/// Results of a rule whose tangents or cotangents were followed by a level of their own.
pub struct Followed<'a> {
    pub inputs: &'a [Known<'a>],
    pub slopes: &'a [Option<Known<'a>>],
}
fn push_rows<'a>((value, sets): Known<'a>, rows: &mut Vec<&'a [u32]>) {
    rows.extend((0..value.len()).map(|i| sets.map_or(&[][..], |sets| sets.row(i))));
}
impl Followed<'_> {
    /// What the `n` elements of an output depend on: by its tangent, which is the one slope, or (`start`: the number of
    /// its first cotangent) by the cotangents of all inputs. None where a slope depends on nothing and is not zero, as
    /// no linear rule would have it.
    pub fn through(&self, n: usize, start: Option<usize>) -> Result<Option<Arc<Sets>>> {
        let (mut known, mut read): (Vec<&[u32]>, Vec<&[u32]>) = (Vec::new(), Vec::new());
        for (i, &input) in self.inputs.iter().enumerate() {
            push_rows(input, &mut known);
            if start.is_none() && i > 0 {
                continue;
            }
            let before = read.len();
            match self.slopes.get(i) {
                Some(&Some(slope)) => {
                    push_rows(slope, &mut read);
                    let numbers = slope.0.numbers().ok_or_else(|| slope.0.without_numbers("sparse pattern"))?;
                    let flags = nonzero_flags(numbers)?;
                    if flags.iter().zip(&read[before..]).any(|(&flag, row)| flag != 0 && row.is_empty()) {
                        return Ok(None);
                    }
                }
                _ => read.resize(if start.is_some() { known.len() } else { n }, &[]),
            }
            // The numbers of cotangents are those of the inputs: they must be as many.
            if read.len() != if start.is_some() { known.len() } else { n } {
                return Ok(None);
            }
        }
        let relation = match start {
            None => Sets::collect(&mut read.iter().map(|row| Row::One(row)))?,
            Some(start) => Sets::placed(n, &|put| {
                for (e, row) in read.iter().enumerate() {
                    for o in row.iter().filter_map(|&m| (m as usize).checked_sub(start).filter(|&o| o < n)) {
                        put(o, e as u32);
                    }
                }
            }),
        };
        if relation.rows() != n || relation.members.iter().any(|&e| e as usize >= known.len()) {
            return Ok(None);
        }
        Ok(Some(Arc::new(relation.unions(&|e| known[e as usize])?)))
    }
}
