//! The operators of BINARY_OP: the special methods and slots of types that are for them.

use core::ffi::CStr;

use crate::host::{PyObject, ffi};

/// An operator of BINARY_OP: its methods and its slots.
// On free-threaded hosts, no method is looked up.
#[cfg_attr(py_gil_disabled, allow(dead_code))]
pub(crate) struct Operator {
    pub(crate) method: *mut PyObject,
    pub(crate) reflected: *mut PyObject,
    /// Its name in messages.
    pub(crate) symbol: &'static CStr,
    /// Whether the type has a method of its own for the assignment.
    pub(crate) assigns: unsafe fn(*mut ffi::PyNumberMethods) -> bool,
    pub(crate) is_assignment: bool,
}

impl Operator {
    /// The operator with this argument of BINARY_OP. `None` for a subscription.
    pub(crate) fn of(oparg: usize) -> Option<Operator> {
        macro_rules! operators {
            ($($plain:ident $assignment:ident $method:ident $reflected:ident $slot:ident $symbol:literal $assigned:literal;)*) => {
                Some(match oparg as u32 {
                    // SAFETY: only addresses of the host's strings are taken, and the slots are those of a live type.
                    $(number @ (ffi::$plain | ffi::$assignment) => unsafe {
                        Operator {
                            method: id!($method),
                            reflected: id!($reflected),
                            symbol: if number == ffi::$plain { $symbol } else { $assigned },
                            assigns: |slots| (*slots).$slot.is_some(),
                            is_assignment: number == ffi::$assignment,
                        }
                    },)*
                    _ => return None,
                })
            };
        }
        operators! {
            NB_ADD NB_INPLACE_ADD _py___add__ _py___radd__ nb_inplace_add c"+" c"+=";
            NB_AND NB_INPLACE_AND _py___and__ _py___rand__ nb_inplace_and c"&" c"&=";
            NB_FLOOR_DIVIDE NB_INPLACE_FLOOR_DIVIDE _py___floordiv__ _py___rfloordiv__ nb_inplace_floor_divide c"//" c"//=";
            NB_LSHIFT NB_INPLACE_LSHIFT _py___lshift__ _py___rlshift__ nb_inplace_lshift c"<<" c"<<=";
            NB_MATRIX_MULTIPLY NB_INPLACE_MATRIX_MULTIPLY _py___matmul__ _py___rmatmul__ nb_inplace_matrix_multiply c"@" c"@=";
            NB_MULTIPLY NB_INPLACE_MULTIPLY _py___mul__ _py___rmul__ nb_inplace_multiply c"*" c"*=";
            NB_OR NB_INPLACE_OR _py___or__ _py___ror__ nb_inplace_or c"|" c"|=";
            NB_POWER NB_INPLACE_POWER _py___pow__ _py___rpow__ nb_inplace_power c"** or pow()" c"**=";
            NB_REMAINDER NB_INPLACE_REMAINDER _py___mod__ _py___rmod__ nb_inplace_remainder c"%" c"%=";
            NB_RSHIFT NB_INPLACE_RSHIFT _py___rshift__ _py___rrshift__ nb_inplace_rshift c">>" c">>=";
            NB_SUBTRACT NB_INPLACE_SUBTRACT _py___sub__ _py___rsub__ nb_inplace_subtract c"-" c"-=";
            NB_TRUE_DIVIDE NB_INPLACE_TRUE_DIVIDE _py___truediv__ _py___rtruediv__ nb_inplace_true_divide c"/" c"/=";
            NB_XOR NB_INPLACE_XOR _py___xor__ _py___rxor__ nb_inplace_xor c"^" c"^=";
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_but_that_of_a_subscription_is_an_operator() {
        let operators: Vec<Operator> =
            (0..=ffi::NB_OPARG_LAST).filter_map(|oparg| Operator::of(oparg as usize)).collect();
        assert_eq!(operators.len(), ffi::NB_OPARG_LAST as usize);
        let (assignments, plain): (Vec<Operator>, Vec<Operator>) =
            operators.into_iter().partition(|operator| operator.is_assignment);
        for (plain, assignment) in plain.iter().zip(&assignments) {
            assert_eq!((plain.method, plain.reflected), (assignment.method, assignment.reflected));
            assert!(assignment.symbol.to_bytes().ends_with(b"="));
        }
    }

    #[test]
    fn only_an_assignment_of_its_own_keeps_the_operator_from_running() {
        let subtraction = Operator::of(ffi::NB_INPLACE_SUBTRACT as usize).expect("an operator");
        // SAFETY: the slots are nullable pointers. The function is never called.
        unsafe {
            let mut slots: ffi::PyNumberMethods = core::mem::zeroed();
            assert!(!(subtraction.assigns)(&raw mut slots));
            extern "C" fn slot(left: *mut PyObject, _right: *mut PyObject) -> *mut PyObject {
                left
            }
            slots.nb_inplace_add = Some(slot);
            assert!(!(subtraction.assigns)(&raw mut slots));
            slots.nb_inplace_subtract = Some(slot);
            assert!((subtraction.assigns)(&raw mut slots));
        }
    }
}
