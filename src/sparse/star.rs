//! Colours for a symmetric matrix: fewer than its columns need, as each entry may be read in either of its two places.
use super::{
    coloring::{greedy, largest_first, Marks, NONE},
    Coloring, Pattern,
};

/// A star colouring of the graph of a symmetric pattern, the diagonal ignored: neighbours differ, and every path on
/// four vertices has at least three colours. Any two colours then induce only stars, and entry (i, j) is read in the
/// row of the leaf. An error unless the pattern is symmetric.
///
/// The fewest colours of three searches:
/// largest degree first by algorithm 4.1 of Gebremedhin, Manne, Pothen 2005 ("What color is your Jacobian? Graph
/// coloring for computing derivatives", SIAM Review 47), which keeps the neighbours of a vertex without a colour apart:
/// with a few vertices of large degree it needs a small part of what the next one does;
/// the given order by the algorithm of Gebremedhin, Tarafdar, Manne, Pothen 2007 ("New acyclic and star coloring
/// algorithms with application to computing Hessians", SIAM Journal on Scientific Computing 29), which does not: better
/// on a five-point grid and in dense patterns;
/// and the columns of the pattern with its diagonal, whose colours are star colours too: better on a nine-point grid.
pub fn star(pattern: &Pattern) -> Result<Coloring, String> {
    if !pattern.is_symmetric() {
        return Err("only a symmetric pattern has a star colouring".to_string());
    }
    let n = pattern.columns();
    let mut best = Coloring::distinct(n);
    // Each search gives up as soon as it cannot save a colour.
    let degrees: Vec<_> = (0..n).map(|v| pattern.row(v).len()).collect();
    if let Some(fewer) = search(pattern, largest_first(&degrees), true, best.fewer()) {
        best = fewer;
    }
    if let Some(fewer) = search(pattern, 0..n as u32, false, best.fewer()) {
        best = fewer;
    }
    if pattern.longest_row() <= best.fewer() {
        let full = pattern.symmetrized(true)?;
        if let Some(fewer) = greedy(&full, &full, 0..n as u32, best.fewer()) {
            best = fewer;
        }
    }
    Ok(best)
}

/// The star that the neighbours of one colour form with a vertex, as that vertex sees it.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// Two vertices only, either may become the hub.
    Pair,
    Hub,
    Leaf,
}
/// One colour around a vertex: a neighbour that has it, and the star of the two.
#[derive(Clone, Copy)]
struct Sight {
    color: u32,
    neighbor: u32,
    role: Role,
}
/// What each vertex sees: one entry for each colour among its neighbours, so a step takes the number of colours around
/// a vertex, not its degree. The papers walk over all neighbours of neighbours: an arrow would take n² steps.
struct Sights<'a> {
    starts: &'a [usize],
    seen: Vec<Sight>,
    lengths: Vec<u32>,
}

impl Sights<'_> {
    fn of(&self, v: u32) -> &[Sight] {
        let start = self.starts[v as usize];
        &self.seen[start..start + self.lengths[v as usize] as usize]
    }
    fn find(&mut self, v: u32, color: u32) -> Option<&mut Sight> {
        let start = self.starts[v as usize];
        self.seen[start..start + self.lengths[v as usize] as usize].iter_mut().find(|sight| sight.color == color)
    }
    /// Vertex `v` sees that `neighbor` gets a colour; returns what it saw of that colour before.
    fn add(&mut self, v: u32, color: u32, neighbor: u32, new: bool) -> Option<Sight> {
        // A colour that nothing has yet need not be looked for.
        if let Some(sight) = if new { None } else { self.find(v, color) } {
            let before = *sight;
            sight.role = Role::Hub;
            return Some(before);
        }
        let length = &mut self.lengths[v as usize];
        self.seen[self.starts[v as usize] + *length as usize] = Sight { color, neighbor, role: Role::Pair };
        *length += 1;
        None
    }
    fn set(&mut self, v: u32, color: u32, role: Role) {
        if let Some(sight) = self.find(v, color) {
            sight.role = role;
        }
    }
}

