//! The recorded graph: nodes in an arena, and the sweep that reads it backwards.
mod arena;
mod hooks;
mod node;
pub mod origin;
pub mod packing;
pub mod pullback;
pub mod running;
mod saved;
pub mod sweep;
#[cfg(test)]
mod tests;
pub use arena::hold;
pub use hooks::{GradCell, Hook, When};
pub use node::{last_seq, preserve, Edge, NodeRef, Parents};
pub use saved::{Kept, SavedValue};
