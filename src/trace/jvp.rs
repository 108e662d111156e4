//! Forward mode: values travel with their tangents.
use super::{apply_prim, check_complex, Kind, LevelRef, Value};
use crate::{
    array::Array,
    error::Result,
    op::{Prim, Values},
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
    if let Some((y, t)) = fused(op, &primals, &tangents).transpose()? {
        let (primal, tangent) = (Value::Array(y), Value::Array(t));
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
fn fused(op: &Prim, primals: &[Value], tangents: &[Option<Value>]) -> Option<Result<(Array, Array)>> {
    let mut xs: SmallVec<[&Array; 4]> = SmallVec::new();
    let mut ts: SmallVec<[Option<&Array>; 4]> = SmallVec::new();
    for (primal, tangent) in primals.iter().zip(tangents) {
        let Value::Array(x) = primal else { return None };
        xs.push(x);
        ts.push(match tangent {
            None => None,
            Some(Value::Array(t)) => Some(t),
            Some(_) => return None,
        });
    }
    op.dual(&xs, &ts)
}
