//! Forward mode: values travel with their tangents.
use super::{
    apply_prim,
    chain::{self, Inputs},
    check_complex, Kind, LevelRef, Value,
};
use crate::{
    array::Array,
    error::Result,
    op::{Pair, Prim, Room, Values},
    shape::Dims,
};
use smallvec::SmallVec;

pub(super) fn interpret(level: &LevelRef, op: &Prim, xs: &[&Value]) -> Result<Values> {
    let mut primals: SmallVec<[Value; 4]> = SmallVec::new();
    let mut tangents: SmallVec<[Option<Value>; 4]> = SmallVec::new();
    for x in xs {
        match x.at(level) {
            Some(Kind::Dual { primal, tangent }) => {
                primals.push(primal.clone());
                tangents.push(Some(tangent.clone()));
            }
            _ => {
                primals.push((*x).clone());
                tangents.push(None);
            }
        }
    }
    let at_once = match chain::wait(op, &primals, &tangents)? {
        None => fused(op, &primals, &tangents).transpose()?,
        waiting => waiting,
    };
    if let Some(pair) = at_once {
        let [primal, tangent] = pair.map(Value::Array);
        return Ok(crate::op::one(Value::traced(level, Kind::Dual { primal, tangent })));
    }
    let ys = apply_prim(op.clone(), &primals.iter().collect::<SmallVec<[&Value; 4]>>())?;
    if !op.differentiable() || !ys.iter().any(|y| y.dtype().is_inexact()) {
        return Ok(ys);
    }
    check_complex(op, "forward mode", ys.iter().chain(&primals))?;
    let ts = op.jvp(&primals, &ys, &tangents)?;
    Ok(ys
        .into_iter()
        .zip(ts)
        .map(|(primal, tangent)| match tangent {
            Some(tangent) if primal.dtype().is_inexact() => Value::traced(level, Kind::Dual { primal, tangent }),
            _ => primal,
        })
        .collect())
}
/// One pass over plain numbers for value and tangent, where the op has such a loop.
fn fused(op: &Prim, primals: &[Value], tangents: &[Option<Value>]) -> Option<Result<Pair>> {
    let mut inputs: Inputs<&Array> = SmallVec::new();
    for value in primals.iter().map(Some).chain(tangents.iter().map(Option::as_ref)) {
        inputs.push(match value {
            None => None,
            Some(Value::Array(array)) => Some(array),
            Some(_) => return None,
        });
    }
    let (xs, ts) = inputs.split_at(primals.len());
    let xs: SmallVec<[&Array; 4]> = xs.iter().copied().flatten().collect();
    let like = xs.first()?;
    op.dual(&xs, ts, &mut |_| Array::new(op.name(), Dims::from_slice(like.shape()), like.dtype()))
}
/// Value and tangent of an op of one result over plain numbers, written to the given room if the op can do so; `None`
/// where it has no tangent.
pub(super) fn dual(op: &Prim, inputs: &Inputs<&Array>, room: Room) -> Result<Option<Pair>> {
    let (xs, ts) = inputs.split_at(inputs.len() / 2);
    let xs: SmallVec<[&Array; 4]> = xs.iter().copied().flatten().collect();
    if let Some(pair) = op.dual(&xs, ts, room) {
        return pair.map(Some);
    }
    let ys: Values = op.eval(&xs)?.into_iter().map(Value::Array).collect();
    let value = |array: &Array| Value::Array(array.clone());
    let primals: SmallVec<[Value; 4]> = xs.into_iter().map(value).collect();
    let tangents: SmallVec<[Option<Value>; 4]> = ts.iter().map(|t| t.map(value)).collect();
    let dys = op.jvp(&primals, &ys, &tangents)?;
    Ok(match (&ys[..], &dys[..]) {
        ([Value::Array(y)], [Some(Value::Array(dy))]) => Some([y.clone(), dy.clone()]),
        _ => None,
    })
}
