"""dd_jax.networks."""
