"""Downhill: optimisers as compiled, what happens after every epoch, L-BFGS on equation (5) (notebooks 03 and 04)."""

import time

import numpy as np
import pandas as pd

from .models import import_keras
from .progress import progress
from .streams import BLOCK, held, parts, taken


def state(model):
    """Return the weights of a compiled model and of its optimiser, to start again from them."""
    model.optimizer.build(model.trainable_variables)
    return model.get_weights(), [variable.numpy() for variable in model.optimizer.variables]


def restore(model, start):
    """Set a model and its optimiser back: to compile anew would cost more than many an epoch."""
    weights, optimizer = start
    model.set_weights(weights)
    for variable, value in zip(model.optimizer.variables, optimizer, strict=True):
        variable.assign(value)


def callbacks(keras, settings):
    """Return the callback that remembers the best weights and stops, and the one that notes the time."""

    class KeepBest(keras.callbacks.Callback):
        best, bad, epoch, weights = np.inf, 0, 0, None

        def on_epoch_end(self, epoch, logs=None):
            judged, last = "val_cost" in logs, epoch + 1 == self.params["epochs"]
            if not judged and not last:
                return
            value = -logs.get("val_accuracy", -np.inf) if settings.select_on == "test" else logs.get("val_cost", np.inf)
            if value < self.best or self.weights is None:
                self.best, self.bad, self.epoch, self.weights = value, 0, epoch + 1, self.model.get_weights()
            else:
                self.bad += 1
            self.model.stop_training = self.bad >= settings.patience

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.start, self.seconds = time.perf_counter(), []
            self.steps = iter(progress(range(settings.epochs), label=f"fitting {self.model.name}, epochs"))
            next(self.steps)

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(time.perf_counter() - self.start)
            next(self.steps, None)

    return KeepBest(), Clock()


def compile_model(model, settings):
    """Compile with the recipe's optimiser; RMSProp is Graves's centred form (2013), as in the authors' code."""
    keras = import_keras()
    loss = "sparse_categorical_crossentropy"
    if settings.optimizer == "adam":
        optimizer = keras.optimizers.Adam(settings.learning_rate)
    else:
        optimizer = keras.optimizers.RMSprop(
            settings.learning_rate, rho=0.95, momentum=0.9, epsilon=1e-4, centered=True
        )
    cost = keras.metrics.MeanMetricWrapper(keras.losses.get(loss), name="cost")  # without weight decay
    model.compile(optimizer, loss, metrics=["accuracy", cost])


def fit_lbfgs(model, X, y, rows, *, iterations):
    """Minimise equation (5) for softmax regression by L-BFGS, as in the authors' code."""
    from scipy.optimize import minimize

    layer = model.get_layer("device")
    decay, shapes = 2 * float(layer.kernel_regularizer.l2), [w.shape for w in layer.get_weights()]
    unit, split = np.eye(shapes[1][0], dtype=np.float32), int(np.prod(shapes[0]))
    few = held(X, len(rows))
    x_held = np.ascontiguousarray(X[rows]) if few else None

    def cost(theta):
        W, b = theta[:split].reshape(shapes[0]).astype(np.float32), theta[split:].astype(np.float32)
        value, gradient, right = 0.0, 0.0, 0
        for part in parts(rows, len(rows) if few else BLOCK):
            x, target = x_held if few else taken(X, part), unit[y[part]]
            logits = x @ W + b
            logits -= logits.max(axis=1, keepdims=True)
            p = np.exp(logits)
            p /= p.sum(axis=1, keepdims=True)
            error = (p - target) / len(rows)
            value = value - np.log(np.maximum((p * target).sum(axis=1), 1e-30)).sum() / len(rows)
            gradient = gradient + np.concatenate([(x.T @ error).ravel(), error.sum(axis=0)])
            right += int((p.argmax(axis=1) == y[part]).sum())
        value, gradient = value + decay / 2 * theta @ theta, gradient + decay * theta
        curve.append({"loss": float(value), "accuracy": right / len(rows)})
        return float(value), gradient.astype(np.float64)

    curve, start = [], np.concatenate([w.ravel() for w in layer.get_weights()]).astype(np.float64)
    theta = minimize(cost, start, jac=True, method="L-BFGS-B", options={"maxiter": iterations}).x.astype(np.float32)
    layer.set_weights([theta[:split].reshape(shapes[0]), theta[split:]])
    history = pd.DataFrame(curve).assign(epoch=np.arange(1, len(curve) + 1))
    history.attrs["epoch"] = len(curve)
    return history
