//! The contract of a reduction, and the loop that reduces one contiguous line in vector registers.
use crate::dtype::Element;

/// A reduction: how elements are taken in and partial results joined. Mark all `#[inline(always)]`.
pub trait Fold: Copy + Sync {
    type Item: Element;
    /// What is known per result beforehand (a mean, a largest element); `()` for none.
    type With: Copy + Sync;
    type Out: Element;
    /// The result of nothing.
    fn start(self) -> Self::Out;
    fn step(self, sum: Self::Out, item: Self::Item, with: Self::With) -> Self::Out;
    fn join(self, a: Self::Out, b: Self::Out) -> Self::Out;
    /// At most [`BLOCK`] neighbours at once, for reductions that know a faster way.
    #[inline(always)]
    fn block(self, items: &[Self::Item], with: Self::With) -> Self::Out {
        block(self, items, with)
    }
}

/// Elements that are reduced in lanes before their result enters the pairwise tree.
pub const BLOCK: usize = 4096;

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
    let mut sums = [f.start(); L];
    for (sum, &item) in sums.iter_mut().zip(rest) {
        *sum = f.step(*sum, item, with);
    }
    for l in 0..L {
        sums[l] = f.join(registers[l], sums[l]);
    }
    if L > 32 {
        for l in 0..32 {
            sums[l] = f.join(sums[l], sums[l + 32]);
        }
    }
    if L > 16 {
        for l in 0..16 {
            sums[l] = f.join(sums[l], sums[l + 16]);
        }
    }
    for l in 0..8 {
        sums[l] = f.join(sums[l], sums[l + 8]);
    }
    for l in 0..4 {
        sums[l] = f.join(sums[l], sums[l + 4]);
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
/// A contiguous line of any length.
#[inline(always)]
pub fn line<F: Fold>(f: F, items: &[F::Item], with: F::With) -> F::Out {
    if items.len() <= BLOCK {
        return f.block(items, with);
    }
    let mut tree = Tree::new(f);
    for chunk in items.chunks(BLOCK) {
        tree.push(f.block(chunk, with));
    }
    tree.finish()
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
