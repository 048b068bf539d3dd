"""Choose constants of the cited systems: on training recordings, never on test recordings.

    python tools/choose_systems.py CORPUS --train clip1 --validate clip2

Prints what share of segments, seconds, three seconds and recordings every variant names. What was found (in percent,
three seconds / recordings), and what stands in the systems:

    corpus, training / validation           45 phones, clip 1 / 2      16 chains, rounds 1, 2 / 8, 13
    [6] 2048, near-silence up to 6 dB       65.6 / 84.4                56.2 / 56.2
    [6] 2048, 20 dB (taken)                 93.3 / 91.1                68.8 / 75.0
    [6] 2048, all windows                   93.3 / 100                 84.4 / 87.5
    [7] SRC, centred                        92.2 / 95.6                64.1 / 71.9
    [7] SRC, as it is, 128 vectors (taken)  97.0 / 100                 84.4 / 90.6
    [2] 50 frames each component            95.6 / 95.6                92.2 / 100
    [2] 100 frames (taken)                  96.7 / 100                 82.8 / 100
    [12] raw                                86.7 / 93.3                79.2 / 90.6
    [12] noise, powers subtracted (taken)   74.4 / 88.9                57.8 / 62.5
    [12] noise, magnitudes subtracted       53.3 / 62.2                45.3 / 40.6
    [12] noise, magnitudes, 0.05 put back   72.2 / 84.4                76.6 / 81.2

[6]: near-silence loses to all windows on both; 20 dB is the most that still deserves the name. [12]: what was put back
is a copy of the recording, so that its figures are those of a worse raw; the noise is behind the recording either way.
[7], [8]: 128 vectors, so that pieces of three seconds are more than these. Rows without a variant below were lines of
an earlier state of the code.
"""

import argparse

import numpy as np

from devid_lib.corpus import load_corpus
from devid_lib.systems import protocol
from devid_lib.systems.cepstra import RecordingMixture
from devid_lib.systems.residual import NoiseCentroids
from devid_lib.systems.silence import SilenceHistogram
from devid_lib.systems.sparse import RandomSpectralFeatures, SpectralSketches

VARIANTS = {
    **{f"[6] 2048, {db:g} dB": SilenceHistogram(above_db=db) for db in (3.0, 6.0, 10.0, 20.0, 100.0)},
    **{f"[7] SRC, {n} vectors": RandomSpectralFeatures(n_components=n) for n in (64, 128, 256)},
    **{f"[8] p = {p}, {n} vectors": SpectralSketches(p=p, n_components=n) for p in (1, 2) for n in (64, 128, 256)},
    **{f"[2] {n} frames each": RecordingMixture(frames_each=n) for n in (25, 50, 100)},
    **{f"[12] {source}": NoiseCentroids(source=source) for source in ("noise", "raw")},
}


def main():
    """Print the table of one corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--train", nargs="+", required=True, help="names of recordings")
    parser.add_argument("--validate", nargs="+", required=True, help="names of other training recordings")
    parser.add_argument("--data-dir", default="data")
    args = parser.parse_args()
    corpus = load_corpus(args.corpus, data_dir=args.data_dir, seed=1000)
    corpus = corpus[corpus["recording"].isin([*args.train, *args.validate])]
    corpus = corpus.assign(split=np.where(corpus["recording"].isin(args.train), "train", "test"))
    material = protocol.protocol_material(corpus, segment_length=4096, test_segments=40)
    for name, system in VARIANTS.items():
        rows, _ = protocol.judge(system, material)
        found = rows[rows["metric"] == "accuracy"].set_index("unit")["value"]
        print(f"{name:25}" + "".join(f"{unit:>12} {100 * found[unit]:5.1f}" for unit in material.tests), flush=True)


if __name__ == "__main__":
    main()
