//! Sparse derivatives: which entries can be nonzero, and how few products with vectors recover them all.
mod coloring;
mod pattern;
mod recovery;
#[cfg(test)]
mod samples;
mod star;
pub use coloring::{columns, columns_within, Coloring};
pub use pattern::Pattern;
pub use recovery::{recover_columns, recover_star};
pub use star::star;
