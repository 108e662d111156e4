//! Scattering with a reduction: sums, products, means and extremes of all values that arrive at one place.
//!
//! Compositions of gathers, comparisons and sums, so that every mode follows. What arrives at one place is brought
//! together by sorting the positions; products and extremes are then running ones, in log₂ n doubling steps within each
//! run of equal positions (segmented scan, Blelloch 1990). Products therefore have right slopes with zeros among them.
use super::{
    arith::{Add, Div, FloorDivide, Maximum, Minimum, Mul},
    binary::Binary,
    compare::{compare, compare_number, Order},
    convert,
    index::{PutAdd, Take},
    indexing::{places, scatter, Meet},
    join,
    order::ArgSort,
    reshape::reshape,
    select, views,
};
use crate::{
    array::Array,
    dtype::{DType, Scalar},
    error::{Error, Result},
    op::{batch_all, one, Arrays, Call, Locality, Op, Saved, Saves, Slopes, Values, Which},
    shape::{show, Dims},
    trace::Value,
};

/// The value of the first input with the slope of the second, of the same shape and dtype: for results whose numbers
/// are known better than a formula with the right slope would give them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlopeOf;
impl Op for SlopeOf {
    const NAME: &'static str = "slope_of";
    fn on_complex(&self) -> bool {
        true
    }
    fn locality(&self) -> Locality {
        Locality::Elementwise
    }
    fn eval(&self, xs: &[&Array]) -> Result<Arrays> {
        let (x, like) = (xs[0], xs[1]);
        if x.shape() != like.shape() || x.dtype() != like.dtype() {
            return Err(Error::shape("slope_of", format!("cannot pair {x:?} with {like:?}")));
        }
        Ok(one(x.copied("slope_of")?))
    }
    fn jvp(&self, _: &[Value], _: &[Value], ts: &[Option<Value>]) -> Result<Slopes> {
        Ok(one(ts[1].clone()))
    }
    fn saves(&self, _: Which) -> Saves {
        Saves::NOTHING
    }
    fn vjp(&self, _: &Saved, gs: &[Option<Value>]) -> Result<Slopes> {
        Ok(Slopes::from_iter([None, gs[0].clone()]))
    }
    fn batch(&self, xs: &[Value], batched: Which, n: usize) -> Result<Values> {
        batch_all(*self, xs, batched, n)
    }
}

