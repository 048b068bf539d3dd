"""Make notebooks/NN_name.ipynb from notebooks/src/NN_name.py: outputs stripped, cell ids stable.

    .venv/bin/python tools/make_notebooks.py [NAME ...]

and notebooks/solutions/NN_name.ipynb from notebooks/src/solutions/NN_name.py. The cell tagged "parameters" names the
parameters that the notebook uses; default and help are written from devid_lib.workbook.parameters.PARAMETERS.
"""

import json
import re
import sys
from pathlib import Path

import jupytext
import nbformat

from devid_lib.workbook.parameters import PARAMETERS

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
PARAMETERS_CELL = re.compile(r'(# %% tags=\["parameters"\]\n)(.*?)(?=\n# %%)', re.DOTALL)
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def parameters_cell(names):
    """Return the lines of a parameters cell: ``name: type = value  # help``."""
    lines = []
    for name in names:
        default = PARAMETERS[name].default
        lines.append(f"{name}: {type(default).__name__} = {json.dumps(default)}  # {PARAMETERS[name].help}")
    return "\n".join(lines) + "\n"


def filled(text):
    """Return a source with its parameters cell up to date."""
    return PARAMETERS_CELL.sub(lambda m: m[1] + parameters_cell(re.findall(r"^(\w+)", m[2], re.MULTILINE)), text)


def make_notebook(source):
    """Return the notebook of one source file."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {})
    nbformat.validate(notebook)
    return notebook


def sources():
    """Return {source: notebook} of all notebooks and solutions."""
    found = sorted([*(NOTEBOOKS / "src").glob("*.py"), *(NOTEBOOKS / "src" / "solutions").glob("*.py")])
    return {path: NOTEBOOKS / path.relative_to(NOTEBOOKS / "src").with_suffix(".ipynb") for path in found}


def main(names):
    """Bring the parameters cells up to date and write the notebooks named, or all."""
    for source, notebook in sources().items():
        if not names or source.stem in names:
            source.write_text(filled(source.read_text(encoding="utf-8")), encoding="utf-8")
            notebook.parent.mkdir(exist_ok=True)
            nbformat.write(make_notebook(source), notebook)
            print(notebook.relative_to(NOTEBOOKS))


if __name__ == "__main__":
    main(sys.argv[1:])
