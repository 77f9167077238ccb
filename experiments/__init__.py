"""Flag-driven binaries and the recipes that they run."""
