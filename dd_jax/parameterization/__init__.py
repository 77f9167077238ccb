"""dd_jax.parameterization."""
