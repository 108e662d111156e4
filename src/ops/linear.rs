//! Products built on matmul: einsum, tensordot, outer, kron.
use super::{
    arith::Mul,
    binary::Binary,
    expand,
    matmul::{matmul, MatMul},
    reshape::{reshape, Permute},
    sum::Sum,
};
use crate::{
    error::{Error, Result},
    op::Call,
    shape::{show, Axes, Dims},
    trace::Value,
};

/// All products of an element of `a` and one of `b`, both vectors.
pub fn outer(a: &Value, b: &Value) -> Result<Value> {
    if a.rank() != 1 || b.rank() != 1 {
        return Err(Error::shape(
            "outer",
            format!("cannot multiply shapes {} and {} (both must be vectors)", show(a.shape()), show(b.shape())),
        ));
    }
    Mul::of(&reshape(a, &[a.len(), 1])?, &reshape(b, &[1, b.len()])?)
}
/// Kronecker product: every element of `a` times all of `b`.
pub fn kron(a: &Value, b: &Value) -> Result<Value> {
    let rank = a.rank().max(b.rank());
    let padded =
        |x: &Value| -> Dims { std::iter::repeat_n(1, rank - x.rank()).chain(x.shape().iter().copied()).collect() };
    let (sa, sb) = (padded(a), padded(b));
    let apart =
        |s: &Dims, first: bool| -> Dims { s.iter().flat_map(|&n| if first { [n, 1] } else { [1, n] }).collect() };
    let product = Mul::of(&reshape(a, &apart(&sa, true))?, &reshape(b, &apart(&sb, false))?)?;
    let merged: Dims = sa.iter().zip(&sb).map(|(m, n)| m * n).collect();
    reshape(&product, &merged)
}
/// Sum over pairs of axes of `a` and `b`.
pub fn tensordot(a: &Value, b: &Value, left: &[usize], right: &[usize]) -> Result<Value> {
    let sizes = |&(i, j): &(usize, usize)| (a.shape()[i], b.shape()[j]);
    let pairs: Vec<(usize, usize)> = left.iter().copied().zip(right.iter().copied()).collect();
    let fits = |p: &(usize, usize)| matches!(sizes(p), (m, n) if m == n || m == 1 || n == 1);
    if left.len() == right.len() && pairs.iter().all(fits) && pairs.iter().any(|p| sizes(p).0 != sizes(p).1) {
        // A size of 1 is broadcast: the other side is summed before.
        let narrow = |x: &Value, all: &[usize], wide: &dyn Fn(usize) -> bool| {
            let axes = (0..all.len()).filter(|&k| wide(k)).fold(Axes(0), |axes, k| axes.with(all[k]));
            Sum { axes, kept: axes }.call(&[x])
        };
        let wide = |k: usize, first: bool| {
            let (m, n) = sizes(&pairs[k]);
            if first {
                n == 1 && m != 1
            } else {
                m == 1 && n != 1
            }
        };
        let (a, b) = (narrow(a, left, &|k| wide(k, true))?, narrow(b, right, &|k| wide(k, false))?);
        return tensordot(&a, &b, left, right);
    }
    if left.len() != right.len() || !pairs.iter().all(fits) {
        return Err(Error::shape(
            "tensordot",
            format!(
                "cannot contract dimensions {left:?} of shape {} with {right:?} of shape {} (sizes differ)",
                show(a.shape()),
                show(b.shape())
            ),
        ));
    }
    let open = |x: &Value, used: &[usize]| (0..x.rank()).filter(|i| !used.contains(i)).collect::<Vec<_>>();
    let (free_a, free_b) = (open(a, left), open(b, right));
    let order =
        |first: &[usize], last: &[usize]| Permute { order: first.iter().chain(last).map(|&i| i as u8).collect() };
    let size = |x: &Value, axes: &[usize]| axes.iter().map(|&i| x.shape()[i]).product::<usize>();
    let k = size(a, left);
    let rows = reshape(&order(&free_a, left).call(&[a])?, &[size(a, &free_a), k])?;
    let columns = reshape(&order(right, &free_b).call(&[b])?, &[k, size(b, &free_b)])?;
    let shape: Dims = free_a.iter().map(|&i| a.shape()[i]).chain(free_b.iter().map(|&i| b.shape()[i])).collect();
    reshape(&matmul(&rows, &columns)?, &shape)
}

