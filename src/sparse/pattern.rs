//! The places where a matrix may be nonzero, in compressed rows.

/// A boolean matrix: the columns of row `i` are `indices[offsets[i]..offsets[i + 1]]`, ascending and without repeats.
///
/// The fields are private so that every pattern keeps that promise: the algorithms here index without asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    rows: usize,
    columns: usize,
    offsets: Vec<usize>,
    indices: Vec<u32>,
}

impl Pattern {
    /// A pattern from its compressed rows, or a sentence that says what is wrong with them.
    pub fn from_parts(rows: usize, columns: usize, offsets: Vec<usize>, indices: Vec<u32>) -> Result<Pattern, String> {
        check_sizes(rows, columns)?;
        if offsets.len() != rows + 1 {
            return Err(format!("{rows} rows need {} offsets, not {}", rows + 1, offsets.len()));
        }
        if offsets[0] != 0 || offsets[rows] != indices.len() {
            return Err(format!(
                "offsets must run from 0 to the {} indices, not from {} to {}",
                indices.len(),
                offsets[0],
                offsets[rows]
            ));
        }
        // First all offsets, then the rows: an offset in the middle may still point behind the end.
        if let Some(i) = (0..rows).find(|&i| offsets[i] > offsets[i + 1]) {
            return Err(format!(
                "offsets must not descend, but row {i} goes from {} to {}",
                offsets[i],
                offsets[i + 1]
            ));
        }
        for i in 0..rows {
            check_row(i, columns, &indices[offsets[i]..offsets[i + 1]])?;
        }
        Ok(Pattern { rows, columns, offsets, indices })
    }
    /// A pattern from the columns of each row, ascending and without repeats.
    pub fn from_rows<R: AsRef<[u32]>>(columns: usize, rows: &[R]) -> Result<Pattern, String> {
        check_sizes(rows.len(), columns)?;
        let mut offsets = Vec::with_capacity(rows.len() + 1);
        let mut indices = Vec::with_capacity(rows.iter().map(|row| row.as_ref().len()).sum());
        offsets.push(0);
        for (i, row) in rows.iter().enumerate() {
            check_row(i, columns, row.as_ref())?;
            indices.extend_from_slice(row.as_ref());
            offsets.push(indices.len());
        }
        Ok(Pattern { rows: rows.len(), columns, offsets, indices })
    }
    pub fn rows(&self) -> usize {
        self.rows
    }
    pub fn columns(&self) -> usize {
        self.columns
    }
    /// Where each row starts in `indices`, and the number of entries at the end.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }
    /// The column of each entry, row after row.
    pub fn indices(&self) -> &[u32] {
        &self.indices
    }
    /// The columns of row `i`.
    pub fn row(&self, i: usize) -> &[u32] {
        &self.indices[self.offsets[i]..self.offsets[i + 1]]
    }
    /// The number of entries in the longest row.
    pub fn longest_row(&self) -> usize {
        self.offsets.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0)
    }

    /// Rows and columns exchanged, in linear time: rows are visited in order, so every new row comes out sorted.
    pub fn transpose(&self) -> Pattern {
        let mut offsets = vec![0; self.columns + 1];
        for &j in &self.indices {
            offsets[j as usize + 1] += 1;
        }
        for j in 0..self.columns {
            offsets[j + 1] += offsets[j];
        }
        let mut next = offsets[..self.columns].to_vec();
        let mut indices = vec![0; self.indices.len()];
        for i in 0..self.rows {
            for &j in self.row(i) {
                indices[next[j as usize]] = i as u32;
                next[j as usize] += 1;
            }
        }
        Pattern { rows: self.columns, columns: self.rows, offsets, indices }
    }
    /// The union with the transpose, and with the whole diagonal if asked for; an error unless square.
    pub fn symmetrized(&self, diagonal: bool) -> Result<Pattern, String> {
        if self.rows != self.columns {
            return Err(format!("only a square pattern can be made symmetric, not {} by {}", self.rows, self.columns));
        }
        let transposed = self.transpose();
        let mut offsets = Vec::with_capacity(self.rows + 1);
        let mut indices = Vec::with_capacity(2 * self.indices.len() + if diagonal { self.rows } else { 0 });
        offsets.push(0);
        for i in 0..self.rows {
            let own = [i as u32];
            let mut sources = [self.row(i), transposed.row(i), &own[..usize::from(diagonal)]];
            while let Some(&next) = sources.iter().filter_map(|source| source.first()).min() {
                indices.push(next);
                for source in &mut sources {
                    if source.first() == Some(&next) {
                        *source = &source[1..];
                    }
                }
            }
            offsets.push(indices.len());
        }
        indices.shrink_to_fit();
        Ok(Pattern { rows: self.rows, columns: self.columns, offsets, indices })
    }
    pub fn is_symmetric(&self) -> bool {
        self.mirror().is_some()
    }
    /// For each entry (i, j) the position of (j, i) among the entries; none unless the pattern is symmetric.
    ///
    /// Linear: rows are visited in order, so the entries of row j are asked for from left to right. Each is asked for
    /// at most once and there are as many questions as entries, so none is left over when all are answered.
    pub fn mirror(&self) -> Option<Vec<usize>> {
        if self.rows != self.columns {
            return None;
        }
        let mut next = self.offsets[..self.rows].to_vec();
        let mut positions = Vec::with_capacity(self.indices.len());
        for i in 0..self.rows {
            for &j in self.row(i) {
                let j = j as usize;
                let position = next[j];
                if position == self.offsets[j + 1] || self.indices[position] != i as u32 {
                    return None;
                }
                positions.push(position);
                next[j] += 1;
            }
        }
        Some(positions)
    }
}

