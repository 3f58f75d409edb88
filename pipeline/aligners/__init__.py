"""Forced aligners behind the `Aligner` protocol: embedded HMM-GMM, MFA, imported TextGrids."""
