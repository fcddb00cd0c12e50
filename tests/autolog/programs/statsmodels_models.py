"""statsmodels: least squares, and a time series."""

import mlflow
import numpy as np
import pandas as pd
import statsmodels.api as sm

mlflow.autolog()

random = np.random.default_rng(0)
features = pd.DataFrame(random.random((80, 2)), columns=["a", "b"])
target = features["a"] * 2 - features["b"] + random.normal(0, 0.1, 80)
with mlflow.start_run(run_name="least squares"):
    result = sm.OLS(target, sm.add_constant(features)).fit()
loaded = mlflow.pyfunc.load_model(mlflow.last_logged_model().model_uri)
np.testing.assert_allclose(
    loaded.predict(sm.add_constant(features)), result.predict(sm.add_constant(features))
)

sm.tsa.AutoReg(np.cumsum(random.normal(size=60)), lags=2).fit()  # a run of its own
