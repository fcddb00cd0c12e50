"""PyTorch Lightning: a small network, with validation, early stopping and a checkpoint."""

import lightning
import mlflow
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch.utils.data import DataLoader, TensorDataset


class Network(lightning.LightningModule):  # type: ignore[misc]  # it has no types here
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.layers(features)

    def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
        loss = torch.nn.functional.mse_loss(self(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[torch.Tensor], _: int) -> None:
        self.log("val_loss", torch.nn.functional.mse_loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.02)


mlflow.autolog()

lightning.seed_everything(0)
features = torch.rand(128, 4)
target = features.sum(dim=1, keepdim=True)
data = TensorDataset(features, target)
network = Network()
trainer = lightning.Trainer(
    max_epochs=3,
    accelerator="cpu",
    log_every_n_steps=2,
    logger=False,
    callbacks=[EarlyStopping("val_loss", patience=2)],
    enable_progress_bar=False,
    enable_model_summary=False,
)
with mlflow.start_run(run_name="network"):
    trainer.fit(network, DataLoader(data, batch_size=16), DataLoader(data, batch_size=64))
loaded = mlflow.pyfunc.load_model(mlflow.last_logged_model().model_uri)
network.eval()
np.testing.assert_allclose(loaded.predict(features.numpy()), network(features).detach().numpy(), rtol=1e-5)
