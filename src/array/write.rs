//! Writing into shared storage: the one place where elements change under existing views.
use super::{keep_all, Array, Element, Owner, StridedMut};
use crate::{
    error::{Error, Result},
    kernels::{self, gather},
    shape::show,
    with_element,
};
use num_complex::Complex;

/// Proof that a write happened: the version after it.
pub type Written = u32;

fn check(op: &'static str, target: &Array, source: &Array) -> Result<()> {
    // What was put off may still have to read the old numbers.
    keep_all()?;
    target.ready()?;
    if !target.is_writable() {
        return Err(Error::value(
            op,
            "cannot write a tensor whose memory is read-only (it comes from a read-only array); clone() it first",
        ));
    }
    if target.shape() != source.shape() || target.dtype() != source.dtype() {
        let (a, b) = (show(target.shape()), show(source.shape()));
        return Err(Error::shape(
            op,
            format!("cannot write {} of shape {b} into {} of shape {a}", source.dtype(), target.dtype()),
        ));
    }
    let overlaps = target.shape().iter().zip(target.strides()).any(|(&n, &s)| n > 1 && s == 0);
    if overlaps {
        return Err(Error::graph(
            op,
            format!(
                "cannot write in place into an expanded tensor of shape {} (one element stands for several); clone() it first",
                show(target.shape())
            ),
        ));
    }
    Ok(())
}

/// Elements of shared storage for writing.
///
/// # Safety
/// No other reference to these elements may be in use until the result is dropped.
unsafe fn shared_mut<T: Element>(target: &Array) -> StridedMut<'_, T> {
    let (low, high) = if target.is_empty() { (0, -1) } else { super::reach(target.shape(), target.strides()) };
    let len = (high - low + 1) as usize;
    let data: &mut [T] = if len == 0 {
        &mut []
    } else {
        // SAFETY: the constructors vouch for the elements; the caller vouches that nobody else uses them.
        unsafe { std::slice::from_raw_parts_mut(target.data().cast::<T>().wrapping_offset(low), len) }
    };
    StridedMut { data, offset: -low as usize, shape: target.shape(), strides: target.strides() }
}

/// Write `source` (same shape and dtype) into the storage of `target`, seen by all its views.
pub fn assign(op: &'static str, target: &Array, source: &Array) -> Result<Written> {
    check(op, target, source)?;
    let source = if target.shares_storage(source) { source.copied(op)? } else { source.clone() };
    with_element!(target.dtype(), T => {
        let from = source.strided::<T>()?;
        // SAFETY: `source` is other storage (copied if it was not), and kernels of other calls hold no references
        // between calls; concurrent writers are the user's race, as in NumPy.
        gather::write_strided(from, unsafe { shared_mut::<T>(target) });
    });
    target.bump_version(op);
    Ok(target.version())
}

impl Array {
    /// `self += source` if nobody else holds this array; says whether it was done.
    pub fn add_in_place(&mut self, source: &Array) -> bool {
        if !self.is_unique()
            || !self.is_contiguous()
            || self.dtype() != source.dtype()
            || self.shape() != source.shape()
        {
            return false;
        }
        macro_rules! add {
            ($t:ty) => {
                match (self.slice_mut::<$t>(), source.strided::<$t>()) {
                    (Ok(target), Ok(source)) => {
                        kernels::map::add_into(target, source);
                        true
                    }
                    _ => false,
                }
            };
        }
        match self.dtype() {
            crate::dtype::DType::F32 => add!(f32),
            crate::dtype::DType::F64 => add!(f64),
            _ => false,
        }
    }
}

/// `target += source` for gradients: in place where the storage allows it, else an error for the caller to add afresh.
pub fn accumulate(target: &Array, source: &Array) -> Result<Written> {
    check("accumulate", target, source)?;
    if target.shares_storage(source)
        || !target.is_contiguous()
        || matches!(target.header().owner, Owner::Foreign { .. })
    {
        return Err(Error::graph("accumulate", "storage is shared"));
    }
    macro_rules! add {
        ($($dtype:ident $t:ty),*) => {
            match target.dtype() {
                // SAFETY: as in `assign`: other storage, no references between calls.
                $(crate::dtype::DType::$dtype => kernels::map::add_into(unsafe { shared_mut::<$t>(target) }.data, source.strided::<$t>()?),)*
                _ => return Err(Error::dtype("accumulate", format!("{} holds no gradient", target.dtype()))),
            }
        };
    }
    add!(F32 f32, F64 f64, C64 Complex<f32>, C128 Complex<f64>);
    target.bump_version("accumulate");
    Ok(target.version())
}
