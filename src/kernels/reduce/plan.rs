//! The geometry of a reduction: which axes are walked in which order, after merging those that lie end to end.
use crate::array::Strided;
use smallvec::SmallVec;

/// Some axes of an array, outermost first.
#[derive(Clone, Default)]
pub struct Axes {
    pub shape: SmallVec<[usize; 4]>,
    pub strides: SmallVec<[isize; 4]>,
}
impl Axes {
    /// One more axis inside the others; merged with the last where they lie end to end.
    pub fn push(&mut self, n: usize, stride: isize) {
        if let (Some(size), Some(step)) = (self.shape.last_mut(), self.strides.last_mut()) {
            if *step == n as isize * stride {
                *size *= n;
                *step = stride;
                return;
            }
        }
        self.shape.push(n);
        self.strides.push(stride);
    }
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
    /// Where element `index` (row-major) lies, relative to the first.
    #[inline(always)]
    pub fn offset(&self, index: usize) -> isize {
        let (mut rest, mut at) = (index, 0);
        for a in (1..self.shape.len()).rev() {
            at += (rest % self.shape[a]) as isize * self.strides[a];
            rest /= self.shape[a];
        }
        if let Some(&stride) = self.strides.first() {
            at += rest as isize * stride;
        }
        at
    }
    /// The innermost axis: size and stride.
    #[inline(always)]
    pub fn inner(&self) -> (usize, isize) {
        (self.shape.last().copied().unwrap_or(1), self.strides.last().copied().unwrap_or(0))
    }
    /// These axes of `data`, from `first` on.
    #[inline(always)]
    pub fn view<'a, T: Copy>(&'a self, data: &'a [T], first: isize) -> Strided<'a, T> {
        Strided { data, offset: first as usize, shape: &self.shape, strides: &self.strides }
    }
}

/// Kept and reduced axes in the order of memory.
pub struct Plan {
    pub kept: Axes,
    pub reduced: Axes,
    /// Where results go if memory order is not the order of the output: the kept axes with their strides there.
    pub order: Option<Axes>,
    pub offset: isize,
}

/// Broadcast axes outermost, then from long steps to short ones.
fn far(stride: isize) -> usize {
    if stride == 0 {
        usize::MAX
    } else {
        stride.unsigned_abs()
    }
}

impl Plan {
    /// For an array without zero sizes.
    pub fn new<T: Copy>(x: &Strided<T>, axes: u64) -> Plan {
        let mut offset = x.offset as isize;
        let mut kept: SmallVec<[(usize, isize, isize); 4]> = SmallVec::new();
        let mut reduced: SmallVec<[(usize, isize); 4]> = SmallVec::new();
        let mut step = 1;
        for a in (0..x.shape.len()).rev() {
            let (n, stride) = (x.shape[a], x.strides[a]);
            let is_reduced = axes >> a & 1 == 1;
            match is_reduced {
                _ if n == 1 => {}
                // The order within a reduced axis is free: walk it upwards.
                true if stride < 0 => {
                    offset += (n as isize - 1) * stride;
                    reduced.push((n, -stride));
                }
                true => reduced.push((n, stride)),
                false => kept.push((n, stride, step)),
            }
            if !is_reduced {
                step *= n as isize;
            }
        }
        kept.reverse();
        reduced.reverse();
        reduced.sort_by_key(|&(_, stride)| std::cmp::Reverse(far(stride)));
        let by_memory = |k: &(usize, isize, isize)| std::cmp::Reverse(far(k.1));
        let permuted = !kept.is_sorted_by_key(by_memory);
        if permuted {
            kept.sort_by_key(by_memory);
        }
        let mut plan = Plan { kept: Axes::default(), reduced: Axes::default(), order: None, offset };
        if permuted {
            let mut order = Axes::default();
            order.shape.extend(kept.iter().map(|k| k.0));
            order.strides.extend(kept.iter().map(|k| k.2));
            plan.order = Some(order);
        }
        kept.iter().for_each(|&(n, stride, _)| plan.kept.push(n, stride));
        reduced.iter().for_each(|&(n, stride)| plan.reduced.push(n, stride));
        plan
    }
    /// Whether neighbours in memory are neighbours in a reduced line.
    pub fn along_rows(&self) -> bool {
        self.kept.shape.is_empty()
            || (!self.reduced.shape.is_empty() && far(self.reduced.inner().1) < far(self.kept.inner().1))
    }
}
