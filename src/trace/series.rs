//! Taylor mode: values travel with the higher coefficients of x(t) = x₀ + x₁t + x₂t² + …, cut off at an order.
//!
//! Everything follows from the forward rules: y' = J(x)·x', read with series for numbers, gives the coefficients of y'
//! and, divided by 1, 2, …, those of y. Ops linear in their inputs apply to each coefficient; products convolve. This is
//! the recurrence of Griewank and Walther, Evaluating Derivatives (2008), chapter 13, with the slope as the known part.
use super::{apply_prim, check_complex, Kind, LevelRef, Value};
use crate::{
    dtype::Scalar,
    error::Result,
    op::{add, Form, Prim, Values, Which},
    ops::{
        arith::{Div, Mul, Neg},
        binary::{Binary, Scale},
        power::Reciprocal,
        unary::Unary,
        Fixed,
    },
};
use smallvec::SmallVec;

/// Coefficients from the first on; `None` is a known zero.
type Terms = Vec<Option<Value>>;

/// A value with its higher coefficients; without any, the value itself.
pub fn series(level: &LevelRef, primal: Value, terms: Terms) -> Value {
    match terms.is_empty() {
        true => primal,
        false => Value::traced(level, Kind::Series { primal, terms: terms.into_boxed_slice() }),
    }
}
struct Input {
    primal: Value,
    /// `None`: a constant, at every order.
    terms: Option<Box<[Option<Value>]>>,
}
impl Input {
    fn of(level: &LevelRef, x: &Value) -> Input {
        match x.at(level) {
            Some(Kind::Series { primal, terms }) => Input { primal: primal.clone(), terms: Some(terms.clone()) },
            _ => Input { primal: x.clone(), terms: None },
        }
    }
    fn term(&self, k: usize) -> Option<&Value> {
        match k {
            0 => Some(&self.primal),
            _ => self.terms.as_ref().and_then(|terms| terms[k - 1].as_ref()),
        }
    }
    fn cut(&self, level: &LevelRef, order: usize) -> Value {
        match &self.terms {
            None => self.primal.clone(),
            Some(terms) => series(level, self.primal.clone(), terms[..order].to_vec()),
        }
    }
    /// The series of the derivative with respect to t, up to `order`.
    fn slope(&self, level: &LevelRef, order: usize) -> Result<Option<Value>> {
        let Some(terms) = self.terms.as_ref().filter(|terms| terms[..=order].iter().any(Option::is_some)) else {
            return Ok(None);
        };
        let times = |k: usize| -> Result<Option<Value>> {
            let number = Fixed::Right(Scalar::Float((k + 1) as f64));
            terms[k].as_ref().map(|x| if k == 0 { Ok(x.clone()) } else { Mul::fixed(x, number) }).transpose()
        };
        let first = times(0)?.map_or_else(|| self.primal.full_like(0.0), Ok)?;
        let rest = (1..=order).map(times).collect::<Result<Terms>>()?;
        Ok(Some(series(level, first, rest)))
    }
}

