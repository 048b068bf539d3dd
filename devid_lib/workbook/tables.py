"""Tables for the eye, and what else stands on a page: figures over small print, lists, pictures."""

import base64
import re
from html import escape
from urllib.parse import quote

import pandas as pd


def joined(*rows):
    """Join rows of ``results.csv``."""
    return pd.concat([part.astype({"paper": "Float64"}) for part in rows], ignore_index=True)


def show(*rows):
    """Return rows of a session's ``score`` or ``score_probe`` for the eye: percent, interval, chance, the paper's."""
    rows = joined(*rows)
    percent = (100 * rows[["value", "low", "high", "chance", "paper"]].astype(float)).round(1)
    columns = {
        "accuracy [%]": percent["value"],
        "95 % interval": [f"{low:.1f} - {high:.1f}" for low, high in zip(percent["low"], percent["high"], strict=True)],
        "chance [%]": percent["chance"],
        "paper [%]": [f"{value:.0f}" if value == value else "" for value in percent["paper"]],
        "n": rows["n"].astype(int),
    }
    table = rows[["table", "system", "variant", "unit"]].assign(**columns)
    return table.style.format(precision=1, escape="html").hide(axis="index")


def percent(table):
    """Return a table for the eye, its fractions in percent."""
    numbers = table.select_dtypes("number").columns
    return table.style.format(escape="html").format("{:.1%}", subset=numbers).hide(axis="index")


def signed(table):
    """Return an `evaluation.compared` table for the eye: differences in percent with their signs."""
    shown = table.style.format(escape="html").format("{:+.1%}", subset=["difference", "low", "high"])
    return shown.format("{:.2g}", subset="p").format("{:.0f}", subset="n")


def differences(table, **columns):
    """Return an `evaluation.compared` table as records for a session's ``figures``.

    ``columns`` are system, variant and unit: one for all rows, or one for each.

    >>> test = pd.DataFrame({"difference": [0.1], "low": [0.0], "high": [0.2], "p": [0.2], "n": [9]})
    >>> differences(test, system="ridge", unit="segment")[0]["metric"]
    'difference of accuracies'
    """
    rows = table[["difference", "low", "high", "n"]].reset_index(drop=True).rename(columns={"difference": "value"})
    return rows.assign(metric="difference of accuracies", **columns).to_dict("records")


def told(row):
    """Return a row of `evaluation.compared` as words.

    >>> told({"difference": 0.021, "low": -0.01, "high": 0.05, "p": 0.25})
    '+2.1 points, -1.0 to +5.0, p = 0.25'
    """
    points, low, high = (f"{100 * row[name]:+.1f}" for name in ("difference", "low", "high"))
    return f"{points} points, {low} to {high}, p = {row['p']:.2g}"


def describe(history):
    """Say in a sentence how a fit went, from the history of `training.fit`."""
    kept, last, seconds = history.attrs["epoch"], history.iloc[history.attrs["epoch"] - 1], history.attrs["seconds"]
    best = last.get("val_accuracy", float("nan"))
    judged = f", {best:.1%} of them right" if pd.notna(best) else ""
    told = f"Epoch {kept} of {len(history)}"
    return {
        "validation": f"{told} cost least for left-out training recordings{judged}; "
                      "fitted anew to all for as many epochs",
        "test": f"{told} was best for the test segments{judged}, and was kept (optimistic, as the authors did)",
        "nothing": f"The cost was minimised in {len(history)} evaluations",
    }[history.attrs["select_on"]] + f"; {last['accuracy']:.1%} of the segments fitted right; {seconds:.0f} s."


def over(figure, small):
    """Return HTML of a figure over something in small print, if there is any."""
    return f"{figure}<br><small>{small}</small>" if small else figure


def bullets(*texts):
    """Return texts as a list in HTML, shown as they are, whatever they hold."""
    from IPython.display import HTML

    return HTML(f"<ul class='tex2jax_ignore'>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>")


def side_by_side(tables):
    """Return Stylers as tables beside each other in HTML, where there is room."""
    from IPython.display import HTML

    return HTML(f"<div class='pair'>{''.join(table.to_html() for table in tables)}</div>")


def gallery(paths):
    """Return PNG files of ``figures/`` with their captions in HTML, in the page itself; each leads to its SVG."""
    from IPython.display import HTML

    return HTML(f"<div class='figures'>{''.join(map(_picture, paths))}</div>")


def _picture(path):
    text = escape(path.with_suffix(".txt").read_text(encoding="utf-8").strip() or path.stem)
    png = path.read_bytes()
    width = int.from_bytes(png[16:20]) * 96 // 130  # CSS pixels; 130 dots an inch were saved
    kind, source = "wide" if width > 800 else "", f"data:image/png;base64,{base64.b64encode(png).decode()}"
    image = f"<img alt='{text}' width='{width}' src='{source}'>"
    address = f"../figures/{quote(path.with_suffix('.svg').name)}"
    return f"<figure class='{kind}'><a href='{address}'>{image}</a><figcaption>{text}</figcaption></figure>"


def without_folders(text):
    """Return a text in which paths are names of files, without the folders of this machine.

    >>> without_folders("/home/ann/phones/a.wav: too short")
    'a.wav: too short'
    """
    return re.sub(r"(?<![\w.:/\\])(?:[A-Za-z]:)?[/\\](?:[^/\\\n:'\"]+[/\\])+", "", str(text))
