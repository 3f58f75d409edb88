"""One module for each published corpus, each behind the `Corpus` protocol."""
