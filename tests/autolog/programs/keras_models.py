"""Keras: a small network, with validation and early stopping, on the backend that KERAS_BACKEND names."""

import keras
import mlflow
import numpy as np

mlflow.autolog()

keras.utils.set_random_seed(0)
features = np.random.default_rng(0).random((128, 4)).astype("float32")
target = features.sum(axis=1)
network = keras.Sequential(
    [keras.layers.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
)
network.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"])
with mlflow.start_run(run_name="network"):
    network.fit(
        features,
        target,
        epochs=4,
        batch_size=16,
        validation_split=0.25,
        callbacks=[keras.callbacks.EarlyStopping(patience=2)],
        verbose=0,
    )
loaded = mlflow.pyfunc.load_model(mlflow.last_logged_model().model_uri)
np.testing.assert_allclose(loaded.predict(features), network.predict(features, verbose=0), rtol=1e-5)
