//! Counter-based random numbers: element i depends on seed, position and i alone, so any number of threads agrees.
use super::pool;
use crate::math::Real;

/// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Philox {
    pub seed: u64,
    /// Blocks of four numbers drawn so far.
    pub offset: u64,
}
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// Elements per parallel piece; each block of four counters serves two 64-bit numbers.
const PIECE: usize = 1 << 13;

/// The ten rounds on one counter.
#[inline(always)]
pub fn block(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let (mut c, mut k) = (counter, key);
    for _ in 0..10 {
        let (a, b) = (u64::from(MULTIPLIERS[0]) * u64::from(c[0]), u64::from(MULTIPLIERS[1]) * u64::from(c[2]));
        c = [(b >> 32) as u32 ^ c[1] ^ k[0], b as u32, (a >> 32) as u32 ^ c[3] ^ k[1], a as u32];
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
    c
}
/// 53 random bits as a number in [0, 1).
#[inline(always)]
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}
impl Philox {
    pub fn new(seed: u64) -> Philox {
        Philox { seed, offset: 0 }
    }
    /// Two 64-bit numbers of block `i` from the current position.
    #[inline(always)]
    fn pair(&self, i: u64) -> [u64; 2] {
        let at = self.offset.wrapping_add(i);
        let c = block([at as u32, (at >> 32) as u32, 0, 0], [self.seed as u32, (self.seed >> 32) as u32]);
        [u64::from(c[0]) | u64::from(c[1]) << 32, u64::from(c[2]) | u64::from(c[3]) << 32]
    }
    /// Fill `out` with `f(pair)` of consecutive blocks and move on.
    fn fill<T: Send>(&mut self, out: &mut [T], f: impl Fn([u64; 2]) -> [T; 2] + Sync) {
        let (start, len) = (*self, out.len());
        pool::parallel_chunks(out, PIECE, 16 * len, &|piece, out| {
            for (i, two) in out.chunks_mut(2).enumerate() {
                let values = f(start.pair((piece * PIECE / 2 + i) as u64));
                two.iter_mut().zip(values).for_each(|(y, v)| *y = v);
            }
        });
        self.offset = self.offset.wrapping_add(len.div_ceil(2) as u64);
    }
    /// 64 random bits each.
    pub fn bits(&mut self, out: &mut [u64]) {
        self.fill(out, |pair| pair);
    }
    /// Uniform in [0, 1).
    pub fn uniform(&mut self, out: &mut [f64]) {
        self.fill(out, |[a, b]| [unit(a), unit(b)]);
    }
    /// Standard normal (Box and Muller 1958): both coordinates of a point in polar form.
    pub fn normal(&mut self, out: &mut [f64]) {
        self.fill(out, |[a, b]| {
            let radius = Real::sqrt(-2.0 * Real::ln(1.0 - unit(a)));
            let angle = std::f64::consts::TAU * unit(b);
            [radius * Real::cos(angle), radius * Real::sin(angle)]
        });
    }
    /// Uniform integers in [low, high), by the high half of a 128-bit product (bias below 2⁻⁶⁴ · range).
    pub fn integers(&mut self, low: i64, high: i64, out: &mut [i64]) {
        let range = high.wrapping_sub(low) as u64;
        let scaled = move |bits: u64| low.wrapping_add(((u128::from(bits) * u128::from(range)) >> 64) as i64);
        self.fill(out, |pair| pair.map(scaled));
    }
    /// 0..n in random order (Fisher and Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<i64> {
        let mut bits = vec![0; n];
        self.bits(&mut bits);
        let mut order: Vec<i64> = (0..n as i64).collect();
        for i in (1..n).rev() {
            order.swap(i, ((u128::from(bits[i]) * (i as u128 + 1)) >> 64) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn known_answers_of_random123() {
        assert_eq!(block([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(block([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            block([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }
    #[test]
    fn pieces_agree_with_the_whole() {
        let (mut whole, mut parts) = (vec![0.0; 40_000], vec![0.0; 40_000]);
        Philox::new(7).uniform(&mut whole);
        let mut g = Philox::new(7);
        for part in parts.chunks_mut(1000) {
            g.uniform(part);
        }
        assert_eq!(whole, parts);
        assert!(whole.iter().all(|u| (0.0..1.0).contains(u)));
        let mean = whole.iter().sum::<f64>() / 40_000.0;
        assert!((mean - 0.5).abs() < 0.01);
    }
    #[test]
    fn normals_and_permutations_have_their_shape() {
        let mut x = vec![0.0; 100_000];
        Philox::new(3).normal(&mut x);
        let mean = x.iter().sum::<f64>() / 1e5;
        let var = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (var - 1.0).abs() < 0.02, "{mean} {var}");
        let mut order = Philox::new(1).permutation(1000);
        order.sort_unstable();
        assert!(order.iter().copied().eq(0..1000));
    }
}
