"""What turns corpora on disk into committed snapshots: ingest, alignment, planning and the Dask build."""
