"""dd_jax.evaluation."""
