//! Elementwise answers and bits: comparisons, truth values, bit operations, and the choice by a condition.
use super::{
    super::{
        convert::fits,
        export_with_out,
        function::given,
        tensor::{Operand, Other, Tensor},
    },
    operators::ordered,
};
use crate::{
    dtype::{DType, Scalar},
    ops::{compare::Order, logic, select},
};
use pyo3::{exceptions::PyTypeError, prelude::*, types::IntoPyDict, IntoPyObjectExt};

macro_rules! comparisons { ($($name:ident $inplace:ident $order:ident $what:literal $result:literal;)*) => {
    #[pymethods]
    impl Tensor { $(
        #[doc = concat!("See `rustgrad.", stringify!($name), "`.")]
        fn $name(&self, other: Operand) -> PyResult<Tensor> {
            Ok(ordered(Order::$order, &self.value()?, other)?.into())
        }
        #[doc = concat!("In-place form of `", stringify!($name), "`: 1 or 0 in the tensor's own dtype.")]
        fn $inplace<'py>(slf: Bound<'py, Self>, other: Operand) -> PyResult<Bound<'py, Self>> {
            slf.get().variable()?.write(stringify!($inplace), |x| ordered(Order::$order, x, other))?;
            Ok(slf)
        }
    )* }
    /// The same as functions, which cost no more than the methods.
    mod functions {
        use super::*;
        $(
            #[doc = concat!(
                "True where `input` ", $what, " `other`, element by element.\n\nShapes: `input` and `other` (a tensor or a \
                number) broadcast; raises ValueError if they cannot. The result is bool. Complex numbers have no order: only \
                eq and ne take them, the others raise TypeError.\n\nDerivative: none, the result is bool.\n\n>>> rg.",
                stringify!($name), "(rg.tensor([1, 2, 3]), 2)\ntensor(", $result, ")"
            )]
            #[pyfunction]
            #[pyo3(signature = (input, other, *, out=None))]
            pub fn $name<'py>(py: Python<'py>, input: &Tensor, other: Operand, out: Option<&Bound<'py, PyAny>>) -> PyResult<Bound<'py, Tensor>> {
                given(py, stringify!($name), ordered(Order::$order, &input.value()?, other)?, out)
            }
        )*
        pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
            $(m.add_function(wrap_pyfunction!($name, m)?)?;)*
            Ok(())
        }
    }
} }
comparisons! {
    lt lt_ Less "is below" "[ True, False, False]";
    le le_ LessEqual "is not above" "[ True,  True, False]";
    gt gt_ Greater "is above" "[False, False,  True]";
    ge ge_ GreaterEqual "is not below" "[False,  True,  True]";
    eq eq_ Equal "equals" "[False,  True, False]";
    ne ne_ NotEqual "differs from" "[ True, False,  True]";
}
macro_rules! truths { ($($name:ident $f:path: $what:literal, $dtypes:literal, $at:literal => $result:literal;)*) => {
    #[pymethods]
    impl Tensor { $(
        #[doc = concat!(
            $what, "\n\nShape: any, kept. ", $dtypes, "\n\nDerivative: none, the result is not a float.\n\n>>> rg.",
            stringify!($name), "(rg.tensor(", $at, "))\ntensor(", $result, ")"
        )]
        fn $name(&self) -> PyResult<Tensor> {
            Ok($f(&self.value()?)?.into())
        }
    )* }
    const TRUTHS: &[&str] = &[$(stringify!($name)),*];
} }
truths! {
    logical_not logic::not: "True where an element is zero.",
        "Any dtype, the result is bool.", "[0.0, 2.0]" => "[ True, False]";
    bitwise_not logic::bitwise_not: "Every bit inverted, and the opposite of booleans.",
        "Integers or booleans, the dtype is kept; raises TypeError for others.", "[0, 5]" => "[-1, -6]";
    isnan logic::is_nan: "True where an element is NaN.",
        "Any dtype, the result is bool.", "[1.0, float(\"nan\")]" => "[False,  True]";
    isinf logic::is_inf: "True where an element is infinite.",
        "The result is bool; raises TypeError for complex numbers.", "[1.0, float(\"-inf\")]" => "[False,  True]";
    isfinite logic::is_finite: "True where an element is neither infinite nor NaN.",
        "The result is bool; raises TypeError for complex numbers.", "[1.0, float(\"inf\")]" => "[ True, False]";
}
macro_rules! combinations { (
    $($dtypes:literal $other:ident {
        $($name:ident $inplace:ident $f:expr, $what:literal, $a:literal with $b:literal => $result:literal;)*
    })*
    operators { $($dunder:ident $reflected:ident $inplace_operator:ident $op:ident $op_name:literal;)* }
) => {
    #[pymethods]
    impl Tensor {
        $($(
            #[doc = concat!(
                $what, "\n\nShapes: `input` and `other` broadcast; raises ValueError if they cannot. ", $dtypes, "\n\nDerivative: none, the result is not a float.\n\n>>> rg.",
                stringify!($name), "(rg.tensor(", $a, "), rg.tensor(", $b, "))\ntensor(", $result, ")"
            )]
            fn $name(&self, other: $other) -> PyResult<Tensor> {
                Ok($f(&self.value()?, &Operand::from(other).value()?)?.into())
            }
            #[doc = concat!("In-place form of `", stringify!($name), "`.")]
            fn $inplace<'py>(slf: Bound<'py, Self>, other: $other) -> PyResult<Bound<'py, Self>> {
                let other = Operand::from(other).value()?;
                slf.get().variable()?.write(stringify!($inplace), |x| $f(x, &other))?;
                Ok(slf)
            }
        )*)*
        $(
            fn $dunder(&self, other: Operand) -> PyResult<Tensor> {
                Ok(logic::of_bits::<logic::$op>(&self.value()?, &other.value()?)?.into())
            }
            fn $reflected(&self, other: Operand) -> PyResult<Tensor> {
                Ok(logic::of_bits::<logic::$op>(&other.value()?, &self.value()?)?.into())
            }
            fn $inplace_operator(&self, other: Operand) -> PyResult<()> {
                let other = other.value()?;
                Ok(self.variable()?.write($op_name, |x| logic::of_bits::<logic::$op>(x, &other))?)
            }
        )*
    }
    const COMBINATIONS: &[&str] = &[$($(stringify!($name)),*),*];
} }
combinations! {
    "Any dtypes, the result is bool." Other {
        logical_and logical_and_ logic::and, "True where both are not zero.",
            "[True, True, False]" with "[True, False, False]" => "[ True, False, False]";
        logical_or logical_or_ logic::or, "True where either is not zero.",
            "[True, True, False]" with "[True, False, False]" => "[ True,  True, False]";
        logical_xor logical_xor_ logic::xor, "True where exactly one is not zero.",
            "[True, True, False]" with "[True, False, False]" => "[False,  True, False]";
    }
    "`other` may be a number. Integers or booleans, promoted to a common dtype; raises TypeError for others." Operand {
        bitwise_and bitwise_and_ logic::of_bits::<logic::BitAnd>, "Bits set in both.",
            "[12, 10]" with "[10, 3]" => "[8, 2]";
        bitwise_or bitwise_or_ logic::of_bits::<logic::BitOr>, "Bits set in either.",
            "[12, 10]" with "[10, 3]" => "[14, 11]";
        bitwise_xor bitwise_xor_ logic::of_bits::<logic::BitXor>, "Bits set in exactly one.",
            "[12, 10]" with "[10, 3]" => "[6, 9]";
        bitwise_left_shift bitwise_left_shift_ logic::of_bits::<logic::LeftShift>, "Bits of `input` moved to the left by `other` places.",
            "[1, 3]" with "[4, 1]" => "[16,  6]";
        bitwise_right_shift bitwise_right_shift_ logic::of_bits::<logic::RightShift>, "Bits of `input` moved to the right by `other` places.",
            "[16, 7]" with "[4, 1]" => "[1, 3]";
    }
    operators {
        __lshift__ __rlshift__ __ilshift__ LeftShift "bitwise_left_shift_";
        __rshift__ __rrshift__ __irshift__ RightShift "bitwise_right_shift_";
        __and__ __rand__ __iand__ BitAnd "bitwise_and_";
        __or__ __ror__ __ior__ BitOr "bitwise_or_";
        __xor__ __rxor__ __ixor__ BitXor "bitwise_xor_";
    }
}
/// Elements of `input` where the condition holds, else of `other`.
///
/// Shapes: all three broadcast; raises ValueError if they cannot. `condition` is bool; `input` and `other`, tensors or
/// numbers, are promoted to a common dtype.
///
/// Without `input` and `other`, the coordinates where the condition holds, a vector for each dimension.
///
/// Derivative: 1 with respect to the one that was chosen, 0 to the other.
///
/// >>> x = rg.tensor([-1.0, 2.0])
/// >>> rg.where(x > 0, x, 0.0)
/// tensor([0., 2.])
/// >>> rg.where(x > 0)
/// (tensor([1]),)
#[pyfunction(name = "where")]
#[pyo3(signature = (condition, input=None, other=None))]
fn where_<'py>(
    py: Python<'py>,
    condition: &Bound<'py, PyAny>,
    input: Option<Operand>,
    other: Option<Operand>,
) -> PyResult<Bound<'py, PyAny>> {
    if let (Some(Operand::Number(number)), Some(Operand::Tensor(x)))
    | (Some(Operand::Tensor(x)), Some(Operand::Number(number))) = (&input, &other)
    {
        // Among integers the number takes their dtype.
        if matches!(number, Scalar::Int(_)) && x.dtype() != DType::Bool {
            fits("where", *number, x.dtype())?;
        }
    }
    let chosen = match (input, other) {
        (Some(input), Some(other)) => {
            select::choose_by(&condition.extract::<Operand>()?.value()?, &input.value()?, &other.value()?)?
        }
        (None, None) => return condition.call_method("nonzero", (), Some(&[("as_tuple", true)].into_py_dict(py)?)),
        _ => return Err(PyTypeError::new_err("where: needs both input and other, or neither for coordinates")),
    };
    Tensor::new(chosen).into_bound_py_any(py)
}
#[pymethods]
impl Tensor {
    /// In-place form of `logical_not`: 1 or 0 in the tensor's own dtype.
    fn logical_not_<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable()?.write("logical_not_", logic::not)?;
        Ok(slf)
    }
    /// In-place form of `bitwise_not`.
    fn bitwise_not_<'py>(slf: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        slf.get().variable()?.write("bitwise_not_", logic::bitwise_not)?;
        Ok(slf)
    }
    /// This tensor where the condition holds, else `other`, as `rustgrad.where`.
    ///
    /// >>> rg.tensor([1.0, 2.0]).where(rg.tensor([True, False]), 0.0)
    /// tensor([1., 0.])
    #[pyo3(name = "where")]
    fn where_method(&self, condition: Operand, other: Operand) -> PyResult<Tensor> {
        Ok(select::choose_by(&condition.value()?, &self.value()?, &other.value()?)?.into())
    }
}
pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    functions::register(m)?;
    export_with_out(m, TRUTHS)?;
    export_with_out(m, COMBINATIONS)?;
    m.add_function(wrap_pyfunction!(where_, m)?)
}
