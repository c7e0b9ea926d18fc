"""Chooses the batch size with which training reaches a loss soonest, on this machine.

``gdbench.pick(X, y, network="logistic")`` is the search from Python: its options are those of the command
``gdbench pick``, and ``docs/python.md`` shows it at work. The package itself is called, so that one name stands for the
function and for the folder of its modules: ``benchmarks/decisions/0023-the-package-is-called.md`` says why.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from gdbench import check_kernels

if TYPE_CHECKING:
    from gdbench.pick.picked import Pick
    from kernels import Network


class CallablePick(ModuleType):
    """The module of this package, which can be called."""

    def __call__(
        self,
        X: object,
        y: object,
        *,
        network: str | Network,
        hidden: int | str | Sequence[int] | None = None,
        activation: str | None = None,
        output_activation: str | None = None,
        loss: str | None = None,
        init: str | None = None,
        kind: str | None = None,
        standardise: bool = True,
        validation: float | None = None,
        loss_target: float | str = "auto",
        objective: str = "time",
        memory_limit: float | str | None = None,
        time_weight: float | None = None,
        current: int | None = None,
        max_batch: int | None = None,
        variant: str = "auto",
        threads: int = 1,
        dtype: str = "float64",
        tier: str = "standard",
        budget: float | str | None = None,
        seed: int = 0,
        fresh: bool = False,
        workers: int | None = None,
        scheduler: str | None = None,
        progress: bool = True,
    ) -> Pick:
        """Find the batch size, and the learning rate that goes with it, for arrays or data frames.

        Both halves of the time to a target loss are measured: the steps to it, by training many times, and the seconds
        of a step. Ctrl-C, or "interrupt the kernel" in a notebook, gives the best answer so far.

        Parameters
        ----------
        X : array or DataFrame, (n, d)
            Inputs, a row for each example; columns of text are one-hot encoded.
        y : array, Series or DataFrame, (n,) or (n, k)
            What is to be learnt: numbers, or classes, which become 0 and 1 (two classes) or one-hot (more).
        network : {"linear", "logistic", "softmax", "mlp"} or kernels.Network
            What is trained.
        hidden : int, sequence of int or str, optional
            mlp: units of each hidden layer; 128 if not given.
        activation : str, optional
            mlp: hidden activation, one of ``kernels.network.HIDDEN``; sigmoid if not given.
        output_activation, loss : str, optional
            mlp: one of the pairs that ``kernels.Network`` has; by default that which suits ``kind``.
        init : {"normal", "zeros", "glorot", "he"}, optional
            Starting parameters; zeros without hidden layers, and else normal, if not given.
        kind : {"regression", "classification"}, optional
            What ``y`` is; by default what the network needs, and where it takes either, classes if ``y`` holds text or
            True and False.
        standardise : bool
            Bring inputs, and targets of a regression, to mean 0 and variance 1 by column. The answer is for such data:
            where you train on others, pass them as you train on them, and False.
        validation : float, optional
            Share of the rows to hold out; the target is their loss then, and else that of all rows.
        loss_target : float or "auto"
            Loss to reach.
        objective : {"time", "compute", "throughput", "steps", "memory", "blend"}
            What is to be small.
        memory_limit : float or str, optional
            Objective memory: bytes that a step may need, or a text such as ``"512MB"``.
        time_weight : float, optional
            Objective blend: weight of time, 0 to 1; a half if not given.
        current : int, optional
            Your batch size, to compare with.
        max_batch : int, optional
            Largest batch size to consider; all rows if not given.
        variant : str
            Kernels that are timed: ``"auto"``, one of ``kernels.variants()``, or another library, such as
            ``"torch_autograd"``, for people who train there.
        threads : int
            Threads of the timed variant.
        dtype : {"float64", "float32"}
            Dtype of the timed variant.
        tier : {"quick", "standard", "thorough"}
            How sure the answer shall be, and how long the search may take.
        budget : float or str, optional
            Longest time to search, in seconds or as ``"30s"`` or ``"2m"``; by default that of the tier.
        seed : int
            Fixes starts, orders of rows and rows that are held out.
        fresh : bool
            Neither use nor keep finished runs of earlier searches.
        workers : int, optional
            Processes that train; one for each core if not given.
        scheduler : str, optional
            Address of the scheduler of a Dask cluster that trains instead.
        progress : bool
            Show how far the search is: below the cell of a notebook, else on standard error.

        Returns
        -------
        Pick
            With ``batch_size`` None, and the reason in its ``repr``, if there is no answer.

        Raises
        ------
        InputError
            If an option makes no sense, or the data have nothing to learn; a sentence that names the remedy.
        """
        check_kernels()

        from gdbench.pick.call import answer  # noqa: PLC0415 - whoever needs a module of ours alone waits for no other
        from gdbench.pick.in_python import errors_in_python  # noqa: PLC0415
        from gdbench.pick.request import Request  # noqa: PLC0415

        with errors_in_python():
            request = Request(
                network=network,
                hidden=hidden,
                activation=activation,
                output_activation=output_activation,
                loss=loss,
                init=init,
                kind=kind,
                standardise=standardise,
                validation=validation,
                loss_target=loss_target,
                objective=objective,
                memory_limit=memory_limit,
                time_weight=time_weight,
                current=current,
                max_batch=max_batch,
                variant=variant,
                threads=threads,
                dtype=dtype,
                tier=tier,
                budget=budget,
                seed=seed,
                fresh=fresh,
            )
            return answer(X, y, request, workers=workers, scheduler=scheduler, progress=progress)


sys.modules[__name__].__class__ = CallablePick
