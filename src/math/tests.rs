//! Accuracy over the whole range of arguments, against the correctly rounded functions of `pxfm` and values of mpmath.
mod tables;

use super::Real;
use pxfm as oracle;

/// Pseudo-random numbers in [0, 1), the same ones every time (splitmix64).
struct Random(u64);
impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e3779b97f4a7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        ((z ^ (z >> 31)) >> 11) as f64 * 2f64.powi(-53)
    }
}
/// Special values and the places where a function changes its formula.
const SPECIAL: [f64; 23] = [
    0.0,
    0.25,
    0.5,
    0.8,
    1.0,
    1.25,
    2.0,
    2.5,
    22.0,
    50.0,
    60.0,
    88.72283,
    103.97208,
    709.782712893384,
    710.4758600739439,
    745.1332191019411,
    65536.0,
    1099511627776.0,
    f64::MIN_POSITIVE,
    5e-324,
    f64::MAX,
    f64::INFINITY,
    f64::NAN,
];
/// Every exponent with several mantissas, points of [−1, 1], [−40, 40] and near ±1, and the special values.
fn arguments(low: i32, high: i32, per_exponent: usize) -> Vec<f64> {
    let mut random = Random(1);
    let mut all = Vec::new();
    for exponent in low..=high {
        for _ in 0..per_exponent {
            // In two factors: 2^−1074 has no reciprocal.
            all.push((1.0 + random.next()) * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2));
        }
    }
    for _ in 0..6000 {
        all.extend([
            random.next(),
            random.next() * 40.0,
            1.0 + (random.next() - 0.5) * 2f64.powf(-50.0 * random.next()),
        ]);
    }
    for x in SPECIAL {
        all.extend([x, f64::from_bits(x.to_bits().wrapping_add(1)), f64::from_bits(x.to_bits().saturating_sub(1))]);
    }
    let mirrored: Vec<f64> = all.iter().map(|x| -x).collect();
    all.extend(mirrored);
    all
}
fn doubles() -> Vec<f64> {
    arguments(-1074, 1023, 6)
}
fn singles() -> Vec<f32> {
    let mut all: Vec<f32> = arguments(-149, 127, 100).into_iter().map(|x| x as f32).collect();
    let near: Vec<f32> = all.iter().map(|x| f32::from_bits(x.to_bits() ^ 1)).collect();
    all.extend(near);
    all
}
/// Distance in units of the last place of `precision` bits at the exact value `high + low`, or at `floor` if larger.
fn ulps(got: f64, high: f64, low: f64, precision: i32, lowest: i32, floor: f64) -> f64 {
    let magnitude = high.abs().max(floor);
    let exponent = if magnitude == 0.0 { lowest } else { (magnitude.log2().floor() as i32).max(lowest) };
    // Scaled in two steps: the unit itself may be subnormal.
    let scale = |x: f64| x * 2f64.powi(-(exponent / 2)) * 2f64.powi(precision - (exponent - exponent / 2));
    ((scale(got) - scale(high)) - scale(low)).abs()
}
/// Same NaN, infinity or zero, or else the error in units of the last place.
fn error64(got: f64, exact: f64, low: f64, floor: f64) -> f64 {
    if got.is_nan() || exact.is_nan() || exact.is_infinite() || got.is_infinite() {
        let next = |x: f64| x.is_finite() && x.abs() >= f64::from_bits(f64::MAX.to_bits() - 1);
        let same = got == exact || (got.is_nan() && exact.is_nan());
        return if same {
            0.0
        } else if next(got) || next(exact) {
            1.0
        } else {
            f64::INFINITY
        };
    }
    ulps(got, exact, low, 52, -1022, floor)
}
fn error32(got: f32, exact: f64, floor: f64) -> f64 {
    let rounded = exact as f32;
    if got.is_nan() || exact.is_nan() || rounded.is_infinite() || got.is_infinite() {
        return if rounded.is_infinite() && got.is_finite() {
            ulps(got as f64, f32::MAX as f64, 0.0, 23, -126, 0.0)
        } else {
            error64(got as f64, rounded as f64, 0.0, 0.0).min(if got.is_nan() { f64::INFINITY } else { 1e9 })
        };
    }
    ulps(got as f64, exact, 0.0, 23, -126, floor)
}
#[derive(Default)]
struct Worst(f64, String);
impl Worst {
    fn see(&mut self, error: f64, at: impl std::fmt::Debug) {
        if error > self.0 || error.is_nan() {
            *self = Worst(error, format!("{at:?}"));
        }
    }
    #[track_caller]
    fn at_most(self, name: &str, bound: f64) {
        if std::env::var_os("SHOW_ULPS").is_some() {
            println!("{name:16} {:.3} at {}", self.0, self.1);
        }
        assert!(self.0 <= bound, "{name}: {} ulp at {} (allowed {bound})", self.0, self.1);
    }
}
/// Both precisions over all arguments. The oracle rounds to double: its half unit is part of the f64 bound.
#[track_caller]
fn sweep(
    name: &str,
    f: impl Fn(f64) -> f64,
    g: impl Fn(f32) -> f32,
    exact: impl Fn(f64) -> f64,
    floor: f64,
    (bound64, bound32): (f64, f64),
) {
    let mut worst = Worst::default();
    for x in doubles() {
        worst.see(error64(f(x), exact(x), 0.0, floor), x);
    }
    worst.at_most(&format!("{name} f64"), bound64);
    let mut worst = Worst::default();
    for x in singles() {
        worst.see(error32(g(x), exact(x as f64), floor), x);
    }
    worst.at_most(&format!("{name} f32"), bound32);
}
macro_rules! accurate { ($($test:ident: $f:ident, $exact:expr, $bound64:literal $bound32:literal;)*) => { $(
    #[test]
    fn $test() {
        sweep(stringify!($test), Real::$f, Real::$f, $exact, 0.0, ($bound64, $bound32));
    }
)* } }
// Integer distances to a correctly rounded result: 1 means less than 1.5 units.
accurate! {
    exp: exp, oracle::f_exp, 1.0 1.0;
    exp2: exp2, oracle::f_exp2, 1.0 1.0;
    expm1: expm1, oracle::f_expm1, 1.0 1.1;
    ln: ln, oracle::f_log, 1.0 1.0;
    log2: log2, oracle::f_log2, 1.0 1.0;
    log10: log10, oracle::f_log10, 1.0 1.0;
    log1p: log1p, oracle::f_log1p, 1.0 1.0;
    sin: sin_any, oracle::f_sin, 1.0 1.0;
    cos: cos_any, oracle::f_cos, 1.0 1.0;
    tan: tan_any, oracle::f_tan, 1.0 1.0;
    asin: asin, oracle::f_asin, 1.0 1.25;
    acos: acos, oracle::f_acos, 1.0 1.25;
    atan: atan, oracle::f_atan, 1.0 1.25;
    sinh: sinh, oracle::f_sinh, 1.0 1.0;
    cosh: cosh, oracle::f_cosh, 1.0 1.0;
    tanh: tanh, oracle::f_tanh, 1.0 1.0;
    asinh: asinh, oracle::f_asinh, 1.0 1.1;
    acosh: acosh, oracle::f_acosh, 2.0 1.5;
    atanh: atanh, oracle::f_atanh, 1.0 1.0;
    erf: erf, oracle::f_erf, 1.0 1.5;
    erfc: erfc, oracle::f_erfc, 2.0 1.25;
    erfinv: erfinv, oracle::f_erfinv, 1.0 1.25;
}
/// The oracle for lgamma, which gives up on huge arguments.
fn exact_lgamma(x: f64) -> f64 {
    match x {
        x if x.abs() < 1e290 => oracle::f_lgamma(x),
        // One term of Stirling's formula.
        x if x > 0.0 && x < 2.5e305 => x * (x.ln() - 1.0),
        x if x.is_nan() => x,
        _ => f64::INFINITY,
    }
}
/// The oracle for digamma, likewise; at both zeros it gives +∞, while PyTorch, and the limit from the right, have −∞ at +0.
fn exact_digamma(x: f64) -> f64 {
    match x {
        0.0 => -f64::INFINITY.copysign(x),
        x if x.abs() < 1e290 => oracle::f_digamma(x),
        x if x > 0.0 => x.ln(),
        _ => f64::NAN,
    }
}
#[test]
fn gamma_functions() {
    // Relative for positive arguments; near the zeros among the negative ones, to the last place of 1.
    let positive = |x: f64| if x < 0.0 { 0.0 } else { x };
    let narrow = |x: f32| positive(x as f64) as f32;
    let (f, g) = (|x| Real::lgamma(positive(x)), |x| Real::lgamma(narrow(x)));
    sweep("lgamma", f, g, |x| exact_lgamma(positive(x)), 0.0, (2.0, 1.0));
    sweep("lgamma_any", Real::lgamma_any, Real::lgamma_any, exact_lgamma, 1.0, (2.0, 1.0));
    let (f, g) = (|x| Real::digamma(positive(x)), |x| Real::digamma(narrow(x)));
    // At the number next to its zero, from mpmath.
    assert!(error64(Real::digamma(1.4616321449683622f64), -9.241265521729427e-17, 5.4e-33, 0.0) < 1.0);
    sweep("digamma", f, g, |x| exact_digamma(positive(x)), 0.0, (1.0, 1.0));
    sweep("digamma_any", Real::digamma_any, Real::digamma_any, exact_digamma, 1.0, (2.0, 1.0));
}
#[test]
fn polygamma() {
    let (mut worst, mut worst32) = (Worst::default(), Worst::default());
    for &(n, x, high, low) in tables::POLYGAMMA {
        worst.see(error64(x.polygamma(n), high, low, 0.0), (n, x));
        worst32.see(error32((x as f32).polygamma(n), high, 0.0), (n, x));
    }
    worst.at_most("polygamma f64", 1.0);
    worst32.at_most("polygamma f32", 0.51);
    // Poles, the ends of the range, and what overflows only on the way.
    let infinity = f64::INFINITY;
    assert_eq!([0.0, -0.0, -1.0, -7.0, 1e-300].map(|x: f64| x.polygamma(1)), [infinity; 5]);
    assert_eq!([0.0, -1.0, -1e300, 1e-300].map(|x: f64| x.polygamma(2)), [-infinity; 4]);
    assert_eq!((infinity.polygamma(1), 1e300.polygamma(1), 1e300.polygamma(2)), (0.0, 1e-300, 0.0));
    assert!((-infinity).polygamma(1).is_nan() && f64::NAN.polygamma(1).is_nan());
    // 499! ζ(500, 300), whose factors overflow; from mpmath.
    assert!(error64(300.0.polygamma(499), 8.282016494410434e-108, -1.979453028087166e-124, 0.0) <= 1.0);
}
#[test]
fn full_range_forms_extend_the_fast_ones() {
    macro_rules! same_bits {
        ($x:ident) => {
            if $x.exp_fits() {
                assert_eq!(Real::exp($x).to_bits(), $x.exp_fast().to_bits(), "exp({:?})", $x);
                assert_eq!(Real::sigmoid($x).to_bits(), $x.sigmoid_fast().to_bits(), "sigmoid({:?})", $x);
            }
            if $x.ln_fits() {
                assert_eq!(Real::ln($x).to_bits(), $x.ln_fast().to_bits(), "ln({:?})", $x);
            }
        };
    }
    for x in singles() {
        same_bits!(x);
    }
    for x in doubles() {
        same_bits!(x);
        if x.sin_fits() {
            assert_eq!(x.sin_any().to_bits(), Real::sin(x).to_bits());
        }
        if x.lgamma_fits() && !x.is_nan() {
            assert_eq!(x.lgamma_any().to_bits(), Real::lgamma(x).to_bits());
            assert_eq!(x.digamma_any().to_bits(), Real::digamma(x).to_bits());
        }
    }
}
#[test]
fn values_of_mpmath() {
    type Table = &'static [(f64, f64, f64)];
    let functions: [(&str, Table, fn(f64) -> f64, fn(f32) -> f32); 4] = [
        ("ndtr", tables::NDTR, Real::ndtr, Real::ndtr),
        ("sigmoid", tables::SIGMOID, Real::sigmoid, Real::sigmoid),
        ("softplus", tables::SOFTPLUS, Real::softplus, Real::softplus),
        ("log_sigmoid", tables::LOG_SIGMOID, Real::log_sigmoid, Real::log_sigmoid),
    ];
    for (name, table, f, g) in functions {
        let (mut worst, mut worst32) = (Worst::default(), Worst::default());
        for &(x, high, low) in table {
            worst.see(error64(f(x), high, low, 0.0), x);
            worst32.see(error32(g(x as f32), high, 0.0), x);
        }
        worst.at_most(name, 1.5);
        worst32.at_most(name, 1.0);
    }
    for &(x, y, high, low) in tables::LOGADDEXP {
        assert!(error64(x.logaddexp(y), high, low, 0.125) <= 1.0, "logaddexp({x}, {y})");
        assert!(error32((x as f32).logaddexp(y as f32), high, 0.125) <= 1.0, "logaddexp({x}, {y})");
    }
}
/// Pairs of special values, of any exponents, and such that the power neither overflows nor underflows.
fn pairs() -> Vec<(f64, f64)> {
    let mut random = Random(2);
    let mut all = Vec::new();
    let special = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 9007199254740991.0, 1e300, f64::MAX, 5e-324, f64::INFINITY, f64::NAN];
    let signed: Vec<f64> = special.iter().flat_map(|&x| [x, -x]).collect();
    for &x in &signed {
        all.extend(signed.iter().map(|&y| (x, y)));
    }
    for _ in 0..20_000 {
        let x = 2f64.powf(random.next() * 2000.0 - 1000.0);
        let y = (random.next() * 2.0 - 1.0) * 740.0 / x.ln();
        all.extend([(x, y), (1.0 + random.next(), (random.next() - 0.5) * 1400.0)]);
        all.extend([
            ((random.next() - 0.5) * 8.0, (random.next() * 40.0).floor() - 20.0),
            (x, x * (random.next() - 0.5)),
        ]);
    }
    all
}
#[test]
fn pow() {
    let (mut worst, mut worst32) = (Worst::default(), Worst::default());
    for (x, y) in pairs() {
        let exact = f64::powf;
        let same_sign = |a: f64, b: f64| a.is_nan() || a.is_sign_negative() == b.is_sign_negative();
        let got = Real::pow(x, y);
        assert!(same_sign(got, exact(x, y)), "pow({x}, {y}) = {got}");
        worst.see(error64(got, exact(x, y), 0.0, 0.0), (x, y));
        let (x, y) = (x as f32, y as f32);
        worst32.see(error32(Real::pow(x, y), exact(x as f64, y as f64), 0.0), (x, y));
    }
    worst.at_most("pow f64", 1.0);
    worst32.at_most("pow f32", 0.51);
}
#[test]
fn angles_and_lengths() {
    let (mut angle, mut angle32, mut length, mut length32) = Default::default();
    for (x, y) in pairs() {
        Worst::see(&mut angle, error64(Real::atan2(y, x), y.atan2(x), 0.0, 0.0), (y, x));
        Worst::see(&mut length, error64(Real::hypot(x, y), x.hypot(y), 0.0, 0.0), (x, y));
        let (a, b) = (x as f32, y as f32);
        Worst::see(&mut angle32, error32(Real::atan2(b, a), (b as f64).atan2(a as f64), 0.0), (b, a));
        Worst::see(&mut length32, error32(Real::hypot(a, b), (a as f64).hypot(b as f64), 0.0), (a, b));
    }
    // The standard library's functions, within one unit themselves, serve as the oracle here.
    angle.at_most("atan2 f64", 2.0);
    angle32.at_most("atan2 f32", 1.75);
    length.at_most("hypot f64", 2.0);
    length32.at_most("hypot f32", 0.51);
}
#[test]
fn remainders() {
    for (x, y) in pairs() {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let exact = x % y;
        assert!(same(x.fmod(y), exact), "fmod({x}, {y})");
        let (a, b) = (x as f32, y as f32);
        let narrow = a % b;
        assert!(a.fmod(b).to_bits() == narrow.to_bits() || narrow.is_nan(), "fmod({a}, {b})");
        if x.fmod_fits(y) {
            assert!(same(x.fmod_fast(y), exact), "fmod_fast({x}, {y})");
            assert!(same(x.remainder_fast(y), x.remainder(y)) && same(x.floor_divide_fast(y), x.floor_divide(y)));
        }
        if exact.is_finite() && exact != 0.0 {
            assert_eq!(x.remainder(y) < 0.0, y < 0.0, "remainder({x}, {y})");
        }
    }
    let expected = [(7.0, 2.0, 3.0, 1.0), (-7.0, 2.0, -4.0, 1.0), (7.0, -2.0, -4.0, -1.0), (-7.0, -2.0, 3.0, -1.0)];
    for (x, y, quotient, rest) in expected {
        assert_eq!((x.floor_divide(y), x.remainder(y)), (quotient, rest));
    }
    assert_eq!(1.0f64.floor_divide(0.0), f64::INFINITY);
    assert_eq!((-5.0f64).floor_divide(f64::INFINITY), -1.0);
    assert_eq!(1.0f64.floor_divide(0.1), 9.0);
}
#[test]
fn signs_and_extremes() {
    let nan = f64::NAN;
    assert_eq!([2.5, 3.5, -0.5].map(Real::round), [2.0, 4.0, 0.0]);
    assert_eq!([-3.0, -0.0, 0.0, 7.0, nan].map(Real::sign), [-1.0, 0.0, 0.0, 1.0, 0.0]);
    for (x, y) in [(nan, 1.0), (1.0, nan), (nan, nan)] {
        assert!(Real::max(x, y).is_nan() && Real::min(x, y).is_nan());
    }
    assert_eq!((Real::max(1.0, 2.0), Real::min(1.0, 2.0)), (2.0, 1.0));
    let odd = [Real::sin, Real::tan, Real::asin, Real::atan, Real::sinh, Real::tanh, Real::asinh, Real::atanh];
    let more = [Real::expm1, Real::log1p, Real::erf, Real::erfinv];
    for f in odd.into_iter().chain(more) {
        let f: fn(f64) -> f64 = f;
        assert_eq!(f(-0.0).to_bits(), (-0.0f64).to_bits());
        assert_eq!(f(0.0).to_bits(), 0.0f64.to_bits());
        assert_eq!(f(-5e-324), -f(5e-324));
    }
    for n in 0..300 {
        assert_eq!(Real::log10(format!("1e{n}").parse::<f64>().unwrap()), n as f64);
    }
    for n in -1074..1024 {
        assert_eq!(Real::log2(Real::exp2(n as f64)), n as f64);
    }
}
