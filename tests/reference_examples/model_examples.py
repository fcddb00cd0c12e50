"""Examples of files, datasets and models, as in ``guide_examples.py``."""

FILES = {
    # An API reference lists signatures and argument kinds: each is called as it says.
    "Reference: artifact logging": """
import json
import tempfile
from pathlib import Path
import mlflow
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image
folder = Path(tempfile.mkdtemp())
(folder / "notes.txt").write_text("a file")
(folder / "in").mkdir()
(folder / "in" / "deeper.txt").write_text("of a folder")
pixels = np.full((20, 30, 3), 7, dtype=np.uint8)
Image.fromarray(pixels).save(folder / "picture.png")
figure = Figure()
figure.subplots().plot([1, 2, 3])
mlflow.start_run()
# ---
mlflow.log_artifact(local_path=str(folder / "notes.txt"), artifact_path=None, synchronous=None)
mlflow.log_artifact(str(folder / "notes.txt"), "docs")
mlflow.log_artifacts(local_dir=str(folder / "in"), artifact_path="all", synchronous=None)
mlflow.log_dict(dictionary={"lr": 0.1}, artifact_file="config.json")
mlflow.log_figure(figure=figure, artifact_file="figure.png", save_kwargs={"dpi": 20})
mlflow.log_image(Image.fromarray(pixels), artifact_file="pil.png")
mlflow.log_image(pixels, "array.png")
mlflow.log_image(str(folder / "picture.png"), "file.png")
mlflow.log_image(pixels, key="samples", step=3, timestamp=1700000000000, synchronous=None)
mlflow.log_table(data=pd.DataFrame({"a": [1, 2]}), artifact_file="frame.json", extra_tags={"kind": "frame"})
mlflow.log_table(np.array([[1, 2], [3, 4]]), "array.json")
mlflow.log_table([{"a": 1, "b": "x"}], "list.json")
mlflow.log_table([{"a": 2, "b": "y"}], "list.json")
mlflow.log_text(text="hello", artifact_file="texts/hello.txt")
# ---
run_id = mlflow.active_run().info.run_id
there = mlflow.artifacts.download_artifacts(f"runs:/{run_id}/")
texts = {name: (Path(there) / name).read_text() for name in ("notes.txt", "docs/notes.txt", "all/deeper.txt")}
assert texts == {"notes.txt": "a file", "docs/notes.txt": "a file", "all/deeper.txt": "of a folder"}
assert json.loads((Path(there) / "config.json").read_text()) == {"lr": 0.1}
assert Path(there, "texts", "hello.txt").read_text() == "hello"
assert Image.open(Path(there) / "figure.png").format == "PNG"
for name in ("pil.png", "array.png", "file.png"):
    assert (np.asarray(Image.open(Path(there) / name)) == pixels).all()
series = sorted(path.name for path in (Path(there) / "images").iterdir())
assert [name.startswith("samples%step%3%timestamp%1700000000000%") for name in series] == [True, True]
assert sorted(Path(name).suffix for name in series) == [".png", ".webp"]
assert mlflow.load_table("frame.json", [run_id])["a"].tolist() == [1, 2]
assert mlflow.load_table("array.json", [run_id]).values.tolist() == [[1, 2], [3, 4]]
assert mlflow.load_table("list.json", [run_id]).to_dict("records") == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
assert mlflow.get_run(run_id).data.tags["kind"] == "frame"
""",
    "Reference: signatures of artifact logging": """
import inspect
import mlflow
# ---
def log_artifact(local_path, artifact_path=None, synchronous=None): ...
def log_artifacts(local_dir, artifact_path=None, synchronous=None): ...
def log_dict(dictionary, artifact_file): ...
def log_figure(figure, artifact_file, save_kwargs=None): ...
def log_image(image, artifact_file=None, key=None, step=None, timestamp=None, synchronous=None): ...
def log_table(data, artifact_file, extra_tags=None): ...
def log_text(text, artifact_file): ...
def get_artifact_uri(artifact_path=None): ...
# ---
for told in (log_artifact, log_artifacts, log_dict, log_figure, log_image, log_table, log_text, get_artifact_uri):
    ours = inspect.signature(getattr(mlflow, told.__name__)).parameters
    for name, parameter in inspect.signature(told).parameters.items():
        assert ours[name].default == parameter.default, (told.__name__, name)
with mlflow.start_run() as run:
    assert mlflow.get_artifact_uri() == run.info.artifact_uri
    assert mlflow.get_artifact_uri(artifact_path="models/a") == run.info.artifact_uri + "/models/a"
""",
}

