//! Loops over numbers: chunked, vectorised, parallel. They know nothing of derivatives.
pub mod blocks;
pub mod cast;
pub mod gate;
pub mod gather;
pub mod isa;
pub mod map;
pub mod matmul;
pub mod pool;
pub mod random;
pub mod reduce;
pub mod scan;
pub mod sort;
mod strips;
pub mod strong_matmul;
