"""Recipes with the papers' settings."""
