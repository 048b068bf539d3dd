"""Write the tables of RESULTS.md and of the README, and their figures, anew from run folders.

    .venv/bin/python tools/update_readme.py [RUN [REAL_RUN]]

RUN is a complete run at the paper's size on simulated recorders; REAL_RUN, if wanted, one on real recordings. Without
them only the README's table of public recordings is made anew.
"""

import shutil
import sys
from pathlib import Path

from devid_lib import corpora
from devid_lib.errors import DevidError
from devid_lib.files import atomic_path
from devid_lib.systems.protocol import leaderboard
from devid_lib.workbook.folder import read_table

PROJECT = Path(__file__).resolve().parent.parent
FIGURES = (
    "12_across_sessions-sessions",
    "02_noise_fingerprint-device-spectra",
    "08_confusion_matrix-confusion",
    "09_tsne-last-hidden",
)


def update(run, real_run=None, *, project=PROJECT):
    """Copy the figures and ``results.csv`` of a run into ``figures`` and write the tables of RESULTS.md.

    Parameters
    ----------
    run : Path
        Run folder of a complete run.
    real_run : Path, optional
        Run folder on real recordings, for the tables of real devices; none = they stay as they are.
    project : Path
        Folder that holds ``RESULTS.md`` and ``figures``.

    Raises
    ------
    DevidError
        If the run lacks a figure, or RESULTS.md the marks between which a table stands.
    """
    names = [*(f"figures/{figure}.png" for figure in FIGURES), "results.csv"]
    for name in names:
        if not (run / name).is_file():
            raise DevidError(f"{run / name}: missing, so this run is not complete")
    (project / "figures").mkdir(exist_ok=True)
    for name in names:
        shutil.copyfile(run / name, project / "figures" / Path(name).name)
    for source, prefix in ((run, ""), (real_run, "real ")):
        if source:
            rows = read_table(source / "results.csv")
            for name, table in {"results": paper_tables, "leaderboard": leaderboard_table}.items():
                replace_block(project / "RESULTS.md", prefix + name, table(rows))


def replace_block(path, name, text):
    """Write text between ``<!-- name -->`` and ``<!-- end of name -->`` in a Markdown file."""
    before, start, rest = path.read_text(encoding="utf-8").partition(f"<!-- {name} -->")
    _, end, after = rest.partition(f"<!-- end of {name} -->")
    if not start or not end:
        raise DevidError(f"{path}: lacks the marks of {name!r}")
    with atomic_path(path) as temporary:
        temporary.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


def markdown(columns, rows):
    """Return rows of text as a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def paper_tables(rows):
    """Return tables II to V of a run: our figure, its interval, the paper's figure."""
    rows = rows[rows["table"].isin(["II", "III", "IV", "V"]) & (rows["metric"] == "accuracy")]
    columns = ["table", "system", "features", "decision by", "ours [%]", "95 % interval", "paper [%]"]
    lines = []
    for row in rows.itertuples():
        paper = "" if row.paper != row.paper else f"{100 * row.paper:.0f}"
        interval = f"{100 * row.low:.1f} - {100 * row.high:.1f}"
        lines.append([row.table, row.system, row.variant, row.unit, f"{100 * row.value:.1f}", interval, paper])
    return markdown(columns, lines)


def corpora_table():
    """Return what is known of public recordings."""
    columns = ["name", "what it is", "devices", "sessions", "rate", "size", "licence", "shows", "cannot show"]
    rows = [[corpus.name, f"{corpus.title}: {corpus.what}", str(corpus.devices), corpus.sessions, corpus.rate,
             corpora.sizes(corpus), corpus.licence, corpus.shows, corpus.cannot] for corpus in corpora.CORPORA.values()]
    return markdown(columns, rows)


def leaderboard_table(rows):
    """Return the leaderboard of a run: accuracy in percent by length of excerpt, best first, and the published one."""
    rows = rows[rows["table"] == "leaderboard"]
    board, published = leaderboard(rows), rows.dropna(subset="paper").set_index("system")["paper"]
    columns = ["system", *board.columns[:4], "published", "log-loss"]
    lines = []
    for system, line in board.iterrows():
        theirs = f"{100 * published[system]:.4g}" if system in published else ""
        accuracies = [f"{100 * value:.1f}" for value in line.iloc[:4]]
        loss = "" if line["log-loss"] != line["log-loss"] else f"{line['log-loss']:.2f}"
        lines.append([system, *accuracies, theirs, loss])
    return markdown(columns, lines)


if __name__ == "__main__":
    replace_block(PROJECT / "README.md", "public recordings", corpora_table())
    if sys.argv[1:]:
        update(*map(Path, sys.argv[1:3]))
