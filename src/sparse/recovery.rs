//! Where each entry of a sparse matrix stands in its products with the columns of one colour added up.
use super::{coloring::NONE, Coloring, Pattern};

/// For each entry (i, j) of A the colour c such that A[i, j] = (A·S)[i, c], where S[k, color of k] = 1; an error if
/// another entry of the row has the same colour.
pub fn recover_columns(pattern: &Pattern, coloring: &Coloring) -> Result<Vec<u32>, String> {
    let alone = alone_in_row(pattern, coloring)?;
    match alone.iter().position(|&alone| !alone) {
        Some(entry) => Err(format!("entry {entry} shares its row and colour with another")),
        None => Ok(pattern.indices().iter().map(|&j| coloring.colors[j as usize]).collect()),
    }
}

/// For each entry (i, j) of a symmetric H the row r and colour c such that H[i, j] = (H·S)[r, c]; an error if both of
/// its places are shared, which a star colouring excludes (Coleman, Moré 1984, "Estimation of sparse Hessian matrices
/// and graph coloring problems", Mathematical Programming 28).
pub fn recover_star(pattern: &Pattern, coloring: &Coloring) -> Result<Vec<(u32, u32)>, String> {
    let mirror = pattern.mirror().ok_or("only a symmetric pattern can be recovered from a star colouring")?;
    let alone = alone_in_row(pattern, coloring)?;
    let mut places = Vec::with_capacity(mirror.len());
    for i in 0..pattern.rows() {
        for &j in pattern.row(i) {
            let entry = places.len();
            places.push(match (alone[entry], alone[mirror[entry]]) {
                (true, _) => (i as u32, coloring.colors[j as usize]),
                (false, true) => (j, coloring.colors[i]),
                (false, false) => return Err(format!("neither ({i}, {j}) nor ({j}, {i}) has its colour for itself")),
            });
        }
    }
    Ok(places)
}

/// For each entry whether no other entry of its row has the colour of its column.
fn alone_in_row(pattern: &Pattern, coloring: &Coloring) -> Result<Vec<bool>, String> {
    let Coloring { colors, count } = coloring;
    if colors.len() != pattern.columns() || colors.iter().any(|color| color >= count) {
        return Err(format!("{} colours below {count} do not fit {} columns", colors.len(), pattern.columns()));
    }
    let mut alone = vec![true; pattern.indices().len()];
    // The last row in which each colour was met, and the entry that had it first.
    let mut met = vec![(NONE, 0); *count as usize];
    for i in 0..pattern.rows() {
        for entry in pattern.offsets()[i]..pattern.offsets()[i + 1] {
            let (row, first) = &mut met[colors[pattern.indices()[entry] as usize] as usize];
            if *row == i as u32 {
                alone[*first] = false;
                alone[entry] = false;
            } else {
                (*row, *first) = (i as u32, entry);
            }
        }
    }
    Ok(alone)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            columns,
            samples::{arrow, pattern, random, tridiagonal, Generator},
            star,
        },
        recover_columns, recover_star, Coloring, Pattern,
    };

    /// A·S, where A has the given values in the order of the entries: row after row, one number for each colour.
    fn compressed(p: &Pattern, values: &[u64], coloring: &Coloring) -> Vec<Vec<u64>> {
        let mut product = vec![vec![0u64; coloring.count as usize]; p.rows()];
        for i in 0..p.rows() {
            for (&j, value) in p.row(i).iter().zip(&values[p.offsets()[i]..]) {
                let sum = &mut product[i][coloring.colors[j as usize] as usize];
                *sum = sum.wrapping_add(*value);
            }
        }
        product
    }
    #[test]
    fn a_column_coloring_recovers_every_entry() {
        let mut generator = Generator::new(4);
        for _ in 0..1000 {
            let (rows, n) = (generator.below(12), generator.below(12));
            let p = random(&mut generator, rows, n);
            let values: Vec<u64> = p.indices().iter().map(|_| generator.word()).collect();
            let coloring = columns(&p);
            let product = compressed(&p, &values, &coloring);
            let mut places = recover_columns(&p, &coloring).unwrap().into_iter();
            let mut read = vec![];
            for (i, row) in product.iter().enumerate() {
                read.extend(places.by_ref().take(p.row(i).len()).map(|color| row[color as usize]));
            }
            assert_eq!(read, values);
        }
    }
    #[test]
    fn a_star_coloring_recovers_every_entry() {
        let mut generator = Generator::new(5);
        for round in 0..2000 {
            let n = generator.below(14);
            let p = match round % 10 {
                0 if n > 0 => arrow(n, generator.below(n)),
                // Some diagonal entries there, some not.
                1..5 => random(&mut generator, n, n).symmetrized(false).unwrap(),
                _ => random(&mut generator, n, n).symmetrized(true).unwrap(),
            };
            let mut values: Vec<u64> = p.indices().iter().map(|_| generator.word()).collect();
            for (entry, position) in p.mirror().unwrap().into_iter().enumerate() {
                values[position] = values[entry];
            }
            let coloring = star(&p).unwrap();
            let product = compressed(&p, &values, &coloring);
            let places = recover_star(&p, &coloring).unwrap().into_iter();
            assert_eq!(places.map(|(row, color)| product[row as usize][color as usize]).collect::<Vec<_>>(), values);
        }
    }
    #[test]
    fn a_coloring_that_does_not_fit_is_refused() {
        let one = |n| Coloring { colors: vec![0; n], count: 1 };
        let p = tridiagonal(4);
        assert!(recover_columns(&p, &one(3)).unwrap_err().contains("3 colours below 1 do not fit 4 columns"));
        assert!(recover_columns(&p, &Coloring { colors: vec![0, 1, 2, 3], count: 3 }).is_err());
        assert!(recover_columns(&p, &one(4)).unwrap_err().contains("entry 0 shares"));
        // Two colours in turn are proper, but the path 0-1-2-3 has only these two.
        let two = Coloring { colors: vec![0, 1, 0, 1], count: 2 };
        assert!(recover_star(&p, &two).unwrap_err().contains("neither (1, 2) nor (2, 1)"));
        assert!(recover_star(&pattern(2, 2, |i, j| i < j), &one(2)).unwrap_err().contains("symmetric"));
    }
    #[test]
    fn a_million_rows_take_linear_time() {
        let p = tridiagonal(1_000_000);
        assert_eq!(recover_columns(&p, &columns(&p)).unwrap().len(), p.indices().len());
        assert_eq!(recover_star(&p, &star(&p).unwrap()).unwrap().len(), p.indices().len());
    }
}
