//! The contract of a reduction, and the loop that reduces one contiguous line in vector registers.
use crate::dtype::{DType, Element};

/// A reduction: how elements are taken in and partial results joined. Mark all `#[inline(always)]`.
pub trait Fold: Copy + Sync {
    type Item: Element;
    /// What is known per result beforehand (a mean, a largest element); `()` for none.
    type With: Copy + Sync;
    type Out: Element;
    /// Whether floats are taken in faster than memory brings them, so that several streams pay.
    const LIGHT: bool = false;
    /// The result of nothing.
    fn start(self) -> Self::Out;
    fn step(self, sum: Self::Out, item: Self::Item, with: Self::With) -> Self::Out;
    fn join(self, a: Self::Out, b: Self::Out) -> Self::Out;
    /// At most [`BLOCK`] neighbours at once, for reductions that know a faster way.
    #[inline(always)]
    fn block(self, items: &[Self::Item], with: Self::With) -> Self::Out {
        block(self, items, with)
    }
    /// Several equally long parts of lines, of at most [`BLOCK`] elements together, each for itself.
    #[inline(always)]
    fn abreast(self, parts: [&[Self::Item]; STREAMS], with: [Self::With; STREAMS]) -> [Self::Out; STREAMS] {
        match std::mem::size_of::<Self::Out>() {
            0..=4 => abreast::<Self, 16>(self, parts, with),
            5..=8 => abreast::<Self, 8>(self, parts, with),
            _ => abreast::<Self, 4>(self, parts, with),
        }
    }
}

/// Elements that are reduced in lanes before their result enters the pairwise tree.
pub const BLOCK: usize = 4096;
/// Places in memory that are read side by side: it answers several streams sooner than one.
pub const STREAMS: usize = 4;

/// `L` independent running results, joined as a tree; `L` is 16, 32 or 64.
///
/// The running results stay in registers only if no index into them is known at run time alone and the two loops over
/// them are plain: the rest of the line and the tree have an array of their own. In memory every step would wait for the
/// store before.
#[inline(always)]
pub fn lanes<F: Fold, const L: usize>(f: F, items: &[F::Item], with: F::With) -> F::Out {
    let mut registers = [f.start(); L];
    let chunks = items.chunks_exact(L);
    let rest = chunks.remainder();
    for chunk in chunks {
        for l in 0..L {
            registers[l] = f.step(registers[l], chunk[l], with);
        }
    }
    settled(f, registers, rest, with)
}
/// `W` running results for each of the parts, which are equally long; `W` is 4, 8 or 16.
#[inline(always)]
fn abreast<F: Fold, const W: usize>(f: F, parts: [&[F::Item]; STREAMS], with: [F::With; STREAMS]) -> [F::Out; STREAMS] {
    let length = parts[0].len();
    let whole = length - length % W;
    // Four arrays: an index into one of arrays would put all of them into memory.
    let start = [f.start(); W];
    let (mut p, mut q, mut r, mut s) = (start, start, start, start);
    let [a, b, c, d] = parts.map(|part| part[..whole].chunks_exact(W));
    for (((a, b), c), d) in a.zip(b).zip(c).zip(d) {
        for l in 0..W {
            p[l] = f.step(p[l], a[l], with[0]);
        }
        for l in 0..W {
            q[l] = f.step(q[l], b[l], with[1]);
        }
        for l in 0..W {
            r[l] = f.step(r[l], c[l], with[2]);
        }
        for l in 0..W {
            s[l] = f.step(s[l], d[l], with[3]);
        }
    }
    // Otherwise the compiler may lay the four out side by side, for the few joins at the end, and shuffle in the loop.
    let (p, q, r, s) = std::hint::black_box((p, q, r, s));
    let [a, b, c, d] = parts.map(|part| &part[whole..length]);
    [settled(f, p, a, with[0]), settled(f, q, b, with[1]), settled(f, r, c, with[2]), settled(f, s, d, with[3])]
}
/// Running results and the few elements that are left, joined as a tree; `W` is a power of two from 4 to 64.
#[inline(always)]
fn settled<F: Fold, const W: usize>(f: F, registers: [F::Out; W], rest: &[F::Item], with: F::With) -> F::Out {
    let mut sums = [f.start(); W];
    for (sum, &item) in sums.iter_mut().zip(rest) {
        *sum = f.step(*sum, item, with);
    }
    for l in 0..W {
        sums[l] = f.join(registers[l], sums[l]);
    }
    if W > 32 {
        for l in 0..32 {
            sums[l] = f.join(sums[l], sums[l + 32]);
        }
    }
    if W > 16 {
        for l in 0..16 {
            sums[l] = f.join(sums[l], sums[l + 16]);
        }
    }
    if W > 8 {
        for l in 0..8 {
            sums[l] = f.join(sums[l], sums[l + 8]);
        }
    }
    if W > 4 {
        for l in 0..4 {
            sums[l] = f.join(sums[l], sums[l + 4]);
        }
    }
    f.join(f.join(sums[0], sums[2]), f.join(sums[1], sums[3]))
}
/// At most a block of elements: as many lanes as fill several vector registers.
#[inline(always)]
fn block<F: Fold>(f: F, items: &[F::Item], with: F::With) -> F::Out {
    if items.len() < 32 {
        let mut sum = f.start();
        for &item in items {
            sum = f.step(sum, item, with);
        }
        return sum;
    }
    if items.len() < 512 {
        return lanes::<F, 16>(f, items, with);
    }
    match std::mem::size_of::<F::Out>() {
        0..=4 => lanes::<F, 64>(f, items, with),
        5..=8 => lanes::<F, 32>(f, items, with),
        _ => lanes::<F, 16>(f, items, with),
    }
}

