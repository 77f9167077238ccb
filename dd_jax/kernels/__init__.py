"""dd_jax.kernels."""
