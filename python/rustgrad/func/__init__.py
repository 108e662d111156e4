"""Transforms of functions, which nest in any order: derivatives, batching, series, structure, implicit functions."""

from .._tree import register_pytree_node
from ._check import check
from ._linear import custom_linear_solve
from .batch import vmap
from .forward import jvp, linearize
from .implicit import argmin, custom_fixed_point, custom_root
from .matrices import hessian, jacfwd, jacobian, jacrev
from .modules import functional_call, functionalize, stack_module_state
from .products import ggnvp, hess_diag, hvp, laplacian, vhp
from .reverse import grad, grad_and_value, value_and_grad, vjp
from .rules import custom_jvp, custom_vjp, wrap_numpy
from .sparsity import Sparsity, hessian_sparsity, jacobian_sparsity, sparse_hessian, sparse_jacobian
from .taylor import jet, taylor

__all__ = [
    "Sparsity",
    "argmin",
    "check",
    "custom_fixed_point",
    "custom_jvp",
    "custom_linear_solve",
    "custom_root",
    "custom_vjp",
    "functional_call",
    "functionalize",
    "ggnvp",
    "grad",
    "grad_and_value",
    "hess_diag",
    "hessian",
    "hessian_sparsity",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacobian_sparsity",
    "jacrev",
    "jet",
    "jvp",
    "laplacian",
    "linearize",
    "register_pytree_node",
    "sparse_hessian",
    "sparse_jacobian",
    "stack_module_state",
    "taylor",
    "value_and_grad",
    "vhp",
    "vjp",
    "vmap",
    "wrap_numpy",
]
