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
    /// All of several equally long parts of one line, as `abreast`.
    #[inline(always)]
    fn across(self, parts: [&[Self::Item]; STREAMS], with: Self::With) -> Self::Out {
        match std::mem::size_of::<Self::Out>() {
            0..=4 => across::<Self, 16>(self, parts, with),
            5..=8 => across::<Self, 8>(self, parts, with),
            _ => across::<Self, 4>(self, parts, with),
        }
    }
}

/// Elements that are reduced in lanes before their result enters the pairwise tree.
pub const BLOCK: usize = 4096;
/// Places in memory that are read side by side: it answers several streams sooner than one.
pub const STREAMS: usize = 4;
/// Elements that are read on end in each of these places: every jump to other places is waited for.
pub const FAR: usize = 16 * BLOCK;

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
/// `W` running results for each of the parts, which are equally long, and what is left of each; `W` is 4, 8 or 16.
#[inline(always)]
fn running<F: Fold, const W: usize>(
    f: F,
    parts: [&[F::Item]; STREAMS],
    with: [F::With; STREAMS],
) -> [([F::Out; W], &[F::Item]); STREAMS] {
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
    [(p, a), (q, b), (r, c), (s, d)]
}
#[inline(always)]
fn abreast<F: Fold, const W: usize>(f: F, parts: [&[F::Item]; STREAMS], with: [F::With; STREAMS]) -> [F::Out; STREAMS] {
    let [a, b, c, d] = running::<F, W>(f, parts, with);
    [
        settled(f, a.0, a.1, with[0]),
        settled(f, b.0, b.1, with[1]),
        settled(f, c.0, c.1, with[2]),
        settled(f, d.0, d.1, with[3]),
    ]
}
#[inline(always)]
fn across<F: Fold, const W: usize>(f: F, parts: [&[F::Item]; STREAMS], with: F::With) -> F::Out {
    let [a, b, c, d] = running::<F, W>(f, parts, [with; STREAMS]);
    let all: [F::Out; W] = std::array::from_fn(|l| f.join(f.join(a.0[l], b.0[l]), f.join(c.0[l], d.0[l])));
    let mut sum = settled(f, all, a.1, with);
    for rest in [b.1, c.1, d.1] {
        for &item in rest {
            sum = f.step(sum, item, with);
        }
    }
    sum
}
/// Running results and the few elements that are left, joined as a tree; `W` is a power of two from 4 to 64.
#[inline(always)]
fn settled<F: Fold, const W: usize>(f: F, registers: [F::Out; W], rest: &[F::Item], with: F::With) -> F::Out {
    // Mostly nothing is left, and all stays in registers.
    let mut sums = registers;
    if !rest.is_empty() {
        let mut others = [f.start(); W];
        for (sum, &item) in others.iter_mut().zip(rest) {
            *sum = f.step(*sum, item, with);
        }
        sums = std::array::from_fn(|l| f.join(registers[l], others[l]));
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
        if self.count == 0 {
            return self.f.start();
        }
        let mut sum = self.levels[self.count.trailing_zeros() as usize];
        let mut left = self.count & (self.count - 1);
        while left != 0 {
            sum = self.f.join(self.levels[left.trailing_zeros() as usize], sum);
            left &= left - 1;
        }
        sum
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
    for span in items.chunks(STREAMS * FAR) {
        let quarter = span.len() / STREAMS;
        let (parts, rest) = span.split_at(STREAMS * quarter);
        for low in (0..quarter).step_by(BLOCK / STREAMS) {
            let high = (low + BLOCK / STREAMS).min(quarter);
            let parts = std::array::from_fn(|s| &parts[s * quarter + low..s * quarter + high]);
            tree.push(f.across(parts, with));
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
/// Lines of this length are read side by side rather than each in quarters: streams should be long. Long ones only where
/// there are many, since a company is the work of one thread.
#[inline(always)]
pub fn in_company<F: Fold>(length: usize, lines: usize) -> bool {
    let longest = if lines >= MANY { STREAMS * FAR } else { STREAMS * BLOCK - 1 };
    streams::<F>() && (BLOCK / STREAMS..=longest).contains(&length)
}
/// Lines that make work for many threads in companies, too.
const MANY: usize = 64 * STREAMS;
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
