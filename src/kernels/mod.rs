//! Loops over numbers: chunked, vectorised, parallel. They know nothing of derivatives.
pub mod cast;
pub mod extreme;
pub mod gate;
pub mod gather;
pub mod isa;
pub mod lines;
pub mod map;
pub mod matmul;
pub mod pool;
pub mod random;
pub mod reduce;
pub mod rows;
pub mod scan;
pub mod sort;
