"""The processes that ``mpiexec`` started: their number, and which of them this one is."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["rank", "size"]

LAUNCHED = "PMI_SIZE", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS"        # set by MPICH and Open MPI


def communicator() -> Any:
    """MPI's communicator of all processes; None outside of ``mpiexec``, where mpi4py is not imported."""
    if not any(name in os.environ for name in LAUNCHED):
        return None
    try:
        from mpi4py import MPI                              # type: ignore
    except ImportError:
        raise ModuleNotFoundError('mpiexec started this process, but mpi4py is not installed; `pip install '
                                  '"tinyformer[distributed]"` installs it') from None
    return MPI.COMM_WORLD


def rank() -> int:
    """The number of this process among those of ``mpiexec``, from 0; 0 outside of it."""
    comm = communicator()
    return 0 if comm is None else comm.Get_rank()


def size() -> int:
    """The number of processes of ``mpiexec``; 1 outside of it."""
    comm = communicator()
    return 1 if comm is None else comm.Get_size()


def gather_rows(own: NDArray[Any], total: int) -> NDArray[Any]:
    """All rows (total, P) of a table of which process r has the rows r, r + size, … as ``own``, in their order."""
    comm = communicator()
    if comm is None or comm.Get_size() == 1:
        return own
    slots = -(-total // comm.Get_size())
    sent = np.zeros((slots, own.shape[1]), own.dtype)
    sent[:len(own)] = own
    received = np.empty((comm.Get_size(), *sent.shape), own.dtype)
    comm.Allgather(sent, received)
    return received.swapaxes(0, 1).reshape(-1, own.shape[1])[:total]
