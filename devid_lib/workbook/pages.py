"""The pages of a run: the report and a reading copy of every executed notebook, all offline and without a script."""

import functools
import html
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

from bs4 import BeautifulSoup
from bs4.element import PreformattedString
from jinja2 import Environment, StrictUndefined
from latex2mathml.converter import convert
from pygments.formatters import HtmlFormatter
from traitlets.config import Config

from ..errors import DevidError
from ..files import atomic_path, read_json
from .folder import damaged
from .launch import UNUSED
from .session import CASE, PROJECT, REPORT

sys.modules |= UNUSED
import nbformat  # noqa: E402
from nbconvert import TemplateExporter  # noqa: E402
from nbconvert.filters.highlight import Highlight2HTML  # noqa: E402
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath  # noqa: E402

INDEX = ("../index.html", "Report")  # address and name of the report, seen from a reading copy
SHOWN = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/plain"]  # no widget, no script
CONFIG = Config(
    TemplateExporter={"template_name": "basic", "exclude_input_prompt": True, "exclude_output_prompt": True},
    NbConvertBase={"display_data_priority": SHOWN},
    TagRemovePreprocessor={"enabled": True, "remove_cell_tags": {"lab-only", "papermill-error-cell-tag"},
                           "remove_all_outputs_tags": {"quiet"}},
)
UNWANTED = ("script", "iframe", "frame", "object", "embed", "link", "meta", "base", "form", "input")
FETCHING = ("src", "srcset", "href", "xlink:href", "data", "poster", "background", "action", "formaction", "ping")


def report(run):
    """Execute the notebook of the report on a run folder, complete or not; write all pages and return the report.

    Where a file of the run is not as it was written, DevidError says so. Where the notebook fails, it does when all
    pages are written, the report as far as it came.
    """
    from .execution import papermill

    run = Path(run).absolute()
    if not run.is_dir():
        raise DevidError(f"{run}: no such run folder")
    if broken := damaged(run, read_json(run / "run.json").get("files", {})):
        raise DevidError(f"{run / broken[0]}: is not as it was written; `devid run --out {run}` makes it again")
    source, made = (folder / "notebooks" / f"{REPORT}.ipynb" for folder in (PROJECT, run))
    made.parent.mkdir(exist_ok=True)
    with ThreadPoolExecutor(1) as pool:
        executed = pool.submit(papermill, source, made, run, given=("-r", "run_dir", str(run)), children=set())
        copies = reading_copies(run)  # beside it
    page = write_pages(run, *copies)
    if reason := executed.result():
        raise DevidError(f"{made}: {reason}")
    return page


def reading_copies(run):
    """Return the executed notebooks of a run but the report, {name: parsed HTML}, and why others cannot be read."""
    bodies, damaged = {}, []
    for path in sorted((run / "notebooks").glob("[0-9]*.ipynb")):
        if path.stem != REPORT:
            try:
                bodies[path.stem] = exported(path, exclude_input=False)
            except DevidError as error:
                damaged.append(str(error))
    return bodies, damaged


def write_pages(run, bodies, damaged=()):
    """Write the report of a run folder, without its code, and the reading copies that `reading_copies` returns.

    Pictures, sounds and style are inside each page; it runs no script and loads nothing. Returns the report,
    ``report/index.html``, in which ``damaged`` is told; the copies are ``report/notebooks/NN_name.html``.
    """
    index = exported(run / "notebooks" / f"{REPORT}.ipynb", exclude_input=True)
    pages = {f"{name}.ipynb": f"{name}.html" for name in bodies}
    order = [INDEX, *((f"{name}.html", title(body) or name) for name, body in bodies.items()), INDEX]
    with atomic_path(run / "report" / "notebooks") as temporary:
        temporary.mkdir()
        for number, (name, body) in enumerate(bodies.items()):
            link(body, pages | {f"{REPORT}.ipynb": INDEX[0]}, run / "report" / "notebooks")
            page = rendered(body, before=order[number], after=order[number + 2])
            (temporary / f"{name}.html").write_text(page, encoding="utf-8")
    link(index, {name: f"notebooks/{page}" for name, page in pages.items()}, run / "report")
    with atomic_path(run / "report" / "index.html") as temporary:
        temporary.write_text(rendered(index, damaged=damaged), encoding="utf-8")
    return run / "report" / "index.html"


def write_case(run):
    """Write the page of a case, ``index.html`` in its folder, the executed notebook without its code; return it."""
    body = exported(run / "notebooks" / f"{CASE}.ipynb", exclude_input=True)
    link(body, {}, run)
    with atomic_path(run / "index.html") as temporary:
        temporary.write_text(rendered(body), encoding="utf-8")
    return run / "index.html"


@functools.cache
def exporter(exclude_input):
    """Return what makes HTML of notebooks, with or without their code: nbconvert's, its templates compiled once."""
    filters = {"markdown2html": markdown_to_html, "highlight_code": as_it_is, "clean_html": lambda html: html}
    return TemplateExporter(config=CONFIG, file_extension=".html", filters=filters, exclude_input=exclude_input)


