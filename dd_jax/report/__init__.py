"""dd_jax.report."""
