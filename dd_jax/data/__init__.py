"""dd_jax.data."""
