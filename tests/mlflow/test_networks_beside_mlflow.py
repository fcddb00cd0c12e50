"""Networks of PyTorch and Keras as folders, where these libraries are installed: written, read, refused."""

import logging
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import headrace
from headrace.errors import HeadraceError, InvalidArgumentError, NotFoundError
from headrace.models import infer_signature

mlflow = pytest.importorskip("mlflow")
torch = pytest.importorskip("torch")

DATA = np.random.default_rng(1).random((6, 3), dtype=np.float32)
SIGNATURE = infer_signature(DATA, np.zeros((6, 2), np.float32))


class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self, outputs: int = 2) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, outputs)
        self.drop = torch.nn.Dropout(0.9)

    def forward(self, x: Any) -> Any:
        return self.drop(self.layer(x))


class Branching(Net):
    def forward(self, x: Any) -> Any:
        return self.layer(x) if float(x.sum()) > 0 else x  # which torch.export does not follow


def answer(net: Any) -> Any:
    with torch.no_grad():
        return net(torch.from_numpy(DATA)).numpy()


def evaluated(net: Any) -> Any:
    return answer(net.eval())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # where MLflow would keep a database
    return tmp_path / "m"


@pytest.mark.parametrize("example", [DATA, torch.from_numpy(DATA), pd.DataFrame(DATA)])
def test_a_program(folder: Path, example: Any, caplog: pytest.LogCaptureFixture) -> None:
    """51: it is exported for evaluation."""
    net = Net()
    net.layer.eval()  # one part trains, the other does not: that stays
    headrace.pytorch.save_model(net, folder, input_example=example, signature=SIGNATURE)
    assert (net.training, net.layer.training, net.drop.training) == (True, False, True)
    assert "pickle" not in caplog.text
    assert sorted(path.name for path in (folder / "data").iterdir()) == ["model.pt2"]
    expected = evaluated(net)
    more = np.concatenate([DATA, DATA])  # a size that it was not exported with
    np.testing.assert_allclose(answer(headrace.pytorch.load_model(folder)), expected, rtol=1e-5)
    np.testing.assert_allclose(answer(mlflow.pytorch.load_model(str(folder))), expected, rtol=1e-5)
    for function in (headrace.pyfunc, mlflow.pyfunc):
        model = function.load_model(str(folder))
        np.testing.assert_allclose(model.predict(more), np.concatenate([expected] * 2), rtol=1e-5)
    frame = headrace.pyfunc.load_model(folder).predict(pd.DataFrame(DATA, index=list("abcdef")))
    assert list(frame.index) == list("abcdef")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_and_pickle(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    net = Net()
    with caplog.at_level(logging.WARNING, "headrace"):
        headrace.pytorch.save_model(torch.jit.trace(net.eval(), torch.from_numpy(DATA)), folder / "script")
        assert "pickle" not in caplog.text
        headrace.pytorch.save_model(net, folder / "pickle")
        assert "saved as pickle" in caplog.text
    expected = evaluated(net)
    for name in ("script", "pickle"):
        where = str(folder / name)
        for module in (headrace.pytorch, mlflow.pytorch):
            options = {} if module is headrace.pytorch else {"weights_only": False}
            np.testing.assert_allclose(answer(module.load_model(where, **options)), expected)
        for function in (headrace.pyfunc, mlflow.pyfunc):
            np.testing.assert_allclose(function.load_model(where).predict(DATA), expected)


def test_what_cannot_be_exported(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """50: it is pickled, and said so."""
    net = Branching()
    headrace.pytorch.save_model(net, folder, input_example=DATA)
    assert "cannot be exported" in caplog.text
    assert "saved as pickle" in caplog.text
    np.testing.assert_allclose(answer(headrace.pytorch.load_model(folder)), evaluated(net))
    with pytest.raises(InvalidArgumentError, match="input_example"):
        headrace.pytorch.save_model(net, folder.with_name("n"), serialization_format="pt2")
    with pytest.raises(InvalidArgumentError, match="expected one of pt2"):
        headrace.pytorch.save_model(net, folder.with_name("o"), serialization_format="onnx")
    with pytest.raises(InvalidArgumentError, match=r"expected a torch.nn.Module"):
        headrace.pytorch.save_model(net.state_dict(), folder.with_name("p"))


def test_weights(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """53: they are a format of models."""
    net = Net()
    headrace.pytorch.save_model(net, folder, serialization_format="state_dict")
    assert "pickle" not in caplog.text
    expected = evaluated(net)
    for model in (Net, lambda: Net(2), Net()):
        np.testing.assert_allclose(answer(headrace.pytorch.load_model(folder, model=model)), expected)
    theirs = mlflow.pytorch.load_state_dict(str(folder / "data"))
    assert theirs.keys() == net.state_dict().keys()
    with pytest.raises(InvalidArgumentError, match="weights only"):
        headrace.pytorch.load_model(folder)
    with pytest.raises(HeadraceError, match="size mismatch"):
        headrace.pytorch.load_model(folder, model=lambda: Net(5))


@pytest.mark.parametrize("how", ["pickle", "pt2"])
def test_headrace_reads_what_mlflow_wrote(folder: Path, how: str) -> None:
    net = Net().eval()
    mlflow.pytorch.save_model(
        net,
        str(folder),
        serialization_format=how,
        input_example=DATA,
        signature=mlflow.models.infer_signature(DATA, np.zeros((6, 2), np.float32)),
    )
    np.testing.assert_allclose(answer(headrace.pytorch.load_model(folder)), answer(net), rtol=1e-5)
    np.testing.assert_allclose(headrace.pyfunc.load_model(folder).predict(DATA), answer(net), rtol=1e-5)


class Trap:
    """What runs when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("part", ["sample_inputs/model.pt", "weights/weight_0", "constants/custom_obj_0"])
def test_a_program_that_would_run_code_is_refused(folder: Path, part: str) -> None:
    """52: it is, wherever the code hides."""
    headrace.pytorch.save_model(Net(), folder, input_example=DATA)
    path, mark = folder / "data/model.pt2", folder.parent / "ran"
    torch.save(Trap(mark), folder.parent / "trap")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(parts)).partition("/")[0]
    parts[f"{root}/data/{part}"] = (folder.parent / "trap").read_bytes()
    weights = f"{root}/data/weights/model_weights_config.json"
    parts[weights] = parts[weights].replace(b'"use_pickle": false', b'"use_pickle": true')
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(HeadraceError, match="may run code"):
        headrace.pytorch.load_model(folder)
    assert not mark.exists()


def test_a_program_that_reads_in_two_ways_is_refused(folder: Path) -> None:
    headrace.pytorch.save_model(Net(), folder, input_example=DATA)
    path = folder / "data/model.pt2"
    with zipfile.ZipFile(path, "a") as archive:
        name = archive.namelist()[0]
        content = archive.read(name)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr(name, content)  # which of the two is read is the reader's choice
    with pytest.raises(HeadraceError, match="two ways"):
        headrace.pytorch.load_model(folder)


@pytest.mark.parametrize("how", ["pt2", "state_dict", "pickle"])
def test_damaged_folders(folder: Path, how: str) -> None:
    headrace.pytorch.save_model(Net(), folder, serialization_format=how, input_example=DATA)
    [path] = [path for path in (folder / "data").iterdir() if path.suffix in (".pt2", ".pth")]
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(HeadraceError, match=r"damaged|cannot be read"):
        headrace.pytorch.load_model(folder, model=Net)
    path.unlink()
    with pytest.raises(NotFoundError, match="no whole model"):
        headrace.pytorch.load_model(folder, model=Net)
    with pytest.raises(InvalidArgumentError, match="not keras"):
        headrace.keras.load_model(folder)


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


def test_keras(folder: Path, keras: Any) -> None:
    net = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    expected = net.predict(DATA, verbose=0)
    headrace.keras.save_model(net, folder, signature=SIGNATURE, input_example=DATA)
    mlflow.keras.save_model(net, str(folder.with_name("theirs")))
    for where in (str(folder), str(folder.with_name("theirs"))):
        for loader in (headrace.keras, mlflow.keras, headrace.pyfunc, mlflow.pyfunc):
            np.testing.assert_allclose(loader.load_model(where).predict(DATA), expected, rtol=1e-5)
    frame, where = pd.DataFrame(DATA, index=list("abcdef")), str(folder.with_name("theirs"))
    pd.testing.assert_frame_equal(
        headrace.pyfunc.load_model(where).predict(frame), mlflow.pyfunc.load_model(where).predict(frame)
    )
    path = folder / "data/model.keras"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(HeadraceError, match="cannot be read"):
        headrace.keras.load_model(folder)
    path.unlink()
    with pytest.raises(NotFoundError, match="no whole model"):
        headrace.keras.load_model(folder)


def test_keras_with_code_in_it(folder: Path, keras: Any) -> None:
    """54: it is refused."""
    net = keras.Sequential([keras.Input([3]), keras.layers.Lambda(lambda x: x + 1)])
    headrace.keras.save_model(net, folder)
    with pytest.raises(HeadraceError, match=r"safe_mode|unsafe"):
        headrace.keras.load_model(folder)
    with pytest.raises(InvalidArgumentError, match=r"expected a keras.Model"):
        headrace.keras.save_model(object(), folder.with_name("o"))
