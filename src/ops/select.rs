//! where: one of two values for every element. The one not chosen never reaches a derivative.
use super::{convert, expand};
use crate::{
    array::Array,
    dtype::{DType, Element, Promotion, Scalar},
    error::{Error, Result},
    kernels::{
        isa::{dispatch, Kernel},
        pool,
    },
    op::{batch_all, one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    shape::{broadcast, show, Dims},
    trace::{default_dtype, Value},
    with_element,
};

/// `a` where the condition holds, else `b`; all three of one shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Where;

struct Choose<'a, T>(&'a [u8], &'a [T], &'a [T], &'a mut [T]);
impl<T: Element> Kernel for Choose<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        for (((&c, &a), &b), y) in self.0.iter().zip(self.1).zip(self.2).zip(self.3) {
            *y = if c != 0 { a } else { b };
        }
    }
}
const PIECE: usize = 4096;
fn choose<T: Element>(xs: &[&Array], y: &mut Array) -> Result<()> {
    let (c, a, b) = (xs[0].strided::<u8>()?, xs[1].strided::<T>()?, xs[2].strided::<T>()?);
    let y = y.slice_mut::<T>()?;
    if let (Some(c), Some(a), Some(b)) = (c.contiguous_slice(), a.contiguous_slice(), b.contiguous_slice()) {
        let work = y.len();
        pool::parallel_chunks(y, 8 * PIECE, work, &|i, y| {
            let at = i * 8 * PIECE..i * 8 * PIECE + y.len();
            dispatch(Choose(&c[at.clone()], &a[at.clone()], &b[at], y));
        });
        return Ok(());
    }
    let work = 3 * y.len();
    pool::parallel_chunks(y, PIECE, work, &|i, y| {
        let n = y.len();
        let (mut cs, mut ts, mut fs) = (vec![0; n], vec![T::default(); n], vec![T::default(); n]);
        c.gather(i * PIECE, &mut cs);
        a.gather(i * PIECE, &mut ts);
        b.gather(i * PIECE, &mut fs);
        dispatch(Choose(&cs, &ts, &fs, y));
    });
    Ok(())
}
impl Op for Where {
    const NAME: &'static str = "where";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Elementwise
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let (c, a, b) = (xs[0], xs[1], xs[2]);
        if !u8::accepts(c.dtype()) || a.dtype() != b.dtype() || c.shape() != a.shape() || a.shape() != b.shape() {
            return Err(Error::shape("where", format!("cannot choose by {c:?} between {a:?} and {b:?}")));
        }
        let mut y = Array::new("where", Dims::from_slice(a.shape()), a.dtype())?;
        with_element!(a.dtype(), T => choose::<T>(xs, &mut y)?);
        Ok(one(y))
    }
    fn jvp(&self, xs: &[Value], ys: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        let zero = ys[0].full_like(0.0)?;
        let side = |t: &Option<Value>| t.clone().unwrap_or_else(|| zero.clone());
        if ts[1].is_none() && ts[2].is_none() {
            return Ok(one(None));
        }
        Ok(one(Some(self.call(&[&xs[0], &side(&ts[1]), &side(&ts[2])])?)))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves { inputs: Which::FIRST, ..Saves::NOTHING }
    }
    fn vjp(&self, at: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        let Some(g) = &gs[0] else { return Ok(Slopes::from_iter([None, None, None])) };
        let (c, zero) = (at.input(0)?, g.full_like(0.0)?);
        let a = at.needs.has(1).then(|| self.call(&[c, g, &zero])).transpose()?;
        let b = at.needs.has(2).then(|| self.call(&[c, &zero, g])).transpose()?;
        Ok(Slopes::from_iter([None, a, b]))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(*self, xs, batched, n)
    }
}
/// `a` where the condition holds, else `b`, promoted and broadcast.
pub fn choose_by(condition: &Value, a: &Value, b: &Value) -> Result<Value> {
    if condition.dtype() != DType::Bool && condition.dtype() != DType::U8 {
        return Err(Error::dtype(
            "where",
            format!(
                "the condition of shape {} is {}, not bool; compare it first, e.g. c != 0",
                show(condition.shape()),
                condition.dtype()
            ),
        ));
    }
    let dtype = Promotion::default().tensor(a.dtype(), a.rank()).tensor(b.dtype(), b.rank()).result(default_dtype());
    let shape = broadcast("where", condition.shape(), &broadcast("where", a.shape(), b.shape())?)?;
    let at = |x: &Value| expand::to("where", x, &shape);
    Where.call(&[&at(condition)?, &at(&convert::to(a, dtype)?)?, &at(&convert::to(b, dtype)?)?])
}
/// One number where the mask holds, else the other.
pub fn choose_numbers(mask: &Value, yes: f64, no: f64, dtype: DType) -> Result<Value> {
    let number = |c| Array::full("where", Dims::new(), dtype, Scalar::Float(c)).map(Value::Array);
    choose_by(mask, &number(yes)?, &number(no)?)
}
