"""Downhill: optimisers as compiled, what happens after every epoch, L-BFGS on equation (5) (notebooks 03 and 04)."""

import time

import numpy as np
import pandas as pd

from .models import import_keras
from .progress import progress
from .streams import BLOCK, held, parts, taken


def state(model):
    """Return the weights of a compiled model and of its optimiser, to start again from them."""
    return model.get_weights(), [variable.numpy() for variable in model.optimizer.variables]


def restore(model, start):
    """Set a model and its optimiser back: to compile anew would cost more than many an epoch."""
    weights, optimizer = start
    model.set_weights(weights)
    for variable, value in zip(model.optimizer.variables, optimizer, strict=True):
        variable.assign(value)


def judgement(model, judges):
    """Return the cost, without weight decay, and the accuracy of a model on batches (inputs, class numbers).

    Layer by layer, without a graph: for so few segments, making one (as `keras.Model.evaluate` does) takes longer.
    """
    answers = [(np.asarray(model(x, training=False)), y) for x, y in (judges[i] for i in range(len(judges)))]
    posterior, truth = map(np.concatenate, zip(*answers, strict=True))
    true = np.maximum(posterior[np.arange(len(truth)), truth], 1e-30)
    return -np.log(true).mean(), (posterior.argmax(axis=1) == truth).mean()


def callbacks(keras, settings, judges):
    """Return the callback that remembers the best weights and stops, and the one that notes the time."""

    class KeepBest(keras.callbacks.Callback):
        best, bad, epoch, weights, judged = np.inf, 0, 0, None, {}

        def on_epoch_end(self, epoch, logs=None):
            value = np.inf
            if len(judges) and (epoch + 1) % settings.validate_every == 0:
                cost, accuracy = self.judged[epoch] = judgement(self.model, judges)
                value = -accuracy if settings.select_on == "test" else cost
            elif epoch + 1 < settings.epochs:
                return
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
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    model.compile(optimizer, loss, metrics=[accuracy, cost])
    optimizer.build(model.trainable_variables)  # variables that TensorFlow met in `fit` would let it trace that twice


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
