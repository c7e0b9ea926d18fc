"""A machine's costs, by which ``kernels.choose`` forecasts, from the limits that a run measures."""

from __future__ import annotations

from gdbench.machine.work import BEYOND, Limits
from kernels.costs import TYPICAL, Costs


def costs_of(limits: Limits | None) -> Costs:
    """Return the costs of the machine that has these limits; the usual ones where a run did not measure all of them."""
    if limits is None or not limits.blas_flops_per_second or not limits.tiles_flops_per_second:
        return TYPICAL
    return Costs(
        blas_flops_per_second=limits.blas_flops_per_second,
        tiles_flops_per_second=limits.tiles_flops_per_second,
        l2_bytes=limits.cache_bytes["L2"],
        l2_bytes_per_second=limits.update_bytes_per_second["L2"],
        beyond_bytes_per_second=limits.update_bytes_per_second[BEYOND],
        call_seconds=limits.call_seconds,
    )