def exported(path, *, exclude_input):
    """Return an executed notebook as parsed HTML that runs nothing and fetches nothing, or raise DevidError."""
    try:
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if "injected-parameters" in cell.metadata.get("tags", ()):  # without the folders of this machine
                cell.source = re.sub(r"""(["'])[^"'\n]*[/\\]([^"'/\\\n]*)\1""", r'"\2"', cell.source)
        body = BeautifulSoup(exporter(exclude_input).from_notebook_node(notebook)[0], "html.parser")
    except Exception as error:  # whatever can be wrong in a file
        raise DevidError(f"{path.name}: cannot be read as a notebook: {error or type(error).__name__}") from error
    for tag in body(UNWANTED):
        tag.decompose()
    for tag in body(True):
        tag.attrs = {name: value for name, value in tag.attrs.items() if harmless(tag.name, name.lower(), value)}
    for table in body("table"):
        align(table)
        table.wrap(body.new_tag("div", attrs={"class": "scroll"}))
    for equation in body("math", display="block"):
        equation.wrap(body.new_tag("div", attrs={"class": "scroll"}))
    coloured = Highlight2HTML()
    for code in body("pre", class_="code"):
        code.replace_with(PreformattedString(coloured(code.text)))  # written out as it is
    for heading in body(["h2", "h3"]):
        heading["id"] = re.sub(r"\s+", "-", heading.text.strip())  # as JupyterLab makes it
    return body


def as_it_is(source, **_):
    """Return code as text on a page: `exported` colours it when it has read the page, for most tags are colours."""
    return f'<pre class="code">{html.escape(source)}</pre>'


def align(table):
    """Mark the columns that hold words: they stand to the left."""
    for cells in zip(*(row(["th", "td"]) for row in table("tr")), strict=False):
        words = [cell.text.strip() for cell in cells if cell.name == "td"]
        words = [word for word in words if word.lower() not in ("nan", "none", "inf")]
        if any(re.match(r"[^\W\d_]|\[|.*[^\W\d_]{4}", word) for word in words):
            for cell in cells:
                cell["class"] = [*cell.get("class", ()), "text"]


def harmless(tag, name, value):
    """Return whether an attribute neither runs a script nor fetches anything from outside the page."""
    if name not in FETCHING:
        return not name.startswith("on")
    if (tag, name) == ("a", "href"):
        return ":" not in value or value.startswith(("https:", "http:"))
    return value.startswith(("#", "data:image/", "data:audio/"))


def link(body, pages, folder):
    """Let links to notebooks lead to their pages; what leads nowhere, seen from the page's folder, becomes text."""
    for tag in body("a", href=True):
        name, mark, place = tag["href"].partition("#")
        if name in pages:
            tag["href"] = pages[name] + mark + place
        elif ":" not in name and name and (name.endswith(".ipynb") or not (folder / unquote(name)).exists()):
            tag.insert_after(" (not in this run)" if name.endswith(".ipynb") else "")
            tag.unwrap()


def title(body):
    """Return the text of a notebook's first heading, empty if it has none."""
    return body.h1.text if body.h1 else ""


def rendered(body, *, before=None, after=None, damaged=()):
    """Return a page: the notebook's body in our frame and style, links to its neighbours or its own contents above."""
    assets = files(__package__) / "assets"
    style = (assets / "page.css").read_text(encoding="utf-8") + HtmlFormatter().get_style_defs(".highlight")
    names = {"before": before, "after": after, "damaged": damaged, "style": style, "body": str(body)}
    names |= {"title": title(body), "contents": [(heading["id"], heading.text) for heading in body("h2")]}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((assets / "page.html").read_text(encoding="utf-8")).render(names)


def markdown_to_html(source):
    """Return Markdown as HTML, equations as MathML."""
    return MarkdownWithMath(renderer=Renderer(escape=False, exclude_anchor_links=True)).render(source)


class Renderer(IPythonRenderer):
    """Markdown as JupyterLab shows it, but equations become MathML, and HTML stays text."""

    def inline_math(self, body):
        return mathml(body, "inline")

    def block_math(self, body):
        return mathml(body, "block")

    def latex_environment(self, name, body):
        return mathml(f"\\begin{{{name}}}{body}\\end{{{name}}}", "block")

    def inline_html(self, html):
        return self.escape_html(html)

    def block_html(self, html):
        return f"<p>{self.escape_html(html)}</p>"


def mathml(latex, display):
    """Return an equation as MathML, or as it was written if it is none."""
    try:
        return convert(latex.strip().replace(r"\arg", r"\operatorname{arg}"), display=display)  # it knows no \arg
    except Exception:  # the converter has no exception class of its own
        return f"<code>{html.escape(latex)}</code>"
