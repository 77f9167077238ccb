"""Recipes with the papers' settings, one file for each method."""
