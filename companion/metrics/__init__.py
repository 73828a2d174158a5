"""Images in, numbers out: how a classifier and a generator are measured."""

from companion.metrics.classification import (
    accuracy,
    confident_share,
    confusion_matrix,
    f1_scores,
    predict,
)
from companion.metrics.generation import (
    class_coverage,
    density_coverage,
    frechet_distance,
    kernel_distance,
    precision_recall,
    relative_frechet_distance,
)
from companion.metrics.groups import confusion_by_group, mean_by_group
from companion.metrics.report import (
    MIN_IMAGES,
    JudgeReport,
    judge_report,
    random_mixtures,
)

__all__ = [
    "MIN_IMAGES",
    "JudgeReport",
    "accuracy",
    "class_coverage",
    "confident_share",
    "confusion_by_group",
    "confusion_matrix",
    "density_coverage",
    "f1_scores",
    "frechet_distance",
    "judge_report",
    "kernel_distance",
    "mean_by_group",
    "precision_recall",
    "predict",
    "random_mixtures",
    "relative_frechet_distance",
]
