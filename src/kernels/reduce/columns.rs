//! Reductions whose neighbours in memory belong to neighbouring results: rows are added up into a tile of results.
use super::{
    fold::{join_parts, Fold},
    plan::Plan,
};
use crate::kernels::{
    isa::{dispatch, Kernel},
    pool,
};

/// Bytes of results that stay in the first-level cache while rows stream past.
const TILE_BYTES: usize = 1 << 14;
/// Rows taken in at once: their results are joined in registers.
const GROUP: usize = 8;
/// Rows that enter a tile before it joins the pairwise tree.
const ROWS: usize = 128;
/// Elements of several narrow rows that are treated as one row.
const WIDE: usize = 512;

/// Results of a tile: a running block, and finished blocks of rows in a binary counter.
struct Tile<'a, F: Fold> {
    f: F,
    block: &'a mut [F::Out],
    rows: usize,
    levels: Vec<Vec<F::Out>>,
    count: usize,
}
struct Group<'a, F: Fold> {
    f: F,
    rows: [&'a [F::Item]; GROUP],
    with: &'a [F::With],
    out: &'a mut [F::Out],
}
impl<F: Fold> Kernel for Group<'_, F> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let Group { f, rows, with, out } = self;
        let n = out.len();
        let with = &with[..n];
        let [a, b, c, d, e, g, h, i] = rows.map(|row| &row[..n]);
        for k in 0..n {
            let w = with[k];
            // No closure: it might become a function of its own.
            macro_rules! two {
                ($p:ident, $q:ident) => {
                    f.step(f.step(f.start(), $p[k], w), $q[k], w)
                };
            }
            let (low, high) = (f.join(two!(a, b), two!(c, d)), f.join(two!(e, g), two!(h, i)));
            out[k] = f.join(out[k], f.join(low, high));
        }
    }
}
struct Single<'a, F: Fold> {
    f: F,
    row: &'a [F::Item],
    with: &'a [F::With],
    out: &'a mut [F::Out],
}
impl<F: Fold> Kernel for Single<'_, F> {
    type Out = ();
    #[inline(always)]
    fn run(self) {
        let f = self.f;
        for ((y, &x), &w) in self.out.iter_mut().zip(self.row).zip(self.with) {
            *y = f.step(*y, x, w);
        }
    }
}
impl<F: Fold> Tile<'_, F> {
    fn new(f: F, block: &mut [F::Out]) -> Tile<'_, F> {
        block.fill(f.start());
        Tile { f, block, rows: 0, levels: Vec::new(), count: 0 }
    }
    fn group(&mut self, rows: [&[F::Item]; GROUP], with: &[F::With]) {
        if self.rows == ROWS {
            self.carry();
        }
        dispatch(Group { f: self.f, rows, with, out: self.block });
        self.rows += GROUP;
    }
    fn single(&mut self, row: &[F::Item], with: &[F::With]) {
        if self.rows == ROWS {
            self.carry();
        }
        dispatch(Single { f: self.f, row, with, out: self.block });
        self.rows += 1;
    }
    fn carry(&mut self) {
        let (f, mut level) = (self.f, 0);
        while self.count >> level & 1 == 1 {
            self.block.iter_mut().zip(&self.levels[level]).for_each(|(y, &x)| *y = f.join(x, *y));
            level += 1;
        }
        match self.levels.get_mut(level) {
            Some(kept) => kept.copy_from_slice(self.block),
            None => self.levels.push(self.block.to_vec()),
        }
        self.block.fill(f.start());
        self.count += 1;
        self.rows = 0;
    }
    fn finish(self) {
        for (level, kept) in self.levels.iter().enumerate() {
            if self.count >> level & 1 == 1 {
                self.block.iter_mut().zip(kept).for_each(|(y, &x)| *y = self.f.join(x, *y));
            }
        }
    }
}