/// Partial results in a binary counter: the n-th joins as a leaf of a balanced tree (pairwise summation, Higham 1993).
pub struct Tree<F: Fold> {
    f: F,
    levels: [F::Out; 48],
    count: usize,
}
impl<F: Fold> Tree<F> {
    #[inline(always)]
    pub fn new(f: F) -> Tree<F> {
        Tree { f, levels: [F::Out::default(); 48], count: 0 }
    }
    #[inline(always)]
    pub fn push(&mut self, leaf: F::Out) {
        let (mut sum, mut level) = (leaf, 0);
        while self.count >> level & 1 == 1 {
            sum = self.f.join(self.levels[level], sum);
            level += 1;
        }
        self.levels[level] = sum;
        self.count += 1;
    }
    #[inline(always)]
    pub fn finish(&self) -> F::Out {
        let mut sum = None;
        for level in 0..self.levels.len() {
            if self.count >> level & 1 == 1 {
                let here = self.levels[level];
                sum = Some(match sum {
                    Some(s) => self.f.join(here, s),
                    None => here,
                });
            }
        }
        sum.unwrap_or_else(|| self.f.start())
    }
}
/// A contiguous line of any length: a long one in spans whose quarters are read side by side.
#[inline(always)]
pub fn line<F: Fold>(f: F, items: &[F::Item], with: F::With) -> F::Out {
    if items.len() <= if streams::<F>() { BLOCK / 2 } else { BLOCK } {
        return f.block(items, with);
    }
    let mut tree = Tree::new(f);
    if !streams::<F>() {
        for chunk in items.chunks(BLOCK) {
            tree.push(f.block(chunk, with));
        }
        return tree.finish();
    }
    for span in items.chunks(STREAMS * BLOCK) {
        let quarter = span.len() / STREAMS;
        let (parts, rest) = span.split_at(STREAMS * quarter);
        for low in (0..quarter).step_by(BLOCK / STREAMS) {
            let high = (low + BLOCK / STREAMS).min(quarter);
            let parts = std::array::from_fn(|s| &parts[s * quarter + low..s * quarter + high]);
            let [a, b, c, d] = f.abreast(parts, [with; STREAMS]);
            tree.push(f.join(f.join(a, b), f.join(c, d)));
        }
        if !rest.is_empty() {
            tree.push(f.block(rest, with));
        }
    }
    tree.finish()
}
/// Known to the compiler, which then makes no code for the other way.
#[inline(always)]
fn streams<F: Fold>() -> bool {
    F::LIGHT && (F::Item::accepts(DType::F32) || F::Item::accepts(DType::F64))
}
/// Lines of this length are read side by side rather than each in quarters: streams should be long.
#[inline(always)]
pub fn in_company<F: Fold>(length: usize) -> bool {
    streams::<F>() && (BLOCK / STREAMS..STREAMS * BLOCK).contains(&length)
}
/// Equally long lines side by side.
#[inline(always)]
pub fn lines<F: Fold>(f: F, rows: [&[F::Item]; STREAMS], with: [F::With; STREAMS]) -> [F::Out; STREAMS] {
    let length = rows[0].len();
    let mut trees: [Tree<F>; STREAMS] = std::array::from_fn(|_| Tree::new(f));
    for low in (0..length).step_by(BLOCK / STREAMS) {
        let high = (low + BLOCK / STREAMS).min(length);
        let leaves = f.abreast(rows.map(|row| &row[low..high]), with);
        for (tree, leaf) in trees.iter_mut().zip(leaves) {
            tree.push(leaf);
        }
    }
    trees.map(|tree| tree.finish())
}
/// Join partial results that lie `width` apart: `parts[0..width]` gets the results. The tree depends on the count alone.
pub fn join_parts<F: Fold>(f: F, parts: &mut [F::Out], width: usize) {
    let count = parts.len() / width.max(1);
    let mut gap = 1;
    while gap < count {
        for first in (0..count - gap).step_by(2 * gap) {
            let (a, b) = parts.split_at_mut((first + gap) * width);
            let a = &mut a[first * width..(first + 1) * width];
            a.iter_mut().zip(&b[..width]).for_each(|(a, &b)| *a = f.join(*a, b));
        }
        gap *= 2;
    }
}