/// Indices and colours are 32-bit words, and the last word stands for "none".
fn check_sizes(rows: usize, columns: usize) -> Result<(), String> {
    match rows.max(columns) >= u32::MAX as usize {
        true => Err(format!("a pattern of {rows} by {columns} is too large for 32-bit indices")),
        false => Ok(()),
    }
}
fn check_row(i: usize, columns: usize, row: &[u32]) -> Result<(), String> {
    if let Some(pair) = row.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(format!("row {i} must ascend without repeats, but {} stands before {}", pair[0], pair[1]));
    }
    match row.last() {
        Some(&last) if last as usize >= columns => Err(format!("row {i} has column {last}, but there are {columns}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::samples::{random, tridiagonal, Generator},
        Pattern,
    };

    fn dense(p: &Pattern) -> Vec<Vec<bool>> {
        (0..p.rows()).map(|i| (0..p.columns()).map(|j| p.row(i).contains(&(j as u32))).collect()).collect()
    }
    #[test]
    fn wrong_parts_are_refused_with_a_reason() {
        let refused = |rows, columns, offsets: &[usize], indices: &[u32], why: &str| {
            let message = Pattern::from_parts(rows, columns, offsets.to_vec(), indices.to_vec()).unwrap_err();
            assert!(message.contains(why), "{message}");
        };
        refused(2, 2, &[0, 1], &[0], "2 rows need 3 offsets, not 2");
        refused(0, 2, &[], &[], "0 rows need 1 offsets");
        refused(1, 2, &[1, 1], &[0], "from 1 to 1");
        refused(1, 2, &[0, 2], &[0], "from 0 to 2");
        refused(3, 2, &[0, 9, 1, 2], &[0, 1], "row 1 goes from 9 to 1");
        refused(1, 2, &[0, 2], &[1, 0], "1 stands before 0");
        refused(1, 2, &[0, 2], &[1, 1], "1 stands before 1");
        refused(1, 2, &[0, 1], &[2], "column 2, but there are 2");
        refused(0, usize::MAX, &[0], &[], "too large");
        assert!(Pattern::from_rows(2, &[vec![0], vec![2]]).unwrap_err().contains("row 1 has column 2"));
    }
    #[test]
    fn rows_and_parts_say_the_same() {
        let p = Pattern::from_rows(3, &[vec![0, 2], vec![], vec![1]]).unwrap();
        assert_eq!(p, Pattern::from_parts(3, 3, vec![0, 2, 2, 3], vec![0, 2, 1]).unwrap());
        assert_eq!((p.rows(), p.columns(), p.row(0), p.row(1), p.longest_row()), (3, 3, &[0, 2][..], &[][..], 2));
    }
    #[test]
    fn transposes_and_unions_follow_their_definitions() {
        let mut generator = Generator::new(1);
        for _ in 0..300 {
            let (rows, columns) = (generator.below(9), generator.below(9));
            let p = random(&mut generator, rows, columns);
            let (a, t) = (dense(&p), p.transpose());
            assert!((0..rows).all(|i| (0..columns).all(|j| a[i][j] == t.row(j).contains(&(i as u32)))));
            assert_eq!(t.transpose(), p);
            // The derived patterns keep the promise of the constructor.
            assert_eq!(Pattern::from_parts(t.rows, t.columns, t.offsets.clone(), t.indices.clone()), Ok(t));
            assert_eq!(p.is_symmetric(), p == p.transpose());
            for diagonal in [false, true] {
                if rows != columns {
                    assert!(p.symmetrized(diagonal).unwrap_err().contains("square"));
                    continue;
                }
                let s = p.symmetrized(diagonal).unwrap();
                let b = dense(&s);
                let wanted = |i: usize, j: usize| a[i][j] || a[j][i] || diagonal && i == j;
                assert!((0..rows).all(|i| (0..rows).all(|j| b[i][j] == wanted(i, j))));
                assert!(s.is_symmetric());
                assert_eq!(Pattern::from_parts(rows, rows, s.offsets.clone(), s.indices.clone()), Ok(s));
            }
        }
    }
    #[test]
    fn a_mirror_exchanges_row_and_column() {
        let p = tridiagonal(4);
        let row_of: Vec<u32> = (0..4).flat_map(|i| p.row(i).iter().map(move |_| i as u32)).collect();
        for (entry, &position) in p.mirror().unwrap().iter().enumerate() {
            assert_eq!((row_of[position], p.indices()[position]), (p.indices()[entry], row_of[entry]));
        }
        assert!(Pattern::from_rows(2, &[vec![1], vec![]]).unwrap().mirror().is_none());
        assert!(Pattern::from_rows(2, &[vec![0, 1]]).unwrap().mirror().is_none());
    }
    #[test]
    fn a_million_rows_take_linear_time() {
        let p = tridiagonal(1_000_000);
        assert_eq!(p.transpose(), p);
        assert_eq!(p.symmetrized(true).unwrap(), p);
        assert!(p.is_symmetric());
    }
}
