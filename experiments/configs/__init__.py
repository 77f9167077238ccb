"""Recipes, one file for a data set and a method; see any of them."""

import pathlib

FOLDER = pathlib.Path(__file__).parent
"""Where they are."""
