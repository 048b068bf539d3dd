"""A made case from simulated recorders: a case can be seen whole without any data (notebook 20, `make case`)."""

import functools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile as sf

from ..degrade import degrade
from ..errors import DevidError
from ..files import atomic_path, check, locked, read_json, sha256_of, write_json
from ..recorders import DESIGNS, device
from ..simulate import SAMPLERATE, VERSION, recording
from ..soundfield import draw_place, draw_session

SECONDS = 12.0  # length of a recording [s]
REFERENCES = ("phone A", "phone B", "dictation A", "dictation C")  # models
OTHER = "camcorder"  # the model that is no reference
DAYS = 3  # of references and background
MAKERS = 3  # of the devices in the background: each makes all models in its own way
MADE = 7  # raise it when the code below makes other recordings


def make_case(folder, *, seed=0):
    """Make references, background and six questioned recordings, once; return the folder.

    It holds ``references`` and ``background`` with a manifest.csv each, ``questioned``, and ``truth.csv``: file, device
    (a reference of its model, else empty), what it is. References and background were recorded on three days, what is
    asked about on a fourth, all in other rooms. Asked about: two recordings of reference devices; one of another unit
    of a reference's model; one of a model that is no reference; one cut together from two references; one of a
    reference through a telephone (8 kHz, mu-law).
    """
    settings = {"version": [VERSION, MADE], "seed": seed}
    with locked(folder.with_name(f".{folder.name}.lock")):
        try:
            told = read_json(folder / "made.json")
            if told.get("settings") == settings:
                for name, digest in told["files"].items():
                    check(folder / name, digest)
                return folder
        except DevidError as error:
            print(f"Note: {error}: made again", flush=True)
        with atomic_path(folder) as temporary:
            _make(temporary, seed)
            made = [path for path in temporary.rglob("*") if path.is_file()]  # folders may have dots, too
            digests = {str(path.relative_to(temporary)): sha256_of(path) for path in made}
            write_json(temporary / "made.json", {"settings": settings, "files": digests})
    return folder


def _make(folder, seed):
    """Write all recordings, the manifests and the truth."""
    days = [draw_session(np.random.default_rng([seed, 20, day])) for day in range(DAYS + 1)]
    units = [("references", device(model, 1, seed=seed), model) for model in REFERENCES]
    for maker in range(1, MAKERS + 1):
        for model in DESIGNS:
            name = f"{model}, maker {maker}"
            units += [("background", device(model, unit, seed=1000 * maker + seed, name=f"{name}, no. {unit}"), name)
                      for unit in ((1, 2) if model == "phone A" else (1,))]  # fmt: skip
    jobs, rows = [], {"references": [], "background": []}
    for k, (role, unit, model) in enumerate(units):
        for day in range(DAYS):
            jobs.append((folder / role / unit.name / f"{day + 1}.wav", unit, days[day], [seed, 21, k, day]))
            rows[role].append([f"{unit.name}/{day + 1}.wav", unit.name, f"day {day + 1}", model])
    known, other = [device(model, 1, seed=seed) for model in REFERENCES], device(OTHER, 1, seed=seed)
    asked = {
        "1 known": (known[0], known[0].name, "a new recording of a reference device"),
        "2 known": (known[2], known[2].name, "a new recording of a reference device"),
        "3 other unit": (device(REFERENCES[1], 2, seed=seed), known[1].name, "another unit of a reference's model"),
        "4 other model": (other, "", "a model that is no reference"),
        "5 spliced": (known[0], "", f"{known[0].name}, from the middle on {known[3].name}"),
        "5 rest": (known[3], "", ""),
        "6 telephone": (known[1], known[1].name, "a reference device through a telephone, 8 kHz mu-law"),
    }
    place = functools.partial("{}/{}.wav".format, folder / "questioned")
    jobs += [(place(name), unit, days[DAYS], [seed, 22, k]) for k, (name, (unit, *_)) in enumerate(asked.items())]
    with ThreadPoolExecutor(2) as pool:
        made = dict(zip([str(job[0]) for job in jobs], pool.map(lambda job: _recorded(*job[1:]), jobs), strict=True))
    half = len(made[place("5 spliced")]) // 2
    made[place("5 spliced")][half:] = made.pop(place("5 rest"))[half:]
    for path, y in made.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        sf.write(path, y, SAMPLERATE)
    telephone, _ = sf.read(place("6 telephone"))
    sf.write(place("6 telephone"), degrade(telephone, SAMPLERATE, condition="mulaw"), SAMPLERATE)
    for role, listed in rows.items():
        table = pd.DataFrame(listed, columns=["path", "device", "session", "model"])
        table.to_csv(folder / role / "manifest.csv", index=False)
    truth = [[f"{name}.wav", *told] for name, (_, *told) in asked.items() if name != "5 rest"]
    pd.DataFrame(truth, columns=["file", "device", "what"]).to_csv(folder / "truth.csv", index=False)


def _recorded(unit, day, seed):
    rng = np.random.default_rng(seed)
    options = {"session": day, "place": draw_place(day, rng)}
    return recording(unit, n_samples=int(SECONDS * SAMPLERATE), rng=rng, **options)
