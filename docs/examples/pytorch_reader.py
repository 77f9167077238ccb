"""A distilled set in PyTorch; neither JAX nor dd_jax is needed."""

import json

import numpy as np
import torch

file = np.load('distilled.npz', allow_pickle=False)
centred = json.loads(str(file['metadata']))['label_encoding'] == 'centred'
image = torch.from_numpy(file['image']).permute(0, 3, 1, 2)  # [n, c, h, w]
target = torch.from_numpy(file['label'])  # [n, k], as they were learned
loss_of = torch.nn.MSELoss() if centred else torch.nn.CrossEntropyLoss()
mean, std = (
  torch.from_numpy(file[f'preprocess_{name}']).reshape(-1, 1, 1)
  for name in ('mean', 'std')
)


def to_model_space(pixels: torch.Tensor) -> torch.Tensor:
  """Real images of 0 to 1, `[m, c, h, w]`; sets under ZCA need that too."""
  return (pixels - mean) / std
