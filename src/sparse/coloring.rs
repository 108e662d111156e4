//! Columns that share no row get one colour, so that one product with a vector evaluates them all.
use super::Pattern;

/// A colour in `0..count` for each column (or row: colour the transpose).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coloring {
    pub colors: Vec<u32>,
    pub count: u32,
}

impl Coloring {
    /// A colour of its own for each: valid for every pattern.
    pub(super) fn distinct(n: usize) -> Coloring {
        Coloring { colors: (0..n as u32).collect(), count: n as u32 }
    }
    /// How many colours a search may use at most to be worth its end.
    pub(super) fn fewer(&self) -> usize {
        (self.count as usize).saturating_sub(1)
    }
}

/// What a column holds before it has a colour. Patterns are smaller than that.
pub(super) const NONE: u32 = u32::MAX;

/// Colours such that two columns that meet in a row differ: each entry of A stands alone in some entry of A·S, where
/// S[j, color of j] = 1 (Curtis, Powell, Reid 1974, "On the estimation of sparse Jacobian matrices").
///
/// Time is at most the sum of the squared row lengths: linear for a band. A row of length r needs r products, so to find
/// the colours costs no more than to use them.
pub fn columns(pattern: &Pattern) -> Coloring {
    columns_within(pattern, usize::MAX).unwrap_or_else(|| Coloring::distinct(pattern.columns()))
}
/// As `columns`; none if more than `most` colours were needed. Time is then at most `most` times the number of entries.
pub fn columns_within(pattern: &Pattern, most: usize) -> Option<Coloring> {
    let n = pattern.columns();
    let least = pattern.longest_row();
    let mut best = (n <= most).then(|| Coloring::distinct(n));
    // All columns meet in a full row: the search would take n² steps to find that.
    if least == n || least > most {
        return best;
    }
    let within = |best: &Option<Coloring>| best.as_ref().map_or(most, Coloring::fewer);
    let rows_of = pattern.transpose();
    // The given order is the better one for bands: there it reaches the lower bound.
    best = greedy(pattern, &rows_of, 0..n as u32, within(&best)).or(best);
    if least <= within(&best) {
        let order = largest_first(&meetings(pattern, &rows_of));
        best = greedy(pattern, &rows_of, order, within(&best)).or(best);
    }
    best
}

/// Gives each column in turn the least colour that no column it meets has; none if more than `most` were needed.
pub(super) fn greedy(
    pattern: &Pattern,
    rows_of: &Pattern,
    order: impl IntoIterator<Item = u32>,
    most: usize,
) -> Option<Coloring> {
    let n = pattern.columns();
    // Columns without a colour hold n, which has a mark like the others: the inner loop need not ask.
    let (mut colors, mut count) = (vec![n as u32; n], 0);
    let mut marks = Marks::new(n);
    for j in order {
        marks.start(j);
        for &i in rows_of.row(j as usize) {
            // In a dense pattern every colour is soon forbidden: stopping then takes n² steps, not n³.
            if marks.number == count {
                break;
            }
            for &other in pattern.row(i as usize) {
                marks.forbid(colors[other as usize]);
            }
        }
        let color = marks.least(most)?;
        colors[j as usize] = color;
        count = count.max(color + 1);
    }
    Some(Coloring { colors, count })
}

/// The colours forbidden to one vertex. A mark is the vertex itself, so marks need no clearing between vertices.
pub(super) struct Marks {
    forbidden_to: Vec<u32>,
    vertex: u32,
    /// How many colours are forbidden.
    pub number: u32,
}
impl Marks {
    /// For colours below `count`; one more stands for "no colour yet" and is never counted.
    pub fn new(count: usize) -> Marks {
        Marks { forbidden_to: vec![NONE; count + 1], vertex: NONE, number: 0 }
    }
    pub fn start(&mut self, vertex: u32) {
        (self.vertex, self.number) = (vertex, 0);
        if let Some(uncolored) = self.forbidden_to.last_mut() {
            *uncolored = vertex;
        }
    }
    pub fn forbid(&mut self, color: u32) {
        let mark = &mut self.forbidden_to[color as usize];
        self.number += u32::from(*mark != self.vertex);
        *mark = self.vertex;
    }
    /// The least allowed colour below `most`.
    pub fn least(&self, most: usize) -> Option<u32> {
        self.forbidden_to[..most].iter().position(|&mark| mark != self.vertex).map(|color| color as u32)
    }
}

/// How often each column meets others: its degree if no two columns met twice. The degree itself would cost a search.
fn meetings(pattern: &Pattern, rows_of: &Pattern) -> Vec<usize> {
    let met = |j| rows_of.row(j).iter().map(|&i| pattern.row(i as usize).len() - 1).sum();
    (0..pattern.columns()).map(met).collect()
}

