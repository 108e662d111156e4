//! Patterns for the tests of this folder: random ones from a fixed seed, and the shapes with known answers.
use super::Pattern;

/// SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators").
pub struct Generator(u64);
impl Generator {
    pub fn new(seed: u64) -> Generator {
        Generator(seed)
    }
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.word() % n as u64) as usize
    }
}
/// The entries that `wanted` accepts.
pub fn pattern(rows: usize, columns: usize, mut wanted: impl FnMut(usize, usize) -> bool) -> Pattern {
    let row = |i| (0..columns as u32).filter(|&j| wanted(i, j as usize)).collect::<Vec<_>>();
    Pattern::from_rows(columns, &(0..rows).map(row).collect::<Vec<_>>()).unwrap()
}
/// Random entries, with a density that is random too: from empty to full.
pub fn random(generator: &mut Generator, rows: usize, columns: usize) -> Pattern {
    let percent = generator.below(101);
    pattern(rows, columns, |_, _| generator.below(100) < percent)
}
pub fn tridiagonal(n: usize) -> Pattern {
    let row = |i: usize| (i.saturating_sub(1) as u32..(i + 2).min(n) as u32).collect::<Vec<_>>();
    Pattern::from_rows(n, &(0..n).map(row).collect::<Vec<_>>()).unwrap()
}
/// The diagonal, with row and column `hub` full.
pub fn arrow(n: usize, hub: usize) -> Pattern {
    let row = |i: usize| match i {
        _ if i == hub => (0..n as u32).collect(),
        _ => vec![i.min(hub) as u32, i.max(hub) as u32],
    };
    Pattern::from_rows(n, &(0..n).map(row).collect::<Vec<_>>()).unwrap()
}
