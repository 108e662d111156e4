//! Reduction of huge angles modulo π/2 (M. Payne and R. Hanek, 1983), in integers.
use super::{bits::fast_two_sum, bits::Float, trig::Angle};

/// The first 1280 bits of 2/π after a word of zeros.
const FRAC_2_PI: [u64; 21] = [
    0,
    0xa2f9836e4e441529,
    0xfc2757d1f534ddc0,
    0xdb6295993c439041,
    0xfe5163abdebbc561,
    0xb7246e3a424dd2e0,
    0x06492eea09d1921c,
    0xfe1deb1cb129a73e,
    0xe88235f52ebb4484,
    0xe99c7026b45f7e41,
    0x3991d639835339f4,
    0x9c845f8bbdf9283b,
    0x1ff897ffde05980f,
    0xef2f118b5a0a6d1f,
    0x6d367ecf27cb09b7,
    0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b,
    0x3d0739f78a5292ea,
    0x6bfb5fb11f8d5d08,
    0x56033046fc7b6bab,
    0xf0cfbc209af4361d,
];

/// `x` modulo π/2 to full relative precision, for finite |x| ≥ 2.
///
/// With x = m·2ᵉ, only 192 bits of 2/π matter: those above make multiples of four quarter turns, those below are
/// beyond the precision (no double is closer than 2⁻⁶² to a multiple of π/2, relative to one quarter turn).
pub fn reduce(x: f64) -> Angle<f64> {
    let bits = x.abs().to_bits();
    let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
    let exponent = (bits >> 52) as i64 - 1075;
    // Bit i ≥ 1 of 2/π times 2ᵉ weighs 2^(e−i); the first one that matters weighs 2. One word of zeros comes before.
    let start = (exponent - 1 + 63).max(0) as usize;
    let word = |i: usize| -> u64 {
        let at = start / 64 + i;
        let get = |i: usize| FRAC_2_PI.get(i).copied().unwrap_or(0);
        match start % 64 {
            0 => get(at),
            shift => (get(at) << shift) | (get(at + 1) >> (64 - shift)),
        }
    };
    // The product modulo 2¹⁹²: its two top bits count quarter turns, the rest is the fraction of one.
    let product = |i: usize| u128::from(mantissa) * u128::from(word(i));
    let low = product(2);
    let middle = product(1) + (low >> 64);
    let high = (product(0) as u64).wrapping_add((middle >> 64) as u64);
    let (middle, low) = (middle as u64, low as u64);
    let top = (u128::from(high) << 64) | u128::from(middle);
    let fraction = ((top << 2) | u128::from(low >> 62)) as i128;
    // As a signed number the fraction lies within half a quarter turn; rounding up adds one turn to the count.
    let quarters = (high >> 62).wrapping_add(u64::from(fraction < 0));
    let head = fraction as f64;
    let tail = fraction.wrapping_sub(head as i128) as f64;
    let unit = 2f64.powi(-128);
    let (head, tail) = (head * unit, tail * unit);
    let (first, second, _) = f64::FRAC_PI_2;
    let r = head * first;
    let rest = head.mul_add(first, -r) + head.mul_add(second, tail * first);
    let (r, rest) = fast_two_sum(r, rest);
    // An odd function of the angle, as quarter turns and rest.
    let (rest, quarters) = if x < 0.0 { ((-r, -rest), quarters.wrapping_neg()) } else { ((r, rest), quarters) };
    Angle { rest, odd: quarters & 1 == 1, half: quarters & 2 == 2 }
}