/// Vertices by descending degree, equal degrees as they come (Welsh, Powell 1967, "An upper bound for the chromatic
/// number of a graph"). A counting sort, where all degrees from n on are one.
pub(super) fn largest_first(degrees: &[usize]) -> Vec<u32> {
    let n = degrees.len();
    let bucket = |degree: usize| n - degree.min(n);
    let mut starts = vec![0; n + 2];
    for &degree in degrees {
        starts[bucket(degree) + 1] += 1;
    }
    for b in 0..n {
        starts[b + 1] += starts[b];
    }
    let mut order = vec![0; n];
    for (vertex, &degree) in degrees.iter().enumerate() {
        let place = &mut starts[bucket(degree)];
        order[*place] = vertex as u32;
        *place += 1;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{arrow, pattern, random, tridiagonal, Generator},
        columns, columns_within, greedy, largest_first, meetings, Coloring, Pattern,
    };

    /// From the definition: colours are in range, all are used, and two columns of one row differ.
    fn check(p: &Pattern, coloring: &Coloring) {
        assert_eq!(coloring.colors.len(), p.columns());
        assert!((0..coloring.count).all(|color| coloring.colors.contains(&color)));
        assert!(coloring.colors.iter().all(|&color| color < coloring.count));
        for i in 0..p.rows() {
            for &j in p.row(i) {
                for &k in p.row(i) {
                    assert!(j == k || coloring.colors[j as usize] != coloring.colors[k as usize], "{p:?} {coloring:?}");
                }
            }
        }
    }
    #[test]
    fn random_patterns_get_valid_colors() {
        let mut generator = Generator::new(2);
        for _ in 0..2000 {
            let (rows, n) = (generator.below(12), generator.below(12));
            let p = random(&mut generator, rows, n);
            let coloring = columns(&p);
            check(&p, &coloring);
            assert!(coloring.count as usize >= p.longest_row());
            // Never more than either order alone would take.
            let rows_of = p.transpose();
            let natural = greedy(&p, &rows_of, 0..n as u32, n).unwrap();
            let largest = greedy(&p, &rows_of, largest_first(&meetings(&p, &rows_of)), n).unwrap();
            check(&p, &natural);
            check(&p, &largest);
            assert_eq!(coloring.count, natural.count.min(largest.count));
            // A limit changes nothing but whether there is a result.
            for most in 0..14 {
                let wanted = (coloring.count as usize <= most).then(|| coloring.clone());
                assert_eq!(columns_within(&p, most), wanted);
            }
        }
    }
    #[test]
    fn known_patterns_get_the_least_number() {
        assert_eq!(columns(&tridiagonal(50)).count, 3);
        assert_eq!(columns(&pattern(50, 50, |i, j| i == j)).count, 1);
        assert_eq!(columns(&pattern(50, 50, |i, j| i.abs_diff(j) <= 4)).count, 9);
        assert_eq!(columns(&arrow(20, 0)).count, 20);
        assert_eq!(columns(&arrow(20, 19)).count, 20);
        assert_eq!(columns(&pattern(3, 20, |i, j| j % 3 == i)).count, 7);
        assert_eq!(columns(&pattern(20, 3, |i, j| i % 3 == j)).count, 1);
    }
    #[test]
    fn columns_without_entries_share_one_color() {
        for (rows, n, count) in [(0, 0, 0), (5, 0, 0), (0, 5, 1), (5, 5, 1)] {
            let p = pattern(rows, n, |_, _| false);
            assert_eq!(columns(&p), Coloring { colors: vec![0; n], count });
        }
    }
    #[test]
    fn a_good_order_saves_colors() {
        // Columns meet as on the path 0-2-3-1. As they come, both ends take the first colour, and the middle needs two
        // more; the middle first, and two are enough.
        let p = Pattern::from_rows(4, &[[0, 2], [2, 3], [1, 3]]).unwrap();
        assert_eq!(greedy(&p, &p.transpose(), 0..4, 4).unwrap().count, 3);
        assert_eq!(columns(&p), Coloring { colors: vec![1, 0, 0, 1], count: 2 });
        assert_eq!(greedy(&p, &p.transpose(), 0..4, 2), None);
    }
    #[test]
    fn orders_descend_and_keep_ties() {
        assert_eq!(largest_first(&[1, 3, 0, 3, 99]), [4, 1, 3, 0, 2]);
    }
    #[test]
    fn a_million_columns_take_linear_time() {
        let p = tridiagonal(1_000_000);
        assert_eq!(columns(&p).count, 3);
        assert_eq!(columns(&arrow(1_000_000, 0)).count, 1_000_000);
    }
}
