"""Real data: from a name, a file or a folder to sources in model space.

    load.load('digits') -> dataset.Dataset -> prepare.prepare(...) -> Prepared

In order of flow: `load` (what a name means); the readers `embedded`, `npz`,
`hdf5`, `text`, `table`, `folder` and `originals` with `builders`, on `keys`
(which arrays), `images` and `coded` (PNG and JPEG); `raw` (one form for all),
by `layout` (where the channels are), `depth` (what is black and white),
`numbering` (which class a label is) and `check` (what arrays must look like);
`choice` (some of the classes), `split` (held-out splits), `dataset` (the
result), `fitting` and `preprocess` (pixels to model space and back), `prepare`
and `source` (where batches come from), `sampling` (which examples a step sees),
`labels` (regression targets).
"""