/// Rows `low..high` of the reduced axes into results that lie side by side, the first at `at`.
fn tile<F: Fold>(
    f: F,
    data: &[F::Item],
    plan: &Plan,
    at: isize,
    low: usize,
    high: usize,
    with: &[F::With],
    out: &mut [F::Out],
) {
    let (width, step) = (out.len(), plan.kept.inner().1);
    let reduced = &plan.reduced;
    if (high - low) * width <= 64 {
        out.fill(f.start());
        for r in low..high {
            let first = at + reduced.offset(r);
            for (k, (y, &w)) in out.iter_mut().zip(with).enumerate() {
                *y = f.step(*y, data[(first + k as isize * step) as usize], w);
            }
        }
        return;
    }
    let end_to_end = step == 1 && reduced.inner().1 == width as isize;
    if end_to_end && width <= WIDE / 4 {
        return narrow(f, data, plan, at, low, high, with, out);
    }
    let mut tile = Tile::new(f, out);
    let mut buffer = vec![F::Item::default(); if step == 1 { 0 } else { width * GROUP }];
    let mut r = low;
    while r < high {
        let group = if high - r >= GROUP { GROUP } else { 1 };
        let mut starts = [0; GROUP];
        starts[..group].iter_mut().enumerate().for_each(|(j, s)| *s = (at + reduced.offset(r + j)) as usize);
        let mut rows: [&[F::Item]; GROUP] = [&[]; GROUP];
        if step == 1 {
            rows[..group].iter_mut().zip(starts).for_each(|(row, s)| *row = &data[s..s + width]);
        } else {
            for (row, s) in buffer.chunks_exact_mut(width).zip(&starts[..group]) {
                row.iter_mut().enumerate().for_each(|(k, v)| *v = data[(*s as isize + k as isize * step) as usize]);
            }
            rows[..group].iter_mut().zip(buffer.chunks_exact(width)).for_each(|(row, b)| *row = b);
        }
        match group {
            GROUP => tile.group(rows, with),
            _ => tile.single(rows[0], with),
        }
        r += group;
    }
    tile.finish();
}
/// Narrow rows that lie end to end: as many as make a wide row are treated as one, then joined.
fn narrow<F: Fold>(
    f: F,
    data: &[F::Item],
    plan: &Plan,
    at: isize,
    low: usize,
    high: usize,
    with: &[F::With],
    out: &mut [F::Out],
) {
    let width = out.len();
    let (reduced, (run, _)) = (&plan.reduced, plan.reduced.inner());
    let copies = (WIDE / width).min(high - low).min(run);
    let wide = copies * width;
    let with: Vec<F::With> = with.iter().copied().cycle().take(wide).collect();
    let mut sums = vec![f.start(); wide];
    let mut tile = Tile::new(f, &mut sums);
    let mut r = low;
    while r < high {
        let length = (run - r % run).min(high - r);
        let start = (at + reduced.offset(r)) as usize;
        let mut rest = &data[start..start + length * width];
        while rest.len() >= wide * GROUP {
            let (rows, tail) = rest.split_at(wide * GROUP);
            tile.group(std::array::from_fn(|j| &rows[j * wide..(j + 1) * wide]), &with);
            rest = tail;
        }
        rest.chunks(wide).for_each(|row| tile.single(row, &with));
        r += length;
    }
    tile.finish();
    join_parts(f, &mut sums, width);
    out.copy_from_slice(&sums[..width]);
}

/// Results `first..first + out.len()` from rows `low..high`, cut where the inner kept axis ends.
fn piece<F: Fold>(
    f: F,
    data: &[F::Item],
    plan: &Plan,
    first: usize,
    low: usize,
    high: usize,
    with: &[F::With],
    out: &mut [F::Out],
) {
    let inner = plan.kept.inner().0;
    let mut done = 0;
    while done < out.len() {
        let i = first + done;
        let width = (inner - i % inner).min(out.len() - done);
        let at = plan.offset + plan.kept.offset(i);
        tile(f, data, plan, at, low, high, &with[done..done + width], &mut out[done..done + width]);
        done += width;
    }
}
pub fn reduce<F: Fold>(f: F, data: &[F::Item], plan: &Plan, with: &[F::With], out: &mut [F::Out]) {
    let (count, rows) = (out.len(), plan.reduced.len());
    let work = count * rows;
    let width = TILE_BYTES / std::mem::size_of::<F::Out>().max(1);
    let pieces = |first: usize, low: usize, high: usize, out: &mut [F::Out]| {
        for (j, part) in out.chunks_mut(width).enumerate() {
            let i = first + j * width;
            piece(f, data, plan, i, low, high, &with[i..i + part.len()], part);
        }
    };
    // Few results and many rows: rows are cut in parts too, of a size that depends on the shape alone.
    let parts = work.div_ceil(1 << 16).min(rows.div_ceil(ROWS)).min(64);
    if count.div_ceil(width) < 8 && parts > 1 {
        let per_part = rows.div_ceil(parts).next_multiple_of(ROWS);
        let parts = rows.div_ceil(per_part);
        let mut partial = vec![f.start(); parts * count];
        pool::parallel_chunks(&mut partial, count, work, &|part, out| {
            pieces(0, part * per_part, ((part + 1) * per_part).min(rows), out);
        });
        join_parts(f, &mut partial, count);
        out.copy_from_slice(&partial[..count]);
        return;
    }
    // Short columns: several tiles' worth of elements make a task.
    let per_task = ((1usize << 15).div_ceil(rows)).min(width).max(plan.kept.inner().0.min(width)).max(1);
    pool::parallel_chunks(out, per_task, work, &|task, out| pieces(task * per_task, 0, rows, out));
}
