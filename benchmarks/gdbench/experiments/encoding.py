"""Classes as the targets of a network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def one_hot(labels: npt.NDArray[np.number], classes: int) -> npt.NDArray[np.float64]:
    """Return labels (n,) from 0 to classes - 1 as (n, classes) of 0 and 1; two classes as one column (n, 1).

    scikit-learn's ``label_binarize`` gives the same, but every process that measures would import it for half a second.
    """
    return labels[:, None].astype(float) if classes == 2 else np.eye(classes)[labels.astype(int)]
