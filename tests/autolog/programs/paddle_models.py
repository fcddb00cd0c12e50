"""Paddle: a small network."""

import mlflow
import numpy as np
import paddle


class Data(paddle.io.Dataset):  # type: ignore[misc]  # it has no types here
    def __init__(self) -> None:
        super().__init__()
        self.features = np.random.default_rng(0).random((64, 4)).astype("float32")

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        return self.features[number], self.features[number].sum(keepdims=True)

    def __len__(self) -> int:
        return len(self.features)


mlflow.paddle.autolog()

paddle.seed(0)
network = paddle.nn.Sequential(paddle.nn.Linear(4, 8), paddle.nn.ReLU(), paddle.nn.Linear(8, 1))
model = paddle.Model(
    network,
    inputs=[paddle.static.InputSpec([None, 4], "float32", "features")],
    labels=[paddle.static.InputSpec([None, 1], "float32", "target")],
)
model.prepare(paddle.optimizer.Adam(0.02, parameters=model.parameters()), paddle.nn.MSELoss())
with mlflow.start_run(run_name="network"):
    model.fit(Data(), epochs=2, batch_size=16, verbose=0, shuffle=False)
loaded = mlflow.pyfunc.load_model(mlflow.last_logged_model().model_uri)
assert loaded.predict(Data().features).shape == (64, 1)
