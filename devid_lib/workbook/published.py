"""The class probabilities that the authors released: three models, 900 segments of nine recordings (notebook 11)."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..corpora.download import fetch
from ..errors import DevidError
from ..evaluation import predictions_table
from ..files import sha256_of

DEVICES = ("aigo", "Allbar", "HYUNDAI", "JWD", "LG", "OLYMPUS", "PHILIPS", "Shinco", "SONY")  # classes 0 to 8
CORPUS = "published predictions"
ADDRESS = "https://raw.githubusercontent.com/SMartQi/identification/91b36daea9d69e73809a3bc64cdac9211981c3c3/"
LABELS = "predyy.npy"
LARGEST = 100_000  # of a file [bytes]
FILES = {  # SHA-256
    "predy1.npy": "ade22c1d6c77151ce677e3d7f4496cf4d81311f053a945f8d7a8bf815be190f7",
    "predy2.npy": "0c746dabc44d00f0884a66ce99648c7c8ab178586fa8a2901dadcec4eb684dc2",
    "predy3.npy": "afab177ada65fd9b18e800f7f913e95e611a9d9862fde849bc72f018b7f997eb",
    LABELS: "d797f164a5c5e04303e0e8ee934c737c31bf4ad485747367b69ef923b356c5fb",
}


def load_published(source, *, data_dir):
    """Return the authors' predictions as one table [2700 rows], as from `evaluation.predictions_table`.

    ``source`` is the folder that holds their files, or "download", which fetches them from the authors' public
    repository and keeps them in ``data_dir``. Files are checked by their SHA-256 and never unpickled; where one is
    missing or another one, DevidError names it. ``draw`` numbers the three models; the start samples were not published
    and are -1.
    """
    if not str(source).strip():
        raise DevidError(
            "predictions='': the authors' predictions do not ship with the workbook. Set predictions to a folder that "
            f"holds {', '.join(FILES)}, or to 'download' to fetch them from the authors' public repository"
        )
    folder = Path(data_dir) / "published_predictions" if source == "download" else Path(source)
    arrays = {}
    for name, checksum in FILES.items():
        path = folder / name
        if source == "download":
            fetch(ADDRESS + name, path, checksum=f"sha256:{checksum}", limit=LARGEST)
        if not path.is_file():
            raise DevidError(f"{path}: no such file")
        if sha256_of(path) != checksum:
            raise DevidError(f"{path}: is not the file that the authors published (SHA-256 differs)")
        arrays[name] = np.load(path, allow_pickle=False)
    truth = np.array(DEVICES)[arrays.pop(LABELS)]
    rows = pd.DataFrame({"device": truth, "recording": "3", "start": -1})
    tables = [predictions_table(p, rows.assign(draw=draw), DEVICES) for draw, p in enumerate(arrays.values())]
    return pd.concat(tables, ignore_index=True)
