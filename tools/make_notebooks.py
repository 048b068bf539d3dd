"""Make notebooks/NN_name.ipynb from notebooks/src/NN_name.py: outputs stripped, cell ids stable.

The cell tagged "parameters" is the same in every notebook; it is written from devid_lib.notebook.PARAMETERS.
"""

import re
from pathlib import Path

import jupytext
import nbformat

from devid_lib.notebook import PARAMETERS

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
PARAMETERS_CELL = re.compile(r'(# %% tags=\["parameters"\]\n).*?(?=\n# %%)', re.DOTALL)
METADATA = {
    "jupytext": {"formats": "ipynb,src//py:percent"},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def parameters_cell():
    """Return the lines of the parameters cell: ``name: type = value  # help``."""
    lines = [f"{name}: {type(value).__name__} = {value!r}  # {text}" for name, (value, _, text) in PARAMETERS.items()]
    return "\n".join(lines).replace("'", '"') + "\n"


def make_notebook(source):
    """Return the notebook of one source file."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {})
    nbformat.validate(notebook)
    return notebook


def main():
    """Bring the parameters cells up to date and write all notebooks."""
    for source in sorted((NOTEBOOKS / "src").glob("*.py")):
        text = source.read_text(encoding="utf-8")
        source.write_text(PARAMETERS_CELL.sub(lambda m: m[1] + parameters_cell(), text), encoding="utf-8")
        nbformat.write(make_notebook(source), NOTEBOOKS / f"{source.stem}.ipynb")
        print(source.stem)


if __name__ == "__main__":
    main()
