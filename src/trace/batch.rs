//! Batching: a value stands for many values, stacked along a hidden axis 0.
use super::{Kind, LevelRef, Value};
use crate::{
    error::{Error, Result},
    op::{Prim, Values, Which},
};
use smallvec::SmallVec;

pub(super) fn interpret(level: &LevelRef, op: &Prim, xs: &[&Value]) -> Result<Values> {
    let (mut n, mut batched) = (None, Which::NONE);
    let mut values: SmallVec<[Value; 4]> = SmallVec::new();
    for (i, x) in xs.iter().enumerate() {
        values.push(match x.at(level) {
            Some(Kind::Batch(stack)) => {
                n = stack.shape().first().copied();
                batched = batched.with(i);
                stack.clone()
            }
            _ => (*x).clone(),
        });
    }
    let n = n.ok_or_else(|| Error::graph(op.name(), "no input is batched"))?;
    if xs.len() > 63 {
        // The mask cannot tell late inputs apart: bring all of them to the batch.
        for (i, value) in values.iter_mut().enumerate() {
            if !matches!(xs[i].at(level), Some(Kind::Batch(_))) {
                *value = crate::ops::expand::leading(value, n)?;
            }
        }
        batched = Which::ALL;
    }
    let ys = op.batch(&values, batched, n)?;
    Ok(ys.into_iter().map(|y| Value::traced(level, Kind::Batch(y))).collect())
}
