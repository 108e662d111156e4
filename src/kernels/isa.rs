//! Instruction-set dispatch: the same generic loop compiled for several CPUs, chosen once at run time.
//!
//! A loop is plain scalar code behind `#[inline(always)]`; the compiler vectorises each copy for its target.
use std::sync::atomic::{AtomicU8, Ordering};

/// A loop to run under the best instruction set. Mark `run`, and all it calls, `#[inline(always)]`: what is not
/// inlined loses the target features. For the same reason write `for` loops, not closures: a large closure may stay a
/// function of its own, compiled for the oldest CPU, and be fifty times slower.
pub trait Kernel {
    type Out;
    /// Whether AVX-512 gets a copy of its own. Each copy costs room in the wheel; where there is none, AVX2 runs.
    const WIDE: bool = true;
    fn run(self) -> Self::Out;
}

#[cfg(target_arch = "x86_64")]
mod levels {
    use super::Kernel;
    #[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
    pub fn avx2<K: Kernel>(k: K) -> K::Out {
        k.run()
    }
    #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,lzcnt,popcnt")]
    pub fn avx512<K: Kernel>(k: K) -> K::Out {
        k.run()
    }
}

const UNKNOWN: u8 = 0;
const BASELINE: u8 = 1;
const AVX2: u8 = 2;
const AVX512: u8 = 3;
static LEVEL: AtomicU8 = AtomicU8::new(UNKNOWN);

#[cold]
fn detect() -> u8 {
    #[cfg(target_arch = "x86_64")]
    let level = {
        let avx2 = ["avx2", "fma", "bmi1", "bmi2", "lzcnt", "popcnt"];
        let has = |name: &&str| match *name {
            "avx2" => is_x86_feature_detected!("avx2"),
            "fma" => is_x86_feature_detected!("fma"),
            "bmi1" => is_x86_feature_detected!("bmi1"),
            "bmi2" => is_x86_feature_detected!("bmi2"),
            "lzcnt" => is_x86_feature_detected!("lzcnt"),
            _ => is_x86_feature_detected!("popcnt"),
        };
        let wide = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512cd")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        match (avx2.iter().all(has), wide) {
            (true, true) => AVX512,
            (true, false) => AVX2,
            _ => BASELINE,
        }
    };
    #[cfg(not(target_arch = "x86_64"))]
    let level = BASELINE;
    LEVEL.store(level, Ordering::Relaxed);
    level
}

#[inline]
fn level() -> u8 {
    match LEVEL.load(Ordering::Relaxed) {
        UNKNOWN => detect(),
        level => level,
    }
}
/// Whether loops are compiled for AVX2 and no wider set.
pub fn is_avx2() -> bool {
    level() == AVX2
}
/// Ask for the cache line of element `at`, which may lie anywhere.
#[inline(always)]
pub fn prefetch<T>(data: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
        // SAFETY: prefetching reads nothing and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(data.as_ptr().wrapping_add(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (data, at);
}

/// Run `k` compiled for the widest instruction set this CPU has.
#[inline]
pub fn dispatch<K: Kernel>(k: K) -> K::Out {
    match level() {
        // SAFETY: `detect` found every feature that `avx512` enables.
        #[cfg(target_arch = "x86_64")]
        AVX512 if K::WIDE => unsafe { levels::avx512(k) },
        // SAFETY: `detect` found every feature that `avx2` enables, at both levels.
        #[cfg(target_arch = "x86_64")]
        AVX512 | AVX2 => unsafe { levels::avx2(k) },
        _ => k.run(),
    }
}
