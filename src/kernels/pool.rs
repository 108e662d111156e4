//! temp
pub const THRESHOLD: usize = 1 << 15;
pub fn num_threads() -> usize { 1 }
pub fn set_num_threads(_n: usize) {}
pub fn parallel(tasks: usize, _work: usize, f: &(dyn Fn(usize) + Sync)) { for i in 0..tasks { f(i) } }
pub fn parallel_chunks<T: Send>(out: &mut [T], piece: usize, _work: usize, f: &(dyn Fn(usize, &mut [T]) + Sync)) { for (i, p) in out.chunks_mut(piece).enumerate() { f(i, p) } }
