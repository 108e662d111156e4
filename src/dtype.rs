//! Element types, and the rules by which they combine (PyTorch's type promotion).
use num_complex::Complex;
use std::fmt;

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum DType {
    Bool,
    U8,
    I32,
    I64,
    F32,
    F64,
    C64,
    C128,
}
use DType::*;

/// Families in promotion order: a higher category always wins over a lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    Bool,
    Int,
    Float,
    Complex,
}

impl DType {
    pub const ALL: [DType; 8] = [Bool, U8, I32, I64, F32, F64, C64, C128];
    pub const fn size(self) -> usize {
        match self {
            Bool | U8 => 1,
            I32 | F32 => 4,
            I64 | F64 | C64 => 8,
            C128 => 16,
        }
    }
    pub const fn name(self) -> &'static str {
        match self {
            Bool => "bool",
            U8 => "uint8",
            I32 => "int32",
            I64 => "int64",
            F32 => "float32",
            F64 => "float64",
            C64 => "complex64",
            C128 => "complex128",
        }
    }
    pub const fn category(self) -> Category {
        match self {
            Bool => Category::Bool,
            U8 | I32 | I64 => Category::Int,
            F32 | F64 => Category::Float,
            C64 | C128 => Category::Complex,
        }
    }
    pub fn is_float(self) -> bool {
        self.category() == Category::Float
    }
    pub fn is_complex(self) -> bool {
        self.category() == Category::Complex
    }
    /// Bool or integer: what floating-point functions first convert to the default float type.
    pub fn is_integral(self) -> bool {
        self.category() <= Category::Int
    }
    /// Whether derivatives can flow through values of this type at all.
    pub fn is_inexact(self) -> bool {
        self.category() >= Category::Float
    }
    /// The real type with the same precision.
    pub fn real(self) -> DType {
        match self {
            C64 => F32,
            C128 => F64,
            d => d,
        }
    }
    /// The complex type with the same precision.
    pub fn complex(self) -> DType {
        match self {
            F64 | C128 => C128,
            _ => C64,
        }
    }
    /// The type that holds both (PyTorch's table for two tensors of the same kind).
    pub fn promote(self, other: DType) -> DType {
        let (low, high) = if self <= other { (self, other) } else { (other, self) };
        match (low, high) {
            (F64, C64) => C128,
            _ => high,
        }
    }
}
impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())
    }
}

/// Collects operands and answers PyTorch's result type: tensors with dimensions outrank 0-d tensors, which
/// outrank plain Python numbers, unless a lower rank brings a higher category.
#[derive(Clone, Copy, Default)]
pub struct Promotion {
    dimensioned: Option<DType>,
    zero_dim: Option<DType>,
    number: Option<Category>,
}
impl Promotion {
    pub fn tensor(mut self, dtype: DType, rank: usize) -> Self {
        let slot = if rank > 0 { &mut self.dimensioned } else { &mut self.zero_dim };
        *slot = Some(slot.map_or(dtype, |d| d.promote(dtype)));
        self
    }
    pub fn number(mut self, category: Category) -> Self {
        self.number = self.number.max(Some(category));
        self
    }
    pub fn result(self, default_float: DType) -> DType {
        let number = self.number.map(|c| match c {
            Category::Bool => Bool,
            Category::Int => I64,
            Category::Float => default_float,
            Category::Complex => default_float.complex(),
        });
        let combine = |high: Option<DType>, low: Option<DType>| match (high, low) {
            (Some(h), Some(l)) if l.category() > h.category() => {
                // A wider category takes over; a weak complex keeps the float width it meets.
                Some(if l.is_complex() && h.is_float() { h.complex().promote(h) } else { l })
            }
            (Some(h), _) => Some(h),
            (None, l) => l,
        };
        combine(combine(self.dimensioned, self.zero_dim), number).unwrap_or(default_float)
    }
}

/// A Rust type that elements of an array can be read as. `u8` serves both bytes and booleans (0 or 1).
pub trait Element: Copy + Default + Send + Sync + PartialEq + fmt::Debug + 'static {
    fn accepts(dtype: DType) -> bool;
}
macro_rules! elements { ($($t:ty: $($d:ident)|+),*) => { $(
    impl Element for $t { #[inline] fn accepts(d: DType) -> bool { matches!(d, $(DType::$d)|+) } }
)* } }
elements! { u8: U8 | Bool, i32: I32, i64: I64, f32: F32, f64: F64, Complex<f32>: C64, Complex<f64>: C128 }

/// A plain number from the program text, before it takes the type of the tensor beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    Bool(bool),
    Int(i64),
    Float(f64),
    Complex(f64, f64),
}
impl Scalar {
    pub fn category(self) -> Category {
        match self {
            Scalar::Bool(_) => Category::Bool,
            Scalar::Int(_) => Category::Int,
            Scalar::Float(_) => Category::Float,
            Scalar::Complex(..) => Category::Complex,
        }
    }
    pub fn to_f64(self) -> f64 {
        match self {
            Scalar::Bool(b) => f64::from(u8::from(b)),
            Scalar::Int(i) => i as f64,
            Scalar::Float(f) => f,
            Scalar::Complex(re, _) => re,
        }
    }
    /// The integer value; a float is truncated as C does.
    pub fn to_i64(self) -> i64 {
        match self {
            Scalar::Bool(b) => i64::from(b),
            Scalar::Int(i) => i,
            Scalar::Float(f) => f as i64,
            Scalar::Complex(re, _) => re as i64,
        }
    }
    pub fn to_complex(self) -> Complex<f64> {
        match self {
            Scalar::Complex(re, im) => Complex::new(re, im),
            s => Complex::new(s.to_f64(), 0.0),
        }
    }
}

/// Run `$body` with `$T` bound to the element type of `$dtype` (booleans as `u8`).
#[macro_export]
macro_rules! with_element {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::dtype::DType::Bool | $crate::dtype::DType::U8 => {
                type $T = u8;
                $body
            }
            $crate::dtype::DType::I32 => {
                type $T = i32;
                $body
            }
            $crate::dtype::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::dtype::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::dtype::DType::F64 => {
                type $T = f64;
                $body
            }
            $crate::dtype::DType::C64 => {
                type $T = num_complex::Complex<f32>;
                $body
            }
            $crate::dtype::DType::C128 => {
                type $T = num_complex::Complex<f64>;
                $body
            }
        }
    };
}
