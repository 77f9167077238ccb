"""Real data: from a name, a file or a folder to sources in model space.

    load.load('digits') -> dataset.Dataset -> prepare.prepare(...) -> Prepared

In order of flow: `load` (what a name means), `embedded`, `npz`, `folder` and
`originals` with `builders` (the readers), `check` (what arrays must look like),
`split` (held-out splits), `dataset` (the result), `fitting` and `preprocess`
(pixels to model space and back), `prepare` and `source` (where batches come
from), `sampling` (which examples a step sees), `labels` (regression targets).
"""
