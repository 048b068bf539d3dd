"""Choose what the default recipe does to a segment before the FFT: on training recordings, never on test recordings.

    python tools/choose_features.py CORPUS --train clip1 --validate clip2

For every feature: share of validation segments and recordings that a ridge reader names, and paired tests against the
raw spectrum. `training.feature_window` goes by what was found, segments named right (whole recordings in brackets):

    corpus, training / validation                raw           noise         raw, window   noise, window
    45 phones, clip 1 / 2                        97.7 (100)    93.3 (100)    98.9 (100)    89.7 (100)
    16 chains, rounds 1, 2 / 8, 13               51.4 (84)     48.0 (78)     58.2 (88)     43.2 (63)
    simulated, seed 1000, 1 min, 1 / 2           48.1 (89)     68.1 (100)    73.6 (89)     65.0 (89)

On all three the window is ahead on spectra of the segment itself, and behind on spectra of its noise.

`training.SHRINKAGE`, by which share of all variance whitening spares a component, was chosen on the first two, raw with
window, 200 and 400 segments a recording; segments named right by softmax regression after 20 epochs and MLP-1 after 8:

    share                                        0.001         0.01          0.03          0.1
    45 phones, clip 1 / 2                        99.4, 99.7    99.4, 99.5    99.2, 99.4    99.1, 99.3
    16 chains, rounds 1, 2 / 8, 13               59.3, 64.2    63.3, 67.1    64.3, 68.9    65.1, 71.0
"""

import argparse

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from devid_lib import evaluation
from devid_lib.corpus import load_corpus
from devid_lib.dataset import build_dataset
from devid_lib.training import feature_scale

FEATURES = {
    "raw": {"noise": "none"},
    "noise": {"noise": "wavelet"},
    "raw, window": {"noise": "none", "window": "hann"},
    "noise, window": {"noise": "wavelet", "window": "hann"},
}


def measured(corpus, options):
    """Return the predictions of a ridge reader of one kind of feature."""
    scale = feature_scale("default", 4096)
    dataset = build_dataset(corpus, train_segments=200, test_segments=40, scale=scale, **options)
    train, test = dataset.mask("train"), dataset.mask("test")
    reader = make_pipeline(StandardScaler(), RidgeClassifier(alpha=100.0)).fit(dataset.X[train], dataset.y[train])
    decided = np.eye(len(dataset.devices))[reader.predict(dataset.X[test])]
    return evaluation.predictions_table(decided, dataset.segments[test], dataset.devices)


def main():
    """Print the table and the tests of one corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--train", nargs="+", required=True, help="names of recordings")
    parser.add_argument("--validate", nargs="+", required=True, help="names of other training recordings")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--minutes", type=float, default=2.0, help="of a simulated recording (seed 1000)")
    args = parser.parse_args()
    corpus = load_corpus(args.corpus, data_dir=args.data_dir, seed=1000, recording_minutes=args.minutes)
    corpus = corpus[corpus["recording"].isin([*args.train, *args.validate])]
    corpus = corpus.assign(split=np.where(corpus["recording"].isin(args.train), "train", "test"))
    found = {name: measured(corpus, options) for name, options in FEATURES.items()}
    rows = {name: evaluation.accuracies(table, units=["segment", "recording"]) for name, table in found.items()}
    print(
        pd.concat(rows).droplevel(1).set_index("unit", append=True)[["value", "low", "high", "n"]].round(3).to_string()
    )
    tests = {name: evaluation.paired_difference(found[name], found["raw"]) for name in FEATURES if name != "raw"}
    print(pd.DataFrame(tests).T.assign(p=lambda table: evaluation.holm(table["p"])).round(4).to_string())


if __name__ == "__main__":
    main()
