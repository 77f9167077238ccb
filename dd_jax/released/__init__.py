"""Sets that others distilled: their files, and what those cannot say."""
