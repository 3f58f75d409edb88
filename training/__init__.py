"""From a snapshot to scored experiments: anchors, models, training, statistics, reports."""
