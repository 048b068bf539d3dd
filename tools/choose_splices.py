"""Judge constants of `splices` on development recordings, devices left out: never on test recordings.

    python tools/choose_splices.py CORPUS --recordings clip1 clip2 --change FACTORS=30 STATES=6

Prints, for the constants as they are and for every change by itself, the threshold that is learnt for so many alarms in
an hour, the alarms that untouched recordings raise, and F1 of montages of 3 s and more (mean over draws of montages and
its standard error). What was found, threshold / F1:

    corpus, recordings                  45 phones, clips 1, 2   16 chains, rounds 1-3, 8, 13
    as it is                            13.0 / .991 +- .005     13.1 / .833 +- .018
    FACTORS=30                          13.0 / .991             19.1 / .780
    FACTORS=60                          13.0 / .989             13.1 / .832
    STATES=6                            51.5 / .966             11.5 / .810
    COPIES=()                           29.0 / .976             12.3 / .743
    PER_HOUR=0.5                        16.5 / .991             16.9 / .806
    PER_HOUR=0.25                       19.9 / .991             20.6 / .773

No row raises an alarm. What 45 factors gain on the rounds hangs on one recording, whose score sets the threshold: with
other groups of devices nothing is gained and nothing lost. One alarm in an hour stays: fewer cost F1 on one corpus, and
silence nothing on the other.
"""

import argparse
from ast import literal_eval

import numpy as np

from devid_lib import montage, splices
from devid_lib.audio import load_recording
from devid_lib.corpus import load_references

SEEDS, EACH, GROUPS = 6, 12, 4  # draws of montages, montages of a group of devices in a draw, groups


def main():
    """Print the table of one corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--recordings", nargs="+", required=True, help="names of development recordings")
    parser.add_argument("--change", nargs="*", default=[], metavar="NAME=VALUE", help="constants of splices")
    parser.add_argument("--data-dir", default="data")
    args = parser.parse_args()
    table = load_references(args.corpus, data_dir=args.data_dir)
    table = table[table["recording"].isin(args.recordings)].reset_index(drop=True)
    rate = int(table["samplerate"].iloc[0])
    signals = [np.array(load_recording(path, samplerate=rate)[0]) for path in table["path"]]
    for change in ("", *args.change):
        name, _, value = change.partition("=")
        before = getattr(splices, name) if name else None
        if name:
            setattr(splices, name, literal_eval(value))
        threshold, alarms, f1 = judged(signals, table, rate)
        error = f1.std(ddof=1) / len(f1) ** 0.5
        told = f"threshold {threshold:6.1f}  alarms {alarms}  F1 {f1.mean():.3f} +- {error:.3f}"
        print(f"{change or 'as it is':20} {told}", flush=True)
        if name:
            setattr(splices, name, before)


def judged(signals, table, rate):
    """Return threshold, number of alarms in untouched recordings, and F1 of every draw [shape=(SEEDS,)]."""
    names = np.random.default_rng(1).permutation(sorted(set(table["device"])))
    groups = np.array_split(names, GROUPS)
    models = splices.fit_left_out(signals, table["device"], rate, groups=groups)
    alarms, counts = 0, np.zeros((SEEDS, 3))
    for number, (group, model) in enumerate(zip(groups, models, strict=True)):
        own = np.flatnonzero(table["device"].isin(group))
        alarms += sum(len(splices.change_points(signals[i], rate, model=model)) for i in own)
        theirs = [signals[i] for i in own]
        for seed in range(SEEDS):
            options = {"n": EACH, "shortest_s": 3, "seed": [seed, number]}
            for one in montage.montages(theirs, table.iloc[own], rate, **options):
                found = splices.change_points(one["y"], rate, model=model)["time_s"]
                counts[seed] += montage.matched(found, one["cuts"])
    hit, false, missed = counts.T
    return models[0].threshold, alarms, 2 * hit / (2 * hit + false + missed)


if __name__ == "__main__":
    main()