/// What becomes of values that arrive at one place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reduce {
    Sum,
    Product,
    Mean,
    Largest,
    Smallest,
}
impl Reduce {
    /// By PyTorch's name.
    pub fn named(op: &'static str, name: &str, allowed: &[&str]) -> Result<Reduce> {
        let found = match name {
            "sum" | "add" => Reduce::Sum,
            "prod" | "multiply" => Reduce::Product,
            "mean" => Reduce::Mean,
            "amax" => Reduce::Largest,
            "amin" => Reduce::Smallest,
            _ => return Err(unknown(op, name, allowed)),
        };
        if !allowed.contains(&name) {
            return Err(unknown(op, name, allowed));
        }
        Ok(found)
    }
}
fn unknown(op: &'static str, name: &str, allowed: &[&str]) -> Error {
    Error::value(op, format!("reduce must be one of {allowed:?}, not {name:?}"))
}
/// A vector's elements added up at their positions.
fn sums(values: &Value, at: &Value, rows: usize) -> Result<Value> {
    let y = PutAdd { rows }.call(&[&reshape(values, &[values.len(), 1])?, at])?;
    reshape(&y, &[rows])
}
fn picked(x: &Value, at: &Value) -> Result<Value> {
    reshape(&Take.call(&[&reshape(x, &[x.len(), 1])?, at])?, &[at.len()])
}
fn either(mask: &Value, yes: &Value, no: f64) -> Result<Value> {
    select::choose_by(mask, yes, &yes.full_like(no)?)
}
/// Values in the order of their positions.
struct Runs {
    at: Value,
    order: Value,
    /// True at the last value of every run of equal positions.
    last: Value,
}
impl Runs {
    fn of(at: &Value) -> Result<Runs> {
        let n = at.len();
        let order = ArgSort { axis: 0, descending: false, count: n }.call(&[&at.unwatched()])?;
        let at = picked(at, &order)?;
        let ends = compare(Order::NotEqual, &views::narrow(&at, 0, 0, n - 1)?, &views::narrow(&at, 0, 1, n - 1)?)?;
        let end = Value::Array(Array::full("scatter", Dims::from_slice(&[1]), DType::Bool, Scalar::Bool(true))?);
        Ok(Runs { at, order, last: join::cat(&[ends, end], 0)? })
    }
    /// All values of each run combined, at the run's position; zeros elsewhere. `combine(earlier, later, same)` gives
    /// `later` unchanged where the two are not of the same run.
    fn combined(
        &self,
        values: &Value,
        rows: usize,
        combine: impl Fn(&Value, &Value, &Value) -> Result<Value>,
    ) -> Result<Value> {
        let n = self.at.len();
        let mut y = picked(values, &self.order)?;
        let mut step = 1;
        while step < n {
            let part = |x: &Value, start: usize| views::narrow(x, 0, start, n - step);
            let same = compare(Order::Equal, &part(&self.at, 0)?, &part(&self.at, step)?)?;
            let tail = combine(&part(&y, 0)?, &part(&y, step)?, &same)?;
            y = join::cat(&[views::narrow(&y, 0, 0, step)?, tail], 0)?;
            step *= 2;
        }
        sums(&either(&self.last, &y, 0.0)?, &self.at, rows)
    }
}
fn product(base: &Value, at: &Value, source: &Value, include: bool) -> Result<Value> {
    let factors = Runs::of(at)?.combined(source, base.len(), |a, b, same| Mul::of(&either(same, a, 1.0)?, b))?;
    if include {
        Mul::of(base, &factors)
    } else {
        Ok(factors)
    }
}
fn mean(base: &Value, at: &Value, source: &Value, include: bool) -> Result<Value> {
    let (mut total, mut count) = (sums(source, at, base.len())?, sums(&source.full_like(1.0)?, at, base.len())?);
    if include {
        total = Add::of(&total, base)?;
        count = Add::of(&count, &count.full_like(1.0)?)?;
    }
    let count = Maximum::of(&count, &count.full_like(1.0)?)?;
    if base.dtype().is_inexact() {
        Div::of(&total, &count)
    } else {
        FloorDivide::of(&total, &count)
    }
}
/// The extreme, its slope in equal shares among all that attain it.
fn extreme(base: &Value, at: &Value, source: &Value, touched: &Value, include: bool, largest: bool) -> Result<Value> {
    let further = |a: &Value, b: &Value| if largest { Maximum::of(a, b) } else { Minimum::of(a, b) };
    let (known, arriving) = (base.unwatched(), source.unwatched());
    let runs = Runs::of(at)?;
    let mut peak = runs.combined(&arriving, base.len(), |a, b, same| further(&select::choose_by(same, a, b)?, b))?;
    if include {
        peak = further(&peak, &known)?;
    }
    if !base.dtype().is_inexact() {
        return Ok(peak);
    }
    let hits = compare(Order::Equal, &arriving, &picked(&peak, at)?)?;
    let mut count = sums(&convert::to(&hits, base.dtype())?, at, base.len())?;
    let mut total = sums(&either(&hits, source, 0.0)?, at, base.len())?;
    if include {
        let own = compare(Order::Equal, &known, &peak)?;
        count = Add::of(&count, &convert::to(&own, base.dtype())?)?;
        total = Add::of(&total, &either(&own, base, 0.0)?)?;
    }
    SlopeOf.call(&[&peak, &Div::of(&total, &either(touched, &count, 1.0)?)?])
}
/// `x` with the values of `source` combined at the places `index` names along `axis`; `include`: with what is there.
pub fn scatter_reduce(
    op: &'static str,
    x: &Value,
    axis: usize,
    index: &Value,
    source: &Value,
    reduce: Reduce,
    include: bool,
) -> Result<Value> {
    if index.is_empty() {
        return scatter(op, x, axis, index, source, Meet::Replace);
    }
    let (rows, at, source) = places(op, x, axis, index, source)?;
    let base = reshape(&rows, &[rows.len()])?;
    let (at, source) = (reshape(&at, &[at.len()])?, reshape(&source, &[source.len()])?);
    let ones = Value::Array(Array::full(op, Dims::from_slice(&[at.len()]), DType::I64, Scalar::Int(1))?);
    let touched = compare_number(Order::Greater, &sums(&ones, &at, base.len())?, Scalar::Int(0))?;
    let y = match reduce {
        Reduce::Sum if include => Add::of(&base, &sums(&source, &at, base.len())?)?,
        Reduce::Sum => sums(&source, &at, base.len())?,
        Reduce::Product => product(&base, &at, &source, include)?,
        Reduce::Mean => mean(&base, &at, &source, include)?,
        Reduce::Largest => extreme(&base, &at, &source, &touched, include, true)?,
        Reduce::Smallest => extreme(&base, &at, &source, &touched, include, false)?,
    };
    reshape(&select::choose_by(&touched, &y, &base)?, x.shape())
}
/// As `scatter_reduce`, with whole slices of `source` along `axis` at the places of a vector `index`.
pub fn index_reduce(
    x: &Value,
    axis: usize,
    index: &Value,
    source: &Value,
    reduce: Reduce,
    include: bool,
) -> Result<Value> {
    let op = "index_reduce";
    let fits = x.rank() == source.rank()
        && source.shape().iter().zip(x.shape()).enumerate().all(|(a, (m, n))| a == axis || m == n)
        && index.rank() <= 1
        && source.shape().get(axis).is_none_or(|&n| n == index.len());
    if !fits {
        return Err(Error::shape(
            op,
            format!(
                "source of shape {} does not fit {} slices of shape {} along dimension {axis}",
                show(source.shape()),
                index.len(),
                show(x.shape())
            ),
        ));
    }
    let mut unit = Dims::from_elem(1, x.rank());
    if let Some(n) = unit.get_mut(axis) {
        *n = index.len();
    }
    let index = super::expand::to(op, &reshape(index, &unit)?, source.shape())?;
    scatter_reduce(op, x, axis, &index, source, reduce, include)
}
