//! Moving elements: strided copies, reading and writing by index. Indices are checked before; every result is the
//! same for any number of threads.
mod axis;
mod copy;
mod flags;
mod layout;
#[cfg(test)]
mod tests;
mod write;
pub use axis::{put_axis, take_axis};
pub use copy::copy_strided;
pub use flags::nonzero;
pub use write::write_strided;

use crate::error::{Error, Result};

/// All indices lie in `0..size`; the error names the first that does not, and where it stands.
pub fn check_indices(op: &'static str, indices: &[i64], size: usize) -> Result<()> {
    // An index below zero is a huge number here. No early exit: the loop runs in vector registers.
    let good = indices.iter().fold(true, |good, &i| good & ((i as u64) < size as u64));
    if good {
        return Ok(());
    }
    match indices.iter().enumerate().find(|(_, &i)| i as u64 >= size as u64) {
        Some((position, value)) => Err(Error::index(
            op,
            format!("cannot use index {value} at position {position} (the dimension has size {size}); indices run from 0 to size - 1"),
        )),
        None => Ok(()),
    }
}
