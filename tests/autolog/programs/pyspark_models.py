"""Spark MLlib: a pipeline with a search of a grid."""

import mlflow
import mlflow.pyspark.ml
import numpy as np
from pyspark.ml import Pipeline
from pyspark.ml.evaluation import RegressionEvaluator
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.regression import LinearRegression
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder
from pyspark.sql import SparkSession

spark = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.shuffle.partitions", "1")
    .getOrCreate()
)
mlflow.pyspark.ml.autolog()

random = np.random.default_rng(0)
rows = [(float(a), float(b), float(2 * a - b)) for a, b in random.random((60, 2))]
data = spark.createDataFrame(rows, ["a", "b", "label"])
regression = LinearRegression(maxIter=5)
pipeline = Pipeline(stages=[VectorAssembler(inputCols=["a", "b"], outputCol="features"), regression])
grid = ParamGridBuilder().addGrid(regression.regParam, [0.0, 0.5]).build()
search = CrossValidator(
    estimator=pipeline, estimatorParamMaps=grid, evaluator=RegressionEvaluator(), numFolds=2, seed=0
)
with mlflow.start_run(run_name="grid"):
    model = search.fit(data)
spark.stop()
