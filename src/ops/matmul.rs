//! Matrix product over the last two axes.
use super::{complex, complex_product::complex_product, expand, reshape};
use crate::{
    array::{Array, Strided},
    dtype::{DType, Element},
    error::{Error, Result},
    kernels::{
        matmul::{self as kernel, MatRef},
        strong_matmul::{any_nan, any_not_finite, strong_matmul},
    },
    math::Real,
    op::{add, all_batched, one, Arrays, Call, Form, Locality, Op, Saved, Saves, Slopes, Values, Which},
    shape::{broadcast, show, Dims},
    trace::{apply, weak_zeros, Value},
    with_element,
};

/// Multiply-adds from which complex matrices are multiplied by their parts.
const BY_PARTS: usize = 8 * 8 * 8;
/// (…, m, k) @ (…, k, n) → (…, m, n), leading axes equal.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct MatMul {
    /// Operands whose zeros leave terms out, whatever stands opposite: tangents and cotangents, as in `Scale`.
    strong: [bool; 2],
}
impl MatMul {
    /// The same product with a tangent or cotangent for this operand.
    fn moving(&self, operand: usize) -> MatMul {
        let mut strong = self.strong;
        strong[operand] |= !weak_zeros();
        MatMul { strong }
    }
    /// Once more without the terms that strong zeros leave out, where the fast product has NaN in it.
    fn settle<T: Real + Element>(&self, a: &Array, b: &Array, y: &mut Array) -> Result<()> {
        if self.strong == [false; 2] {
            return Ok(());
        }
        // Outer products are larger than what they are made of: there, look at that first.
        if a.len() + b.len() < y.len() && all_finite::<T>(a)? && all_finite::<T>(b)? {
            return Ok(());
        }
        if !any_nan(y.slice_mut::<T>()?) {
            return Ok(());
        }
        let (rows, inner, columns) = (a.shape()[a.rank() - 2], a.shape()[a.rank() - 1], b.shape()[b.rank() - 1]);
        let (a, b) = (a.contiguous("matmul")?, b.contiguous("matmul")?);
        let (a, b) = (a.slice::<T>().unwrap_or_default(), b.slice::<T>().unwrap_or_default());
        let stacks = a.chunks_exact(rows * inner).zip(b.chunks_exact(inner * columns));
        for ((a, b), y) in stacks.zip(y.slice_mut::<T>()?.chunks_exact_mut(rows * columns)) {
            strong_matmul(a, b, columns, self.strong, y);
        }
        Ok(())
    }
}

