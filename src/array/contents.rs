//! What is in an array: its numbers as slices, arrays made of numbers, copies.
use super::{reach, Array, Strided};
use crate::{
    dtype::{DType, Element, Scalar},
    error::{Error, Result},
    shape::{show, Dims},
    with_element,
};

impl Array {
    /// The elements in order, where they lie contiguously.
    #[inline]
    pub fn slice<T: Element>(&self) -> Option<&[T]> {
        if !T::accepts(self.dtype()) || !self.header().contiguous {
            return None;
        }
        if self.is_empty() {
            return Some(&[]);
        }
        let data = self.address().ok()?;
        // SAFETY: contiguous, the dtype matches, and the constructors vouch for `len` elements at `data`.
        Some(unsafe { std::slice::from_raw_parts(data.cast(), self.len()) })
    }
    /// All elements with their geometry; an error if `T` is not the dtype.
    #[inline]
    pub fn strided<T: Element>(&self) -> Result<Strided<'_, T>> {
        if !T::accepts(self.dtype()) {
            return Err(Error::dtype("array", format!("elements are {}", self.dtype())));
        }
        let (low, high) = if self.is_empty() { (0, -1) } else { reach(self.shape(), self.strides()) };
        let len = (high - low + 1) as usize;
        let data: &[T] = if len == 0 {
            &[]
        } else {
            let data = self.address()?.cast::<T>();
            // SAFETY: the constructors vouch for every element between the lowest and the highest reached.
            unsafe { std::slice::from_raw_parts(data.wrapping_offset(low), len) }
        };
        Ok(Strided { data, offset: -low as usize, shape: self.shape(), strides: self.strides() })
    }
    /// The elements for writing, while no one else holds this array.
    #[inline]
    pub fn slice_mut<T: Element>(&mut self) -> Result<&mut [T]> {
        if !T::accepts(self.dtype()) {
            return Err(Error::dtype("array", format!("elements are {}", self.dtype())));
        }
        if !self.is_unique() || !self.header().contiguous {
            return Err(Error::graph("array", "cannot write an array that is shared"));
        }
        if self.is_empty() {
            return Ok(&mut []);
        }
        // SAFETY: as in `slice`, and this is the only handle.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.data().cast(), self.len()) })
    }
    /// A 1-d array of these elements.
    pub fn from_slice<T: Element>(dtype: DType, values: &[T]) -> Result<Array> {
        Array::from_shape(dtype, Dims::from_slice(&[values.len()]), values)
    }
    /// An array of this shape with these elements in row-major order.
    pub fn from_shape<T: Element>(dtype: DType, shape: Dims, values: &[T]) -> Result<Array> {
        let mut array = Array::new("tensor", shape, dtype)?;
        if array.len() != values.len() {
            return Err(Error::shape(
                "tensor",
                format!("{} values do not fill shape {}", values.len(), show(array.shape())),
            ));
        }
        array.slice_mut::<T>()?.copy_from_slice(values);
        Ok(array)
    }
    /// Every element the same number, converted to `dtype`.
    pub fn full(op: &'static str, shape: Dims, dtype: DType, value: Scalar) -> Result<Array> {
        let mut array = Array::new(op, shape, dtype)?;
        match dtype {
            DType::Bool => {
                array.slice_mut::<u8>()?.fill(u8::from(value.to_complex() != num_complex::Complex::default()))
            }
            DType::U8 => array.slice_mut::<u8>()?.fill(value.to_i64() as u8),
            DType::I32 => array.slice_mut::<i32>()?.fill(value.to_i64() as i32),
            DType::I64 => array.slice_mut::<i64>()?.fill(value.to_i64()),
            DType::F32 => array.slice_mut::<f32>()?.fill(value.to_f64() as f32),
            DType::F64 => array.slice_mut::<f64>()?.fill(value.to_f64()),
            DType::C64 => {
                let z = value.to_complex();
                array.slice_mut()?.fill(num_complex::Complex::new(z.re as f32, z.im as f32));
            }
            DType::C128 => array.slice_mut()?.fill(value.to_complex()),
        }
        Ok(array)
    }
    /// A contiguous copy in storage of its own.
    pub fn copied(&self, op: &'static str) -> Result<Array> {
        let mut out = Array::new(op, Dims::from_slice(self.shape()), self.dtype())?;
        with_element!(self.dtype(), T => crate::kernels::gather::copy_strided(self.strided::<T>()?, out.slice_mut()?));
        Ok(out)
    }
    /// This array if it is contiguous, else a contiguous copy.
    pub fn contiguous(&self, op: &'static str) -> Result<Array> {
        if self.is_contiguous() {
            Ok(self.clone())
        } else {
            self.copied(op)
        }
    }
    /// The elements in order.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        let view = self.strided::<T>()?;
        let mut out = vec![T::default(); self.len()];
        view.gather(0, &mut out);
        Ok(out)
    }
    /// The one element of a one-element array.
    pub fn item(&self) -> Result<Scalar> {
        if self.len() != 1 {
            return Err(Error::graph(
                "item",
                format!(
                    "a tensor of shape {} has {} elements, not one; index it first",
                    show(self.shape()),
                    self.len()
                ),
            ));
        }
        Ok(match self.dtype() {
            DType::Bool => Scalar::Bool(self.to_vec::<u8>()?[0] != 0),
            DType::U8 => Scalar::Int(self.to_vec::<u8>()?[0].into()),
            DType::I32 => Scalar::Int(self.to_vec::<i32>()?[0].into()),
            DType::I64 => Scalar::Int(self.to_vec::<i64>()?[0]),
            DType::F32 => Scalar::Float(self.to_vec::<f32>()?[0].into()),
            DType::F64 => Scalar::Float(self.to_vec::<f64>()?[0]),
            DType::C64 => {
                let z = self.to_vec::<num_complex::Complex<f32>>()?[0];
                Scalar::Complex(z.re.into(), z.im.into())
            }
            DType::C128 => {
                let z = self.to_vec::<num_complex::Complex<f64>>()?[0];
                Scalar::Complex(z.re, z.im)
            }
        })
    }
}
