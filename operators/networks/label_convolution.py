"""Convolve a one-hot label map by looking up rows instead of multiplying zeros.

A 7^3 convolution of a label map is a sum over 49 rows of seven labels, and a label map has few
distinct rows (some hundreds, where a cutout has millions of voxels). Each row's contribution is
computed once; each voxel then adds up 49 table entries. The result is the convolution's own, up to
the order of summation; the published network spends a third of its arithmetic here otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

LEGACY_SCALE = 9.0
"""Networks of one channel see label / 9 instead of a one-hot code."""

_VOXELS_AT_A_TIME = 2**15
_LEFT_PART = 3
"""A row is numbered in two parts of 3 and 4 labels, so that no large table is needed."""


class LabelConvolution:
    """The first layer of an instance network, applied to classes instead of to one-hot channels."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """Keep the layer's weights.

        Parameters
        ----------
        weight : (O, C, K, K, K) tensor
            Odd K; C = 1 means that the channel holds class / 9.
        bias : (O,) tensor
            Added everywhere.
        """
        self._weight = weight.float()
        self._bias = bias.float()

    def write(self, classes: Tensor, out: Tensor) -> None:
        """Convolve a cutout that is padded with zeros (no class at all) outside.

        Parameters
        ----------
        classes : (P, I, R) tensor of uint8
            Classes without a channel count as background (0).
        out : (P, I, R, O) tensor of any float type
            Receives the result, channels last; sums are float32.
        """
        present = torch.nonzero(torch.bincount(classes.flatten(), minlength=1)).flatten()
        symbol = torch.zeros(256, dtype=torch.int32, device=classes.device)
        symbol[present] = torch.arange(len(present), dtype=torch.int32, device=classes.device)
        symbols = symbol[classes.int()]
        columns = self._columns(present)
        reach = self._weight.shape[-1] // 2
        outside = len(present)
        padded = functional.pad(symbols, (reach,) * 6, value=outside)
        rows, digits = _numbered_rows(padded, 2 * reach + 1, outside + 1)
        table = _row_table(columns, digits)
        # Where no class but 0 is in reach, the result is one constant.
        dull = torch.nonzero(present == 0).flatten()
        uniform = (digits == (dull if len(dull) else outside)).all(dim=1)
        interesting = _dilated((~uniform).index_select(0, rows.flatten()).view(rows.shape), reach)
        constant = self._bias + columns[int(dull) if len(dull) else outside].sum(dim=(1, 2, 3))
        out[:] = constant.to(out.dtype)
        self._sum_rows(rows, table, torch.nonzero(interesting), out)

    def _columns(self, present: Tensor) -> Tensor:
        """Weights that meet each class present, (S + 1, O, K, K, K); the last is 'outside'."""
        channels = self._weight.shape[1]
        if channels == 1:
            scale = (present.float() / LEGACY_SCALE).view(-1, 1, 1, 1, 1)
            columns = self._weight[None, :, 0] * scale
        else:
            known = torch.where(present < channels, present, 0).long()
            columns = self._weight[:, known].transpose(0, 1)
        return torch.cat((columns, torch.zeros_like(self._weight[None, :, 0])))

    def _sum_rows(self, rows: Tensor, table: Tensor, places: Tensor, out: Tensor) -> None:
        """Add up each voxel's rows, a limited number of voxels at a time."""
        kernel = self._weight.shape[-1]
        count = len(table) // kernel**2
        _, width, length = rows.shape
        steps = torch.arange(kernel, device=rows.device)
        offsets = (steps[:, None] * width * length + steps[None, :] * length).flatten()
        bases = torch.arange(kernel**2, device=rows.device) * count
        flat = rows.flatten()
        for some in torch.split(places, _VOXELS_AT_A_TIME):
            p, i, r = some.unbind(dim=1)
            corner = (p * width + i) * length + r
            bags = flat[corner[:, None] + offsets] + bases
            sums = functional.embedding_bag(bags, table, mode="sum") + self._bias
            out[p, i, r] = sums.to(out.dtype)


def _numbered_rows(symbols: Tensor, length: int, base: int) -> tuple[Tensor, Tensor]:
    """Give each voxel, (P, I, R - length + 1), the number of its row; spell rows, (U, length)."""
    windows = symbols.unfold(2, length, 1)
    both, left_rows = _compacted(windows[..., :_LEFT_PART], base)
    right, right_rows = _compacted(windows[..., _LEFT_PART:], base)
    both = both.mul_(len(right_rows)).add_(right)
    found, numbers = _compact(both, len(left_rows) * len(right_rows))
    digits = torch.cat(
        (left_rows[found // len(right_rows)], right_rows[found % len(right_rows)]), dim=1
    )
    return numbers, digits


def _compacted(parts: Tensor, base: int) -> tuple[Tensor, Tensor]:
    """Give each voxel the number of its part of a row; spell the distinct parts out."""
    length = parts.shape[-1]
    code = torch.zeros(parts.shape[:-1], dtype=torch.int32, device=parts.device)
    for place in range(length):
        code.mul_(base).add_(parts[..., place])
    found, numbers = _compact(code, base**length)
    powers = base ** torch.arange(length - 1, -1, -1, device=parts.device)
    return numbers, found[:, None] // powers % base


def _compact(code: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Replace codes below ``count`` by their rank among those that occur."""
    flat = code.flatten()
    found = torch.nonzero(torch.bincount(flat)).flatten()
    rank = torch.zeros(count, dtype=torch.int32, device=code.device)
    rank[found] = torch.arange(len(found), dtype=torch.int32, device=code.device)
    return found, rank.index_select(0, flat).view(code.shape)


def _row_table(columns: Tensor, digits: Tensor) -> Tensor:
    """Contribution of each distinct row at each of the K x K places, (K * K * U, O)."""
    kernel = columns.shape[-1]
    table = torch.zeros(
        (len(digits), *columns.shape[1:4]), dtype=torch.float32, device=columns.device
    )
    for place in range(kernel):
        table += columns[..., place][digits[:, place]]
    return table.permute(2, 3, 0, 1).reshape(kernel**2 * len(digits), -1).contiguous()


def _dilated(rows_of_interest: Tensor, reach: int) -> Tensor:
    """Mark every voxel that has one of these rows within reach along the first two axes."""
    along_p = rows_of_interest.unfold(0, 2 * reach + 1, 1).any(dim=-1)
    return along_p.unfold(1, 2 * reach + 1, 1).any(dim=-1)