fn mismatch(a: &[usize], b: &[usize]) -> Error {
    Error::shape(
        "matmul",
        format!(
            "cannot multiply shapes {} and {} (the last size of the first and the last but one of the second must be equal)",
            show(a),
            show(b)
        ),
    )
}
fn matrix<'a, T: Copy>(x: &Strided<'a, T>, offset: usize) -> MatRef<'a, T> {
    let r = x.shape.len();
    MatRef {
        data: x.data,
        offset,
        rows: x.shape[r - 2],
        cols: x.shape[r - 1],
        row_stride: x.strides[r - 2],
        col_stride: x.strides[r - 1],
    }
}
impl Op for MatMul {
    const NAME: &'static str = "matmul";
    const FORM: Form = Form::Product;
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Product
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let (a, b) = (xs[0], xs[1]);
        let r = a.rank();
        if r < 2 || b.rank() != r || a.shape()[..r - 2] != b.shape()[..r - 2] || a.shape()[r - 1] != b.shape()[r - 2] {
            return Err(mismatch(a.shape(), b.shape()));
        }
        if a.dtype() != b.dtype() || a.dtype() == DType::Bool {
            return Err(Error::dtype("matmul", format!("cannot multiply {} and {} matrices", a.dtype(), b.dtype())));
        }
        let n = b.shape()[r - 1];
        let mut shape = Dims::from_slice(a.shape());
        shape[r - 1] = n;
        let mut y = Array::new("matmul", shape, a.dtype())?;
        if y.is_empty() {
            return Ok(one(y));
        }
        // By parts, where that is more than a few loops.
        let work = y.len() * a.shape()[r - 1];
        match a.dtype() {
            DType::C64 if work > BY_PARTS => return complex_product::<f32>(a, b, &mut y).map(|()| one(y)),
            DType::C128 if work > BY_PARTS => return complex_product::<f64>(a, b, &mut y).map(|()| one(y)),
            _ => {}
        }
        with_element!(a.dtype(), T => {
            let (a, b) = (a.strided::<T>()?, b.strided::<T>()?);
            let out = y.slice_mut::<T>()?;
            let batches: usize = a.shape[..r - 2].iter().product();
            if batches == 1 {
                kernel::matmul(matrix(&a, a.offset), matrix(&b, b.offset), out, false);
            } else {
                let offsets = |x: &Strided<T>| batch_offsets(x, r - 2, batches);
                kernel::matmul_batched(matrix(&a, a.offset), &offsets(&a), matrix(&b, b.offset), &offsets(&b), out);
            }
        });
        match y.dtype() {
            DType::F32 => self.settle::<f32>(a, b, &mut y)?,
            DType::F64 => self.settle::<f64>(a, b, &mut y)?,
            _ => {}
        }
        Ok(one(y))
    }
    fn jvp(&self, xs: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let left = ts[0].as_ref().map(|t| self.moving(0).call(&[t, &xs[1]])).transpose()?;
        let right = ts[1].as_ref().map(|t| self.moving(1).call(&[&xs[0], t])).transpose()?;
        Ok(one(add(left, right)?))
    }
    fn saves(&self, needs: Which) -> Saves {
        Saves { inputs: Which(u64::from(needs.has(1)) | u64::from(needs.has(0)) << 1), ..Saves::NOTHING }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(Slopes::from_iter([None, None])) };
        let r = g.rank();
        let a = at
            .needs
            .has(0)
            .then(|| self.moving(0).call(&[g, &reshape::swap(&complex::conj(at.input(1)?)?, r - 2, r - 1)?]))
            .transpose()?;
        let b = at
            .needs
            .has(1)
            .then(|| self.moving(1).call(&[&reshape::swap(&complex::conj(at.input(0)?)?, r - 2, r - 1)?, g]))
            .transpose()?;
        Ok(Slopes::from_iter([a, b]))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        // A shared right-hand matrix multiplies all rows of all lanes at once.
        if batched.has(0) && !batched.has(1) && xs[1].rank() == 2 {
            let s = xs[0].shape();
            let (m, k) = (s[1], s[2]);
            let rows = reshape::reshape(&xs[0], &[n * m, k])?;
            let y = self.call(&[&rows, &xs[1]])?;
            return Ok(one(reshape::reshape(&y, &[n, m, xs[1].shape()[1]])?));
        }
        // A shared left-hand matrix and a vector in each lane: the vectors are the rows of one matrix.
        if batched.has(1) && !batched.has(0) && xs[0].rank() == 2 && xs[1].shape()[2] == 1 {
            let (m, k) = (xs[0].shape()[0], xs[0].shape()[1]);
            let rows = reshape::reshape(&xs[1], &[n, k])?;
            let y = self.call(&[&rows, &reshape::swap(&xs[0], 0, 1)?])?;
            return Ok(one(reshape::reshape(&y, &[n, m, 1])?));
        }
        let xs = all_batched(xs, batched, n)?;
        apply(*self, &[&xs[0], &xs[1]])
    }
}
/// Whether there is neither an infinity nor NaN.
fn all_finite<T: Real + Element>(x: &Array) -> Result<bool> {
    let x = x.contiguous("matmul")?;
    Ok(!any_not_finite(x.slice::<T>().unwrap_or_default()))
}
/// Where each matrix of a stack with `lead` leading axes begins.
pub fn batch_offsets<T: Copy>(x: &Strided<T>, lead: usize, batches: usize) -> Vec<usize> {
    (0..batches)
        .map(|i| {
            let (mut rest, mut at) = (i, x.offset as isize);
            for axis in (0..lead).rev() {
                at += (rest % x.shape[axis]) as isize * x.strides[axis];
                rest /= x.shape[axis];
            }
            at as usize
        })
        .collect()
}

/// The product with all of NumPy's rank rules: vectors on either side, stacks broadcast.
pub fn matmul(a: &Value, b: &Value) -> Result<Value> {
    let (sa, sb) = (a.shape(), b.shape());
    if sa.is_empty() || sb.is_empty() {
        return Err(Error::shape(
            "matmul",
            format!(
                "cannot multiply shapes {} and {} (both need at least one dimension); use * for numbers",
                show(sa),
                show(sb)
            ),
        ));
    }
    if a.dtype() != b.dtype() {
        return Err(Error::dtype(
            "matmul",
            format!("cannot multiply {} and {}; convert one with .to(dtype)", a.dtype(), b.dtype()),
        ));
    }
    let (inner_a, inner_b) = (sa[sa.len() - 1], sb[sb.len().saturating_sub(2)]);
    if inner_a != inner_b {
        return Err(mismatch(sa, sb));
    }
    if sa.len() == 2 && sb.len() == 2 {
        return MatMul::default().call(&[a, b]);
    }
    let left = if sa.len() == 1 { reshape::reshape(a, &[1, sa[0]])? } else { a.clone() };
    let right = if sb.len() == 1 { reshape::reshape(b, &[sb[0], 1])? } else { b.clone() };
    let (m, k, n) = (left.shape()[left.rank() - 2], inner_a, right.shape()[right.rank() - 1]);
    let mut shape: Dims;
    let product = if right.rank() == 2 {
        // Rows of all matrices of the stack meet the same right-hand side: one large product.
        let lead = &left.shape()[..left.rank() - 2];
        let rows = reshape::reshape(&left, &[lead.iter().product::<usize>() * m, k])?;
        shape = Dims::from_slice(lead);
        MatMul::default().call(&[&rows, &right])?
    } else {
        shape = broadcast("matmul", &left.shape()[..left.rank() - 2], &right.shape()[..right.rank() - 2])?;
        let stack = |x: &Value, rows: usize, cols: usize| {
            let full: Dims = shape.iter().copied().chain([rows, cols]).collect();
            expand::to("matmul", x, &full)
        };
        MatMul::default().call(&[&stack(&left, m, k)?, &stack(&right, k, n)?])?
    };
    if sa.len() > 1 {
        shape.push(m);
    }
    if sb.len() > 1 {
        shape.push(n);
    }
    reshape::reshape(&product, &shape)
}
