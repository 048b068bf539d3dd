"""Run the authors' recipe in full, in turns that can be broken off, and write its learning curves to a table.

    nice python tools/published_recipe.py --checkpoints FOLDER --data-dir data

What has been reached lies in FOLDER: the same command goes on from there, and ends when every network has had its
epochs or its hours. Every network is fitted twice: to all training segments, tested every fifth epoch, as the authors
did; and without the last training session of every device, on which an honest choice of the epoch is made
(`dataset.held_out`).
``figures/published_recipe.csv``, which notebook 90 reads, holds a row for every look:

    system    a key of `models.SYSTEMS`
    judged    "test" (fitted to all training segments) or "validation" (without those that judge)
    epoch     passes over the segments that are fitted; iterations of L-BFGS for softmax
    cpu_s     seconds that all cores together have worked on this fit
    loss      cost of the training segments, without weight decay
    accuracy  share of the segments that judge
"""

import argparse
import resource
from pathlib import Path

import numpy as np
import pandas as pd

from devid_lib import convolution, models, training
from devid_lib.corpus import corpus_checksum, load_corpus
from devid_lib.dataset import build_dataset, held_out
from devid_lib.files import atomic_path

TABLE = Path(__file__).parents[1] / "figures" / "published_recipe.csv"
SYSTEMS = ("softmax", "mlp-1", "mlp-2", "mlp-3", "cnn")
JUDGED = ("test", "validation")


def main():
    """Give every fit its turns, and write the table after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=Path, required=True)
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--systems", nargs="+", default=SYSTEMS)
    parser.add_argument("--cpu-hours", type=float, default=4.0, help="at most, for the fit to all of one network")
    parser.add_argument("--minutes", type=float, default=6.5, help="of a simulated recording")
    args = parser.parse_args()
    corpus = load_corpus("simulated", data_dir=args.data_dir, recording_minutes=args.minutes)
    folder = args.checkpoints / corpus_checksum(corpus)[:12]  # another corpus begins anew
    folder.mkdir(parents=True, exist_ok=True)
    for system in args.systems:
        representation = models.SYSTEMS[system].representation
        noise = "none" if representation == "waveform" else "wavelet"
        dataset = build_dataset(corpus, representation=representation, noise=noise, data_dir=args.data_dir)
        fits = [Fit(system, judged, dataset, folder) for judged in JUDGED]
        while any([fit.turn(3600 * args.cpu_hours * len(fit.fitted) / len(fits[0].fitted)) for fit in fits]):
            write(folder)
        write(folder)


class Fit:
    """One fit of a network: its model, what it is fitted to, and its curve so far."""

    def __init__(self, system, judged, dataset, folder):
        self.dataset = dataset
        self.recipe = training.recipe_for(models.SYSTEMS[system].family, "published")
        masks = (dataset.mask("train"), dataset.mask("test", draw=0)) if judged == "test" else held_out(dataset)
        self.fitted, self.judges = (np.flatnonzero(mask) for mask in masks)
        self.fitted = np.random.default_rng(0).permutation(self.fitted)  # once, as the authors did
        models.import_keras().utils.set_random_seed(0)
        self.model = models.build(system, dataset.X.shape[1:], len(dataset.devices), seed=0)
        self.trained, self.state = convolution.quick(self.model), folder / f"{system}-{judged}.npz"
        self.curve, self.optimizer = [], []
        if self.recipe.optimizer != "lbfgs":
            training.compile_model(self.trained, self.recipe)
            self.optimizer = self.trained.optimizer.variables
        if self.state.exists():
            with np.load(self.state, allow_pickle=False) as kept:
                self.curve = pd.DataFrame({name: kept[name] for name in ("epoch", "cpu_s", "loss", "accuracy")})
                self.curve = self.curve.to_dict("records")
                for i, variable in enumerate(self.variables()):
                    variable.assign(kept[f"v{i}"])

    def variables(self):
        """Return all that a fit is: weights, states of dropout and of the optimiser."""
        return [*self.trained.variables, *self.optimizer]

    def turn(self, seconds):
        """Fit until the next look, if there are epochs and CPU seconds left; return whether it did."""
        epoch, spent = (self.curve[-1][name] if self.curve else 0 for name in ("epoch", "cpu_s"))
        softmax = self.recipe.optimizer == "lbfgs"
        if epoch >= self.recipe.epochs or spent >= seconds or (softmax and self.curve):
            return False
        X, y = self.dataset.X, self.dataset.y
        begun = cpu_seconds()
        if softmax:
            history = training.fit_lbfgs(self.model, X, y, self.fitted, iterations=self.recipe.epochs)
            loss, epochs = history["loss"].iloc[-1], len(history)
        else:
            epochs = self.recipe.validate_every
            options = {"batch_size": self.recipe.batch_size, "epochs": epochs, "shuffle": False, "verbose": 0}
            loss = self.trained.fit(X[self.fitted], y[self.fitted], **options).history["cost"][-1]
        decided = self.trained.predict(X[self.judges], batch_size=500, verbose=0).argmax(axis=1)
        row = {"epoch": epoch + epochs, "cpu_s": spent + cpu_seconds() - begun, "loss": loss}
        self.curve.append(row | {"accuracy": np.mean(decided == y[self.judges])})
        arrays = {f"v{i}": variable.numpy() for i, variable in enumerate(self.variables())}
        with atomic_path(self.state) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays, **pd.DataFrame(self.curve).to_dict("list"))
        return True


def cpu_seconds():
    """Return what this process has computed so far, all cores together [s]."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def write(folder):
    """Put the curves of all checkpoints into the table."""
    tables = []
    for system in SYSTEMS:
        for judged in JUDGED:
            if (path := folder / f"{system}-{judged}.npz").exists():
                with np.load(path, allow_pickle=False) as kept:
                    columns = {name: kept[name] for name in ("epoch", "cpu_s", "loss", "accuracy")}
                tables.append(pd.DataFrame({"system": system, "judged": judged} | columns))
    if tables:
        table = pd.concat(tables).round({"cpu_s": 1, "loss": 5, "accuracy": 5})
        with atomic_path(TABLE) as temporary:
            table.to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
