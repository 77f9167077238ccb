"""Scores: named protocols, and the learners that they train."""