pub(super) fn interpret(level: &LevelRef, op: &Prim, xs: &[&Value]) -> Result<Values> {
    let inputs: SmallVec<[Input; 4]> = xs.iter().map(|x| Input::of(level, x)).collect();
    let primals: SmallVec<[Value; 4]> = inputs.iter().map(|x| x.primal.clone()).collect();
    let order = inputs.iter().filter_map(|x| Some(x.terms.as_ref()?.len())).min().unwrap_or(0);
    let ys = apply_prim(op.clone(), &primals.iter().collect::<SmallVec<[&Value; 4]>>())?;
    if !op.differentiable() || !ys.iter().any(|y| y.dtype().is_inexact()) {
        return Ok(ys);
    }
    check_complex(op, "Taylor mode", ys.iter().chain(&primals))?;
    let terms: Vec<Terms> = if is_affine(op, &inputs) {
        let each = (1..=order).map(|k| {
            let ts: SmallVec<[Option<Value>; 4]> =
                inputs.iter().map(|x| x.terms.as_ref().and_then(|_| x.term(k)).cloned()).collect();
            match ts.iter().any(Option::is_some) {
                true => Ok(op.jvp(&primals, &ys, &ts)?.into_vec()),
                false => Ok(vec![None; ys.len()]),
            }
        });
        transposed(each.collect::<Result<_>>()?, ys.len())
    } else {
        match op.form() {
            Form::Product => vec![(1..=order).map(|k| convolved(op, &inputs, k)).collect::<Result<_>>()?],
            Form::Quotient => vec![quotient(&inputs, &ys[0], order)?],
            Form::General => by_slope(level, op, &inputs, &ys, order)?,
        }
    };
    Ok(ys
        .into_iter()
        .zip(terms)
        .map(|(y, terms)| match y.dtype().is_inexact() && terms.iter().any(Option::is_some) {
            true => series(level, y, terms),
            false => y,
        })
        .collect())
}
/// Whether the op is affine in what varies: then its reverse rule reads none of the numbers.
fn is_affine(op: &Prim, inputs: &[Input]) -> bool {
    let needs = inputs.iter().enumerate().fold(Which::NONE, |w, (i, x)| if x.terms.is_some() { w.with(i) } else { w });
    let saves = op.saves(needs);
    let reads = |(i, x): (usize, &Input)| saves.inputs.has(i) && x.terms.is_some();
    !saves.outputs && !inputs.iter().enumerate().any(reads)
}
/// From one list per order to one list per output.
fn transposed(orders: Vec<Terms>, outputs: usize) -> Vec<Terms> {
    (0..outputs).map(|slot| orders.iter().map(|terms| terms.get(slot).cloned().flatten()).collect()).collect()
}
/// Coefficient `k` of a product: Σ aⱼ·bₖ₋ⱼ.
fn convolved(op: &Prim, inputs: &[Input], k: usize) -> Result<Option<Value>> {
    let mut sum = None;
    for j in 0..=k {
        let constant = |x: &Input, k: usize| k > 0 && x.terms.is_none();
        if constant(&inputs[0], j) || constant(&inputs[1], k - j) {
            continue;
        }
        if let (Some(a), Some(b)) = (inputs[0].term(j), inputs[1].term(k - j)) {
            sum = add(sum, Some(apply_prim(op.clone(), &[a, b])?.swap_remove(0)))?;
        }
    }
    Ok(sum)
}
/// The coefficients of y = a / b from y·b = a, one by one. By its slopes, which are quotients again, every order would
/// cost a multiple of the one below.
fn quotient(inputs: &[Input], y: &Value, order: usize) -> Result<Terms> {
    let divisor = &inputs[inputs.len() - 1];
    let inverse = Reciprocal.of(&divisor.primal)?;
    let mut found: Terms = Vec::with_capacity(order);
    for k in 1..=order {
        let mut sum = if inputs.len() == 2 { inputs[0].term(k).cloned() } else { None };
        for (j, lower) in std::iter::once(Some(y)).chain(found.iter().map(Option::as_ref)).enumerate() {
            if let (Some(lower), Some(b)) = (lower, divisor.term(k - j)) {
                sum = add(sum, Some(Neg.of(&Scale::of(b, lower)?)?))?;
            }
        }
        found.push(sum.map(|s| Scale::of(&s, &inverse)).transpose()?);
    }
    Ok(found)
}
/// The coefficients of y from those of y' = J(x)·x', one order below.
fn by_slope(level: &LevelRef, op: &Prim, inputs: &[Input], ys: &Values, order: usize) -> Result<Vec<Terms>> {
    let below = order - 1;
    let xs: SmallVec<[Value; 4]> = inputs.iter().map(|x| x.cut(level, below)).collect();
    let ts = inputs.iter().map(|x| x.slope(level, below)).collect::<Result<SmallVec<[_; 4]>>>()?;
    if ts.iter().all(Option::is_none) {
        return Ok(vec![vec![None; order]; ys.len()]);
    }
    let lower = match op.reads_outputs() && below > 0 {
        true => super::apply(op.clone(), &xs.iter().collect::<SmallVec<[&Value; 4]>>())?,
        false => ys.clone(),
    };
    let divided = |slope: Input| -> Result<Terms> {
        let by = |k: usize| Fixed::Right(Scalar::Float((k + 1) as f64));
        let known = |k: usize| if k > 0 && slope.terms.is_none() { None } else { slope.term(k) };
        (0..order)
            .map(|k| known(k).map(|x| if k == 0 { Ok(x.clone()) } else { Div::fixed(x, by(k)) }).transpose())
            .collect()
    };
    op.jvp(&xs, &lower, &ts)?
        .iter()
        .map(|slope| match slope {
            None => Ok(vec![None; order]),
            Some(slope) => divided(Input::of(level, slope)),
        })
        .collect()
}