MODELS = {
    "MLflow: linking metrics to models and datasets": """
import json
import mlflow
import pandas as pd
train_df = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]})
epoch = 4
with mlflow.start_run() as run:
    model_info = mlflow.pyfunc.log_model(name="double", python_model=lambda values: values * 2)
    # ---
    # Create a dataset reference
    train_dataset = mlflow.data.from_pandas(train_df, name="training_data")

    # Log metric with model and dataset links
    mlflow.log_metric(
        key="f1_score",
        value=0.95,
        step=epoch,
        model_id=model_info.model_id,  # Links to specific model checkpoint
        dataset=train_dataset,  # Links to specific dataset
    )
# ---
[metric] = mlflow.get_logged_model(model_info.model_id).metrics
assert (metric.key, metric.value, metric.step, metric.run_id) == ("f1_score", 0.95, 4, run.info.run_id)
assert (metric.dataset_name, metric.dataset_digest) == ("training_data", train_dataset.digest)
done = mlflow.get_run(run.info.run_id)
assert done.data.metrics == {"f1_score": 0.95}
[used] = done.inputs.dataset_inputs
assert (used.dataset.name, used.dataset.digest) == ("training_data", train_dataset.digest)
columns = json.loads(used.dataset.schema)["mlflow_colspec"]
assert [(column["name"], column["type"]) for column in columns] == [("a", "double"), ("b", "string")]
assert json.loads(used.dataset.profile) == {"num_rows": 3, "num_elements": 6}
again = mlflow.data.from_pandas(train_df.copy(), name="training_data")
other = mlflow.data.from_pandas(train_df[:2], name="training_data")
assert again.digest == train_dataset.digest != other.digest
""",
    "MLflow: searching and ranking checkpoints": """
import mlflow
import numpy as np
with mlflow.start_run() as run:
    for epoch, accuracy in enumerate((0.5, 0.75, 0.625)):
        info = mlflow.pyfunc.log_model(
            name=f"checkpoint-epoch-{epoch}", step=epoch, python_model=lambda values, by=epoch: values + by
        )
        mlflow.log_metric("accuracy", accuracy, step=epoch, model_id=info.model_id)
with mlflow.start_run():
    better = mlflow.pyfunc.log_model(name="of another run", python_model=lambda values: values)
    mlflow.log_metric("accuracy", 1.0, model_id=better.model_id)
# ---
# Search for all models in a run, ordered by accuracy
ranked_models = mlflow.search_logged_models(
    filter_string=f"source_run_id='{run.info.run_id}'",
    order_by=[{"field_name": "metrics.accuracy", "ascending": False}],
    output_format="list",
)

# Get the best performing model
best_model = ranked_models[0]
print(f"Best model: {best_model.name}")
print(f"Accuracy: {best_model.metrics[0].value}")

# Load the best model for inference
loaded_model = mlflow.pyfunc.load_model(f"models:/{best_model.model_id}")
# ---
assert [model.name[-1] for model in ranked_models] == ["1", "2", "0"]
assert loaded_model.predict(np.array([1.0])) == [2.0]
steps = {output.model_id: output.step for output in mlflow.get_run(run.info.run_id).outputs.model_outputs}
assert steps == {model.model_id: int(model.name[-1]) for model in ranked_models}
""",
    "MLflow: URIs of models": """
import mlflow
import numpy as np
with mlflow.start_run() as run:
    model_info = mlflow.pyfunc.log_model(name="double", python_model=lambda values: values * 2)
# ---
# New MLflow 3 model URI format
model_uri = f"models:/{model_info.model_id}"
loaded_model = mlflow.pyfunc.load_model(model_uri)

# This replaces the older run-based URI format:
# model_uri = f"runs:/{run_id}/model_path"
# ---
assert loaded_model.predict(np.array([1.5])) == [3.0]
assert model_info.model_uri == model_uri
""",
    "MLflow: searching logged models": """
import mlflow
import numpy as np
for experiment_id, kind, accuracy, f1 in (
    ("1", "RandomForest", 0.97, 0.8), ("1", "RandomForest", 0.90, 0.99), ("1", "SVM", 0.99, 0.95),
    ("2", "RandomForest", 0.96, 0.9),
):
    with mlflow.start_run(experiment_id=experiment_id):
        made = mlflow.pyfunc.log_model(
            name=f"{kind}-{accuracy:.0%}".strip("%"), params={"model_type": kind},
            python_model=lambda values, by=accuracy: values * by,
        )
        mlflow.log_metric("accuracy", accuracy, model_id=made.model_id)
        mlflow.log_metric("f1_score", f1, model_id=made.model_id)
# ---
# Find high-performing models across experiments
top_models = mlflow.search_logged_models(
    experiment_ids=["1", "2"],
    filter_string="metrics.accuracy > 0.95 AND params.model_type = 'RandomForest'",
    order_by=[{"field_name": "metrics.f1_score", "ascending": False}],
    max_results=5,
)

# Get the best model for deployment
best_model = mlflow.search_logged_models(
    experiment_ids=["1"],
    filter_string="metrics.accuracy > 0.9",
    max_results=1,
    order_by=[{"field_name": "metrics.accuracy", "ascending": False}],
    output_format="list",
)[0]

# Load the best model directly
loaded_model = mlflow.pyfunc.load_model(f"models:/{best_model.model_id}")
# ---
assert top_models["name"].tolist() == ["RandomForest-96", "RandomForest-97"]
assert best_model.name == "SVM-99"
assert loaded_model.predict(np.array([100.0])) == [99.0]
""",
}

