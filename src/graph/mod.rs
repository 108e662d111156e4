//! The recorded graph: nodes in an arena, and the sweep that reads it backwards.
mod arena;
mod node;
pub mod pullback;
pub mod sweep;
#[cfg(test)]
mod tests;
pub use node::{last_seq, preserve, Edge, GradCell, Hook, Kept, NodeRef, Parents, SavedValue, When};
