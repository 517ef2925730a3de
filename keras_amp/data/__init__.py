"""Data sets, text to word ids, and batches."""
