"""The twelve systems that the paper cites, its own, and simple baselines: estimators on excerpts (notebook 10)."""
