//! Values, levels, and the one crossing every op goes through.
mod batch;
mod chain;
mod jvp;
mod kept;
mod level;
mod mode;
mod pieces;
pub mod reach;
mod series;
pub mod sets;
mod tape;
mod value;
pub use chain::{hold, set_gathering};
pub use kept::{keeping_history, same_history, silent};
pub use level::{any_active, drawing_lanes, latest_level, note_refusal, writing, Lanes, Level, LevelRef, Randomness};
pub use mode::{
    count_observers, default_dtype, grad_enabled, inference, observed, set_default_dtype, set_grad_enabled,
    set_inference, set_weak_zeros, weak_zeros, SilentTape,
};
pub use series::series;
pub use tape::{on_one_tape, record_custom, recorded, relabel};
pub use value::{Kind, Taped, Traced, Value};

use crate::{
    array::Array,
    error::{Error, Result},
    op::{Arrays, Prim, Values},
};
use smallvec::SmallVec;

/// Apply `op`: the highest level among the inputs interprets it, one level at a time; at the bottom are numbers.
#[inline]
pub fn apply(op: impl Into<Prim>, xs: &[&Value]) -> Result<Values> {
    apply_prim(op.into(), xs)
}
fn apply_prim(op: Prim, xs: &[&Value]) -> Result<Values> {
    let mut taped = false;
    let mut top: Option<&std::sync::Arc<Traced>> = None;
    for x in xs {
        match x {
            Value::Array(_) => {}
            Value::Taped(_) => taped = true,
            Value::Traced(t) => {
                if top.is_none_or(|top| t.level.id() > top.level.id()) {
                    top = Some(t);
                }
            }
        }
    }
    match top {
        None if !taped => Ok(eval(&op, xs)?.into_iter().map(Value::Array).collect()),
        None => tape::record_bottom(op, xs),
        Some(top) => {
            top.level.check(op.name())?;
            match &top.kind {
                Kind::Dual { .. } => jvp::interpret(&top.level, &op, xs),
                Kind::Batch(_) => batch::interpret(&top.level, &op, xs),
                Kind::Taped { .. } => tape::record(&top.level, op, xs),
                Kind::Series { .. } => series::interpret(&top.level, &op, xs),
                Kind::Sets { .. } => sets::interpret(&top.level, &op, xs),
            }
        }
    }
}
/// The numbers, once no transformation is left.
#[inline]
fn eval(op: &Prim, xs: &[&Value]) -> Result<Arrays> {
    let mut arrays: SmallVec<[&Array; 4]> = SmallVec::new();
    for x in xs {
        arrays.push(x.array()?);
    }
    op.eval(&arrays)
}
/// Whether the rules of `op` hold here: those of few ops hold for complex numbers.
pub fn check_complex<'a>(op: &Prim, mode: &'static str, mut values: impl Iterator<Item = &'a Value>) -> Result<()> {
    match values.find(|v| v.dtype().is_complex() && !op.on_complex()) {
        None => Ok(()),
        Some(v) => Err(Error::not_differentiable(
            op.name(),
            format!(
                "{mode} does not know its derivative for {} numbers; take .real and .imag before, or detach()",
                v.dtype()
            ),
        )),
    }
}