/// A term of an einsum: a value and the label of each of its axes.
struct Term {
    value: Value,
    labels: Vec<u32>,
}
impl Term {
    /// Repeated labels become a diagonal.
    fn diagonalise(mut self) -> Result<Term> {
        while let Some((i, j)) = repeated(&self.labels) {
            let n = self.value.shape()[i];
            if n != self.value.shape()[j] {
                return Err(Error::shape(
                    "einsum",
                    format!(
                        "a repeated label stands for sizes {n} and {} of shape {}",
                        self.value.shape()[j],
                        show(self.value.shape())
                    ),
                ));
            }
            self.value = super::diagonal::diagonal(&self.value, 0, i, j)?;
            let label = self.labels[i];
            self.labels.remove(j);
            self.labels.remove(i);
            self.labels.push(label);
        }
        Ok(self)
    }
    fn sum_out(self, keep: impl Fn(u32) -> bool) -> Result<Term> {
        let axes = self.labels.iter().enumerate().filter(|(_, &l)| !keep(l)).fold(Axes(0), |a, (i, _)| a.with(i));
        if axes.is_empty() {
            return Ok(self);
        }
        let value = Sum { axes, kept: Axes(0) }.call(&[&self.value])?;
        Ok(Term { value, labels: self.labels.into_iter().filter(|&l| keep(l)).collect() })
    }
    /// Axes in the order of `labels`, all of which the term has.
    fn arranged(&self, labels: &[u32]) -> Result<Value> {
        let order: Vec<u8> =
            labels.iter().filter_map(|l| self.labels.iter().position(|m| m == l)).map(|i| i as u8).collect();
        if order.iter().enumerate().all(|(i, &a)| i == a as usize) {
            return Ok(self.value.clone());
        }
        Permute { order: order.into() }.call(&[&self.value])
    }
    fn size(&self, label: u32) -> Option<usize> {
        self.labels.iter().position(|&l| l == label).map(|i| self.value.shape()[i])
    }
}
fn repeated(labels: &[u32]) -> Option<(usize, usize)> {
    (0..labels.len()).find_map(|j| labels[..j].iter().position(|l| *l == labels[j]).map(|i| (i, j)))
}
/// Contract two terms into one with a batched matrix product; labels not in `keep` are summed.
fn contract(a: Term, b: Term, keep: impl Fn(u32) -> bool) -> Result<Term> {
    let (mut a, mut b) = (a.sum_out(|l| b.labels.contains(&l) || keep(l))?, b);
    b = b.sum_out(|l| a.labels.contains(&l) || keep(l))?;
    // A broadcast axis of size 1 on one side takes the other's size.
    for i in 0..a.labels.len() {
        let l = a.labels[i];
        let Some(nb) = b.size(l) else { continue };
        let na = a.value.shape()[i];
        if na != nb {
            let (target, n) = if na == 1 {
                (&mut a, nb)
            } else if nb == 1 {
                (&mut b, na)
            } else {
                return Err(Error::shape(
                    "einsum",
                    format!(
                        "the label {} stands for sizes {na} and {nb} in shapes {} and {}",
                        char::from_u32(l).filter(char::is_ascii_alphabetic).unwrap_or('…'),
                        show(a.value.shape()),
                        show(b.value.shape())
                    ),
                ));
            };
            let at = target.labels.iter().position(|&m| m == l).unwrap_or(0);
            let mut shape = Dims::from_slice(target.value.shape());
            shape[at] = n;
            target.value = expand::to("einsum", &target.value, &shape)?;
        }
    }
    let shared = |l: &u32| b.labels.contains(l);
    let batch: Vec<u32> = a.labels.iter().copied().filter(|l| shared(l) && keep(*l)).collect();
    let inner: Vec<u32> = a.labels.iter().copied().filter(|l| shared(l) && !keep(*l)).collect();
    let left: Vec<u32> = a.labels.iter().copied().filter(|l| !shared(l)).collect();
    let right: Vec<u32> = b.labels.iter().copied().filter(|l| !a.labels.contains(l)).collect();
    let sizes = |ls: &[u32], t: &Term| ls.iter().filter_map(|&l| t.size(l)).collect::<Dims>();
    let (nb, ni) = (sizes(&batch, &a), sizes(&inner, &a).iter().product::<usize>());
    let (nl, nr) = (sizes(&left, &a), sizes(&right, &b));
    let chain = |parts: [&[u32]; 3]| parts.concat();
    let x = a.arranged(&chain([&batch, &left, &inner]))?;
    let y = b.arranged(&chain([&batch, &inner, &right]))?;
    let count: usize = nb.iter().product();
    let labels = chain([&batch, &left, &right]);
    let shape: Dims = nb.iter().chain(&nl).chain(&nr).copied().collect();
    let (m, n) = (nl.iter().product::<usize>(), nr.iter().product::<usize>());
    let value = if inner.is_empty() {
        Mul::of(&reshape(&x, &[count, m, 1])?, &reshape(&y, &[count, 1, n])?)?
    } else if batch.is_empty() {
        MatMul::default().call(&[&reshape(&x, &[m, ni])?, &reshape(&y, &[ni, n])?])?
    } else {
        MatMul::default().call(&[&reshape(&x, &[count, m, ni])?, &reshape(&y, &[count, ni, n])?])?
    };
    Ok(Term { value: reshape(&value, &shape)?, labels })
}
const DOTS: u32 = 1 << 16;
/// Labels of one operand; the dots stand for `dots` axes, counted from the last.
fn labels(text: &str, dots: usize) -> Result<Vec<u32>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("...") {
            out.extend((0..dots).rev().map(|i| DOTS + i as u32));
            rest = after;
        } else if c.is_ascii_alphabetic() {
            out.push(c as u32);
            rest = &rest[1..];
        } else {
            return Err(Error::value("einsum", format!("'{c}' is not a label; use letters, ',', '->' and '...'")));
        }
    }
    Ok(out)
}
/// Sum of products by the index notation of Einstein, contracted from left to right.
pub fn einsum(equation: &str, values: &[Value]) -> Result<Value> {
    let text: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = match text.split_once("->") {
        Some((i, o)) => (i, Some(o)),
        None => (text.as_str(), None),
    };
    let parts: Vec<&str> = inputs.split(',').collect();
    if parts.len() != values.len() {
        return Err(Error::value(
            "einsum",
            format!("'{equation}' names {} operands but {} were given", parts.len(), values.len()),
        ));
    }
    let mut terms = Vec::new();
    let mut widest = 0;
    for (part, value) in parts.iter().zip(values) {
        let named = part.replace("...", "").len();
        let dots = if part.contains("...") { value.rank().saturating_sub(named) } else { 0 };
        if named + dots != value.rank() {
            return Err(Error::shape(
                "einsum",
                format!("'{part}' does not fit a tensor of shape {}", show(value.shape())),
            ));
        }
        widest = widest.max(dots);
        terms.push(Term { value: value.clone(), labels: labels(part, dots)? }.diagonalise()?);
    }
    let wanted: Vec<u32> = match output {
        Some(o) => labels(o, widest)?,
        None => {
            // Labels that occur once, in alphabetical order, behind the dots.
            let mut all: Vec<u32> =
                parts.iter().flat_map(|p| p.chars()).filter(|c| c.is_ascii_alphabetic()).map(|c| c as u32).collect();
            all.sort_unstable();
            let once = |l: &u32| all.iter().filter(|m| *m == l).count() == 1;
            (0..widest).rev().map(|i| DOTS + i as u32).chain(all.iter().copied().filter(once)).collect()
        }
    };
    if repeated(&wanted).is_some() || wanted.iter().any(|l| !terms.iter().any(|t| t.labels.contains(l))) {
        return Err(Error::value(
            "einsum",
            format!("the output of '{equation}' must use labels of the inputs, each once"),
        ));
    }
    let mut rest = terms.into_iter();
    let Some(mut sum) = rest.next() else { return Err(Error::value("einsum", "got no operands")) };
    let later: Vec<Term> = rest.collect();
    let mut later = std::collections::VecDeque::from(later);
    while let Some(next) = later.pop_front() {
        let needed: Vec<u32> =
            later.iter().flat_map(|t| t.labels.iter().copied()).chain(wanted.iter().copied()).collect();
        sum = contract(sum, next, |l| needed.contains(&l))?;
    }
    sum.sum_out(|l| wanted.contains(&l))?.arranged(&wanted)
}
