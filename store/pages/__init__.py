"""Pages about a store that need no network: the catalogue of a snapshot."""
