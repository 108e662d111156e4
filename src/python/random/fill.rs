//! Tensors filled with random numbers in place.
use super::{
    super::tensor::{Operand, Tensor},
    draw::{coin, draw, whole, Law},
    generator::Generator,
};
use crate::{
    dtype::{DType, Scalar},
    error::Error,
    ops::{
        arith::{Add, Mul},
        binary::Binary,
        convert, expand,
        exponential::Log1p,
        unary::Unary,
        Fixed,
    },
    shape::Dims,
};
use pyo3::{exceptions::PyTypeError, prelude::*};

fn redraw(
    t: &Bound<'_, Tensor>,
    op: &'static str,
    law: Law,
    scale: f64,
    shift: f64,
    generator: Option<&Bound<'_, Generator>>,
) -> PyResult<()> {
    let x = t.get().value()?;
    let z = draw(op, law, Dims::from_slice(x.shape()), x.dtype(), generator)?;
    let y = Add::fixed(&Mul::fixed(&z, Fixed::Right(Scalar::Float(scale)))?, Fixed::Right(Scalar::Float(shift)))?;
    Ok(t.get().variable()?.write(op, |_| Ok(y))?)
}
#[pymethods]
impl Tensor {
    /// Fill with uniformly distributed numbers in [from, to); raises RuntimeError where the limits are in the wrong
    /// order.
    ///
    /// >>> bool((rg.zeros(3).uniform_(1, 2) >= 1).all())
    /// True
    #[pyo3(signature = (from=0.0, to=1.0, *, generator=None))]
    fn uniform_<'py>(
        slf: Bound<'py, Self>,
        from: f64,
        to: f64,
        generator: Option<&Bound<'py, Generator>>,
    ) -> PyResult<Bound<'py, Self>> {
        if from > to {
            return Err(Error::graph("uniform_", format!("from ({from}) must not be above to ({to})")).into());
        }
        redraw(&slf, "uniform_", Law::Uniform, to - from, from, generator)?;
        Ok(slf)
    }
    /// Fill with normally distributed numbers; raises RuntimeError for a negative `std`.
    ///
    /// >>> rg.zeros(2).normal_(5.0, 0.0)
    /// tensor([5., 5.])
    #[pyo3(signature = (mean=0.0, std=1.0, *, generator=None))]
    fn normal_<'py>(
        slf: Bound<'py, Self>,
        mean: f64,
        std: f64,
        generator: Option<&Bound<'py, Generator>>,
    ) -> PyResult<Bound<'py, Self>> {
        if std < 0.0 {
            return Err(Error::graph("normal_", format!("std must not be negative, but is {std}")).into());
        }
        redraw(&slf, "normal_", Law::Normal, std, mean, generator)?;
        Ok(slf)
    }
    /// Fill with exponentially distributed numbers of rate `lambd`; raises RuntimeError unless it is positive.
    ///
    /// >>> bool((rg.zeros(3).exponential_() >= 0).all())
    /// True
    #[pyo3(signature = (lambd=1.0, *, generator=None))]
    fn exponential_<'py>(
        slf: Bound<'py, Self>,
        lambd: f64,
        generator: Option<&Bound<'py, Generator>>,
    ) -> PyResult<Bound<'py, Self>> {
        if lambd <= 0.0 {
            return Err(Error::graph("exponential_", format!("lambd must be positive, but is {lambd}")).into());
        }
        let x = slf.get().value()?;
        let u = draw("exponential_", Law::Uniform, Dims::from_slice(x.shape()), DType::F64, generator)?;
        let negative = Mul::fixed(&u, Fixed::Right(Scalar::Float(-1.0)))?;
        let y = Mul::fixed(&Log1p.of(&negative)?, Fixed::Right(Scalar::Float(-1.0 / lambd)))?;
        slf.get().variable()?.write("exponential_", |x| convert::to(&y, x.dtype()))?;
        Ok(slf)
    }
    /// Fill with uniform integers: below `to`, from `from` up to `to`, or all that the dtype holds exactly.
    ///
    /// >>> rg.zeros(2).random_(3, 4)
    /// tensor([3., 3.])
    #[pyo3(signature = (*bounds, generator=None))]
    fn random_<'py>(
        slf: Bound<'py, Self>,
        bounds: Vec<i64>,
        generator: Option<&Bound<'py, Generator>>,
    ) -> PyResult<Bound<'py, Self>> {
        let x = slf.get().value()?;
        // Without bounds: all integers the dtype holds exactly.
        let limit = match x.dtype() {
            DType::Bool => 2,
            DType::U8 => 256,
            DType::I32 => 1 << 31,
            DType::F32 | DType::C64 => (1 << 24) + 1,
            DType::F64 | DType::C128 => (1 << 53) + 1,
            DType::I64 => i64::MAX,
        };
        let (low, high) = match bounds[..] {
            [] => (0, limit),
            [to] => (0, to),
            [from, to] => (from, to),
            _ => return Err(PyTypeError::new_err("random_: takes to, or from and to")),
        };
        let y = whole(low, high, Dims::from_slice(x.shape()), x.dtype(), generator)?;
        slf.get().variable()?.write("random_", |_| Ok(y))?;
        Ok(slf)
    }
    /// Fill with ones with probability `p`, a number or a tensor that broadcasts, else zeros; raises RuntimeError for a `p`
    /// outside of [0, 1].
    ///
    /// >>> rg.zeros(2).bernoulli_(1.0)
    /// tensor([1., 1.])
    #[pyo3(signature = (p=None, *, generator=None))]
    fn bernoulli_<'py>(
        slf: Bound<'py, Self>,
        p: Option<Operand>,
        generator: Option<&Bound<'py, Generator>>,
    ) -> PyResult<Bound<'py, Self>> {
        let shape = Dims::from_slice(slf.get().value()?.shape());
        let p = p.unwrap_or(Operand::Number(Scalar::Float(0.5))).value()?.detached();
        let drawn = coin(&expand::to("bernoulli_", &p, &shape)?, generator)?;
        slf.get().variable()?.write("bernoulli_", |x| convert::to(&drawn, x.dtype()))?;
        Ok(slf)
    }
}
