"""MXNet's operators in JAX, a module for each family; `registry` finds them by MXNet's names."""
