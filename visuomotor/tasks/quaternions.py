"""Quaternions wxyz, many at a time."""

import torch
from torch import Tensor


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """The products of quaternions `(..., 4)`: first `b`, then `a`."""
    vector = a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:] + torch.linalg.cross(a[..., 1:], b[..., 1:])
    scalar = a[..., :1] * b[..., :1] - (a[..., 1:] * b[..., 1:]).sum(-1, keepdim=True)
    return torch.cat([scalar, vector], dim=-1)


def conjugate(quat: Tensor) -> Tensor:
    """The inverse rotations of unit quaternions `(..., 4)`."""
    return torch.cat([quat[..., :1], -quat[..., 1:]], dim=-1)


def rotate(quat: Tensor, vector: Tensor) -> Tensor:
    """Vectors `(..., 3)` turned by quaternions `(..., 4)`."""
    twice = 2 * torch.linalg.cross(quat[..., 1:], vector)
    return vector + quat[..., :1] * twice + torch.linalg.cross(quat[..., 1:], twice)


def from_rotation_vector(angles: Tensor) -> Tensor:
    """Quaternions `(..., 4)` of rotation vectors `(..., 3)` rad."""
    half = angles.norm(dim=-1, keepdim=True) / 2
    return torch.cat([half.cos(), angles / 2 * torch.sinc(half / torch.pi)], -1)
