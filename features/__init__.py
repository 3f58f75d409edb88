"""Arithmetic from samples to feature rows: no files, no corpora, no store beyond its records."""
