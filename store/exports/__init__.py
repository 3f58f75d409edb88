"""Copies of a snapshot in formats of other tools: Parquet, lhotse manifests, WebDataset shards."""
