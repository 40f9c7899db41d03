import pytest
import torch
from hypothesis import settings

from visuomotor.algorithms.gps import badmm

torch.set_num_threads(1)  # the matrices are small
settings.register_profile("gps", deadline=None, max_examples=20, derandomize=True)
settings.load_profile("gps")


@pytest.fixture
def fitted(monkeypatch):
    """Of every fit of dynamics: the tuples that the prior was fitted to, and the marginals that came out."""
    fits, fit = [], badmm.fit_stable_dynamics

    def watched(samples, controller, history, *rest):
        dynamics, marginals = fit(samples, controller, history, *rest)
        fits.append((history, marginals))
        return dynamics, marginals

    monkeypatch.setattr(badmm, "fit_stable_dynamics", watched)
    return fits
