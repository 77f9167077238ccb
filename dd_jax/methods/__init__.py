"""dd_jax.methods."""
