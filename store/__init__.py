"""Vocabulary and memory: records, arrays, snapshots and the readers of them."""