CHECKPOINTS = {
    "MLflow: logging model checkpoints": """
import numpy as np
import torch
torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
sample_input = np.random.default_rng(0).random((8, 3), dtype=np.float32)
goal = torch.from_numpy(sample_input.sum(axis=1, keepdims=True))
validation_data = (torch.from_numpy(sample_input), goal)
def train_model(model, epoch):
    optimizer.zero_grad()
    torch.nn.functional.mse_loss(model(validation_data[0]), goal).backward()
    optimizer.step()
def evaluate_model(model, data):
    with torch.no_grad():
        return 1 - float(torch.nn.functional.mse_loss(model(data[0]), data[1]))
import headrace.data
validation_dataset = headrace.data.from_numpy(sample_input, name="validation")
# ---
import mlflow
import mlflow.pytorch

with mlflow.start_run() as run:
    for epoch in range(100):
        # Train your model
        train_model(model, epoch)

        # Log model checkpoint every 10 epochs
        if epoch % 10 == 0:
            model_info = mlflow.pytorch.log_model(
                pytorch_model=model,
                name=f"checkpoint-epoch-{epoch}",
                step=epoch,
                input_example=sample_input,
            )

            # Log metrics linked to this specific model checkpoint
            accuracy = evaluate_model(model, validation_data)
            mlflow.log_metric(
                key="accuracy",
                value=accuracy,
                step=epoch,
                model_id=model_info.model_id,  # Link metric to specific model
                dataset=validation_dataset,
            )
# ---
found = mlflow.search_logged_models(
    filter_string=f"source_run_id='{run.info.run_id}'", output_format="list",
    datasets=[{"dataset_name": "validation"}], order_by=[{"field_name": "metrics.accuracy", "ascending": False}],
)
assert [one.name for one in found] == [f"checkpoint-epoch-{epoch}" for epoch in range(90, -1, -10)]
[metric] = found[0].metrics
assert (metric.step, metric.value, metric.dataset_digest) == (90, accuracy, validation_dataset.digest)
loaded = mlflow.pyfunc.load_model(f"models:/{found[0].model_id}")
assert loaded.metadata["flavors"]["pytorch"]["serialization_format"] == "pt2"
answers = torch.from_numpy(loaded.predict(sample_input))
assert abs(1 - float(torch.nn.functional.mse_loss(answers, goal)) - accuracy) < 1e-5
first = mlflow.pytorch.load_model(f"models:/{found[-1].model_id}")
assert evaluate_model(first, validation_data) < accuracy
history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "accuracy")
assert [point.step for point in history] == list(range(0, 100, 10))
""",
}
