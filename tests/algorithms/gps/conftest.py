import torch
from hypothesis import settings

torch.set_num_threads(1)  # the matrices are small
settings.register_profile("gps", deadline=None, max_examples=20, derandomize=True)
settings.load_profile("gps")
