"""What the paper prints: accuracies of its tables, and table VI."""

import pandas as pd

# Accuracies as fractions: (table, system, variant, unit). The variant is the noise extraction.
PAPER = {
    ("II", "softmax", "wavelet", "segment"): 0.87,
    ("II", "mlp-1", "wavelet", "segment"): 0.92,
    ("II", "mlp-2", "wavelet", "segment"): 0.91,
    ("II", "mlp-3", "wavelet", "segment"): 0.93,
    ("III", "softmax", "none", "segment"): 0.79,
    ("III", "mlp-3", "none", "segment"): 0.84,
    ("III", "cnn", "none", "segment"): 0.90,
    ("IV", "mlp-1", "wavelet", "segment"): 0.92,
    ("IV", "mlp-2", "wavelet", "segment"): 0.91,
    ("IV", "mlp-3", "wavelet", "segment"): 0.93,
    ("IV", "averaged-mlp-1", "wavelet", "segment"): 0.92,
    ("IV", "averaged-mlp-2", "wavelet", "segment"): 0.92,
    ("IV", "averaged-mlp-3", "wavelet", "segment"): 0.93,
    ("V", "mlp-3", "wavelet", "vote3"): 0.96,
    ("V", "mlp-3", "wavelet", "vote4"): 0.98,
    ("V", "mlp-3", "wavelet", "vote5"): 0.99,
}
# Table VI of the paper, its nine devices in its own order.
PAPER_TABLE_VI = pd.DataFrame(
    {
        "precision": [0.96, 0.83, 0.98, 0.85, 0.99, 0.98, 0.98, 0.87, 0.93, 0.93],
        "recall": [0.99, 0.95, 0.92, 0.95, 0.89, 0.82, 1.00, 0.81, 1.00, 0.93],
        "f1": [0.98, 0.89, 0.95, 0.90, 0.94, 0.89, 0.99, 0.84, 0.96, 0.93],
    },
    index=["aigo", "Allbar", "HYUNDAI", "JWD", "LG", "OLYMPUS", "PHILIPS", "Shinco", "SONY", "average"],
)