/// Gives each vertex in turn the least colour that keeps all stars; none if more than `most` were needed. `apart`
/// says whether the neighbours of a vertex without a colour must differ.
fn search(pattern: &Pattern, order: impl IntoIterator<Item = u32>, apart: bool, most: usize) -> Option<Coloring> {
    let n = pattern.columns();
    let (mut colors, mut count) = (vec![NONE; n], 0);
    let blank = Sight { color: NONE, neighbor: NONE, role: Role::Pair };
    let mut sights =
        Sights { starts: pattern.offsets(), seen: vec![blank; pattern.indices().len()], lengths: vec![0; n] };
    let mut marks = Marks::new(n);
    let mut role_of_v = vec![Role::Pair; n];
    for v in order {
        marks.start(v);
        for sight in sights.of(v) {
            marks.forbid(sight.color);
            role_of_v[sight.color as usize] = sight.role;
        }
        // First the neighbours that forbid all they see, then those that forbid only the hubs they are leaves of: in a
        // dense pattern every colour is soon forbidden, and to stop then takes n² steps, not n³.
        for all in [true, false] {
            for &w in pattern.row(v as usize) {
                if marks.number == count {
                    break;
                }
                // If v is the hub of w, no other neighbour of w may look like v.
                let hub = match colors[w as usize] {
                    NONE => apart,
                    color => role_of_v[color as usize] == Role::Hub,
                };
                if hub == all {
                    for sight in sights.of(w).iter().filter(|sight| all || sight.role == Role::Leaf) {
                        marks.forbid(sight.color);
                    }
                }
            }
        }
        let color = marks.least(most)?;
        for &w in pattern.row(v as usize).iter().filter(|&&w| w != v) {
            let before = sights.add(w, color, v, color == count);
            let other = colors[w as usize];
            if other == NONE {
                continue;
            }
            if role_of_v[other as usize] == Role::Hub {
                sights.set(w, color, Role::Leaf);
            }
            if let Some(before) = before {
                sights.set(v, other, Role::Leaf);
                if before.role == Role::Pair {
                    sights.set(before.neighbor, other, Role::Leaf);
                }
            }
        }
        colors[v as usize] = color;
        count = count.max(color + 1);
    }
    Some(Coloring { colors, count })
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{arrow, pattern, random, tridiagonal, Generator},
        search, star, Coloring, Pattern,
    };

    /// From the definition: neighbours differ, and no path a-b-c-d has the colours of a and b again at c and d.
    fn check(p: &Pattern, coloring: &Coloring) {
        let colors = &coloring.colors;
        assert_eq!(colors.len(), p.columns());
        assert!(colors.iter().all(|&color| color < coloring.count));
        assert!((0..coloring.count).all(|color| colors.contains(&color)));
        let joined = |a: usize, b: usize| a != b && p.row(a).contains(&(b as u32));
        let n = colors.len();
        for (a, b) in (0..n).flat_map(|a| (0..n).map(move |b| (a, b))).filter(|&(a, b)| joined(a, b)) {
            assert_ne!(colors[a], colors[b], "{p:?} {coloring:?}");
            for (c, d) in (0..n).flat_map(|c| (0..n).map(move |d| (c, d))).filter(|&(c, d)| joined(c, d)) {
                let path = joined(b, c) && a != c && b != d && a != d;
                assert!(!path || colors[a] != colors[c] || colors[b] != colors[d], "{p:?} {coloring:?}");
            }
        }
    }
    /// Algorithm 4.1 as it is printed.
    fn printed(p: &Pattern, order: &[u32]) -> Vec<u32> {
        let mut colors: Vec<Option<u32>> = vec![None; p.columns()];
        let row = |v: u32| p.row(v as usize).iter().copied().filter(move |&w| w != v);
        for &v in order {
            let mut forbidden: Vec<Option<u32>> = row(v).map(|w| colors[w as usize]).collect();
            for (w, x) in row(v).flat_map(|w| row(w).map(move |x| (w, x))) {
                let color = colors[w as usize];
                if color.is_none() || row(x).any(|y| y != w && colors[y as usize] == color) {
                    forbidden.push(colors[x as usize]);
                }
            }
            colors[v as usize] = (0..).find(|&color| !forbidden.contains(&Some(color)));
        }
        colors.into_iter().flatten().collect()
    }
    #[test]
    fn random_graphs_get_star_colors() {
        let mut generator = Generator::new(3);
        for round in 0..2000 {
            let n = generator.below(13);
            let p = random(&mut generator, n, n).symmetrized(round % 2 == 0).unwrap();
            check(&p, &star(&p).unwrap());
            let mut order: Vec<u32> = (0..n as u32).collect();
            (1..n).for_each(|i| order.swap(i, generator.below(i + 1)));
            check(&p, &search(&p, order.iter().copied(), false, n).unwrap());
            let apart = search(&p, order.iter().copied(), true, n).unwrap();
            check(&p, &apart);
            assert_eq!(apart.colors, printed(&p, &order));
        }
    }
    #[test]
    fn known_graphs_get_few_colors() {
        let count = |p: &Pattern| {
            let coloring = star(p).unwrap();
            check(p, &coloring);
            coloring.count
        };
        assert_eq!(count(&tridiagonal(40)), 3);
        assert_eq!(count(&pattern(40, 40, |i, j| i == j)), 1);
        assert_eq!(count(&pattern(20, 20, |_, _| true)), 20);
        for hub in [0, 13, 39] {
            assert_eq!(count(&arrow(40, hub)), 2);
        }
        // A nine-point grid needs 9 as its columns do, a five-point grid fewer than the 7 of its columns.
        let distance = |i: usize, j: usize| ((i / 7).abs_diff(j / 7), (i % 7).abs_diff(j % 7));
        assert_eq!(count(&pattern(49, 49, |i, j| distance(i, j).0.max(distance(i, j).1) <= 1)), 9);
        assert_eq!(count(&pattern(49, 49, |i, j| distance(i, j).0 + distance(i, j).1 <= 1)), 6);
        // Two hubs that are not neighbours: with one colour for both, all leaves would have to differ.
        for hubs in [[0, 1], [10, 11], [18, 19]] {
            assert_eq!(count(&pattern(20, 20, |i, j| hubs.contains(&i) != hubs.contains(&j))), 3);
        }
        assert_eq!(star(&pattern(0, 0, |_, _| false)), Ok(Coloring { colors: vec![], count: 0 }));
        assert_eq!(count(&pattern(5, 5, |_, _| false)), 1);
    }
    #[test]
    fn only_symmetric_patterns_are_taken() {
        assert!(star(&pattern(3, 3, |i, j| i <= j)).unwrap_err().contains("symmetric"));
        assert!(star(&pattern(3, 4, |_, _| true)).is_err());
    }
    #[test]
    fn a_million_vertices_take_linear_time() {
        let n = 1_000_000;
        assert_eq!(star(&tridiagonal(n)).unwrap().count, 3);
        assert_eq!(star(&arrow(n, 0)).unwrap().count, 2);
        assert_eq!(star(&arrow(n, n - 1)).unwrap().count, 2);
    }
}
