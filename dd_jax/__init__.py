"""dd_jax: dataset distillation in JAX."""
