"""Show how far a long loop is: a bar in JupyterLab, plain lines in a log, nothing in a program."""

import time

from tqdm.auto import tqdm

STYLE = "none"  # "bar" or "lines"; set by whoever sits in front of it, see `workbook.session`
PATIENCE_S = 30.0  # before the first line and between two: what is over sooner says nothing


def progress(items, *, label, total=None):
    """Yield the items of a loop and show how many of ``total``, without it ``len(items)``, are done: ``label``.

    >>> list(progress("ab", label="letters"))
    ['a', 'b']
    """
    total = len(items) if total is None else total
    if STYLE == "bar":
        yield from tqdm(items, desc=label, total=total, leave=False)
        return
    said = started = time.perf_counter()
    for done, item in enumerate(items, 1):
        yield item
        late = time.perf_counter() - said > PATIENCE_S or (said > started and done == total)  # a log ends whole
        if STYLE == "lines" and late:
            print(f"{label}: {done} of {total}", flush=True)
            said = time.perf_counter()
