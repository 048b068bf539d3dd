"""Say how alike the leaderboards of two corpora are: does one rank systems as the other does?

    python tools/compare_corpora.py RUN OTHER_RUN [--unit segment]

RUN and OTHER_RUN are run folders that hold notebook 10, or results.csv files. Printed are Spearman's correlation
between the accuracies of the systems that both have, its 95 % interval (percentiles of a bootstrap over systems: what
other systems might have given, not other recordings), and every system with both accuracies and ranks, those first that
the two corpora disagree on most.

Measured, 28 systems at size paper, segments, simulated (third day
asked) against 45 phones (clips 1-2, 3-5) .79 (.52 to .93); against 16 chains (rounds 1-13, 18-20) .28 (-.12 to .62).
The phones against the chains, both real: .39. A chain is a person with a device, so that cepstra, which
hold the voice, lead there; simulated voices say nothing of the device, and fine spectra lead. No constant was changed
after this.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from devid_lib.workbook.folder import read_table

DRAWS = 10_000  # of the bootstrap


def main():
    """Print the comparison of two runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--unit", default="segment", help="length of excerpts (default: %(default)s)")
    args = parser.parse_args()
    both = pd.concat([accuracies(run, args.unit) for run in (args.run, args.other)], axis=1, join="inner")
    rho, low, high = correlation(both.to_numpy())
    print(f"{len(both)} systems, {args.unit}: Spearman {rho:.2f} ({low:.2f} to {high:.2f})\n")
    ranks = both.rank(ascending=False).set_axis(["rank", "rank there"], axis=1)
    apart = (ranks["rank"] - ranks["rank there"]).abs().sort_values(ascending=False, kind="stable").index
    print((100 * both.set_axis(["here [%]", "there [%]"], axis=1)).join(ranks).loc[apart].round(1).to_string())


def accuracies(run, unit):
    """Return the accuracy of every system on the leaderboard of a run, by its name."""
    rows = read_table(run / "results.csv" if run.is_dir() else run)
    rows = rows[(rows["table"] == "leaderboard") & (rows["metric"] == "accuracy") & (rows["unit"] == unit)]
    return rows.set_index("system")["value"].astype(float)


def correlation(pairs):
    """Return Spearman's correlation of two columns, and the ends of its 95 % interval over rows.

    Draws in which all of a column are equal have no correlation, and are left out.

    >>> correlation(np.array([[0.1, 0.2], [0.2, 0.3], [0.3, 0.9], [0.4, 0.8]]))[0]
    0.8
    """
    rows = np.random.default_rng(0).integers(len(pairs), size=(DRAWS, len(pairs)))
    x, y = pd.DataFrame(pairs[rows, 0]).rank(axis=1), pd.DataFrame(pairs[rows, 1]).rank(axis=1)
    low, high = np.nanpercentile(x.corrwith(y, axis=1), (2.5, 97.5))
    return round(float(spearmanr(*pairs.T).statistic), 10), float(low), float(high)


if __name__ == "__main__":
    main()
