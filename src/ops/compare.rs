//! Comparisons: true or false for every element. They carry no derivative.
use super::{convert, expand, Fixed, Packed};
use crate::{
    array::{Array, Strided},
    dtype::{DType, Element, Promotion, Scalar},
    error::{Error, Result},
    kernels::{
        isa::{dispatch, Kernel},
        map::{zip, Source},
    },
    op::{batch_all, one, Arrays, Call, Op, Saved, Saves, Slopes, Values, Which},
    shape::{show, Dims},
    trace::{default_dtype, Value},
    with_element,
};

/// What is asked of two numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Order {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
}
impl Order {
    /// The same question with the sides exchanged.
    pub fn mirrored(self) -> Order {
        match self {
            Order::Less => Order::Greater,
            Order::LessEqual => Order::GreaterEqual,
            Order::Greater => Order::Less,
            Order::GreaterEqual => Order::LessEqual,
            same => same,
        }
    }
    pub fn name(self) -> &'static str {
        match self {
            Order::Less => "lt",
            Order::LessEqual => "le",
            Order::Greater => "gt",
            Order::GreaterEqual => "ge",
            Order::Equal => "eq",
            Order::NotEqual => "ne",
        }
    }
}
/// Compare two tensors of one shape and dtype, or a tensor with a number on the right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compare {
    order: Order,
    number: Packed,
}

struct Ordered<'a, T>(Order, &'a [T], &'a [T], &'a mut [u8]);
impl<T: Element + PartialOrd> Kernel for Ordered<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Ordered(order, a, b, y) = self;
        macro_rules! each {
            ($op:tt) => { a.iter().zip(b).zip(y).for_each(|((a, b), y)| *y = u8::from(a $op b)) };
        }
        match order {
            Order::Less => each!(<),
            Order::LessEqual => each!(<=),
            Order::Greater => each!(>),
            Order::GreaterEqual => each!(>=),
            Order::Equal => each!(==),
            Order::NotEqual => each!(!=),
        }
    }
}
fn equality<T: Element>(order: Order, a: Strided<T>, b: Source<T>, y: &mut [u8]) {
    let wanted = order == Order::Equal;
    zip([Source::of(a), b], [y], 2, &|[a, b], [y]| {
        a.iter().zip(b).zip(y).for_each(|((a, b), y)| *y = u8::from((a == b) == wanted));
    });
}
impl Op for Compare {
    const NAME: &'static str = "compare";
    const DIFFERENTIABLE: bool = false;
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let a = xs[0];
        if xs.get(1).is_some_and(|b| b.shape() != a.shape() || b.dtype() != a.dtype()) {
            return Err(Error::shape(self.order.name(), format!("cannot compare {:?} and {:?}", a, xs[1])));
        }
        let mut y = Array::new(self.order.name(), Dims::from_slice(a.shape()), DType::Bool)?;
        let number = match self.number.get() {
            Fixed::Left(s) | Fixed::Right(s) => Some(s),
            Fixed::None => None,
        };
        macro_rules! ordered {
            ($t:ty, $lit:expr) => {{
                let b = match number {
                    Some(s) => Source::Splat($lit(s)),
                    None => Source::of(xs[1].strided::<$t>()?),
                };
                let order = self.order;
                zip([Source::of(a.strided::<$t>()?), b], [y.slice_mut::<u8>()?], 1, &|[a, b], [y]| {
                    dispatch(Ordered(order, a, b, y))
                });
            }};
        }
        match a.dtype() {
            DType::Bool | DType::U8 => ordered!(u8, |s: Scalar| s.to_i64() as u8),
            DType::I32 => ordered!(i32, |s: Scalar| s.to_i64() as i32),
            DType::I64 => ordered!(i64, Scalar::to_i64),
            DType::F32 => ordered!(f32, |s: Scalar| s.to_f64() as f32),
            DType::F64 => ordered!(f64, Scalar::to_f64),
            d if matches!(self.order, Order::Equal | Order::NotEqual) => with_element!(d, T => {
                let full;
                let b = match number {
                    Some(s) => {
                        full = Array::full("eq", Dims::new(), d, s)?;
                        Source::Splat(full.to_vec::<T>()?[0])
                    }
                    None => Source::of(xs[1].strided::<T>()?),
                };
                equality::<T>(self.order, a.strided()?, b, y.slice_mut()?);
            }),
            d => {
                return Err(Error::dtype(
                    self.order.name(),
                    format!("cannot order {d} tensors of shape {}; compare .abs() or .real", show(a.shape())),
                ))
            }
        }
        Ok(one(y))
    }
    fn jvp(&self, _: &[Value], _: &[Value], _: &[Option<Value>]) -> Result<Slopes> {
        Ok(one(None))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, _: &Saved, _: &[Option<Value>]) -> Result<Slopes> {
        Ok(Slopes::from_iter([None, None]))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(*self, xs, batched, n)
    }
}
/// Compare two tensors, promoted and broadcast.
pub fn compare(order: Order, a: &Value, b: &Value) -> Result<Value> {
    let dtype = Promotion::default().tensor(a.dtype(), a.rank()).tensor(b.dtype(), b.rank()).result(default_dtype());
    let (a, b) = expand::pair(order.name(), &convert::to(a, dtype)?, &convert::to(b, dtype)?)?;
    Compare { order, number: Packed::default() }.call(&[&a, &b])
}
/// Compare a tensor with a number on the right.
pub fn compare_number(order: Order, a: &Value, b: Scalar) -> Result<Value> {
    let dtype = Promotion::default().tensor(a.dtype(), a.rank()).number(b.category()).result(default_dtype());
    // A number outside the range of a byte or int must not wrap around: compare in int64.
    let dtype = if dtype.is_integral() && dtype != DType::Bool { DType::I64 } else { dtype };
    let a = convert::to(a, dtype)?;
    match Packed::new(Fixed::Right(b)) {
        Some(number) => Compare { order, number }.call(&[&a]),
        None => compare(order, &a, &Value::Array(Array::full(order.name(), Dims::new(), dtype, b)?)),
    }
}
/// 1 where an element is not zero.
pub fn nonzero_flags(x: &Array) -> Result<Vec<u8>> {
    crate::kernels::cast::cast("nonzero", x, DType::Bool)?.to_vec()
}
