"""Recipes, one file for a data set and a method; see any of them."""
