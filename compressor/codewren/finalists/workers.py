"""Where trials run: processes of this machine, or a Dask cluster by its address."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

from codewren_runtime.errors import MissingExtraError, OptionError

__all__ = ["open_executor"]

CONNECT_SECONDS = 10


@contextmanager
def open_executor(jobs: int | None = None, dask: str | None = None) -> Iterator[Executor]:
    """An executor of `jobs` processes (default: one per core), or of the cluster at `dask`.

    Raises OptionError if the cluster does not answer, MissingExtraError without dask.
    """
    if dask is not None:
        with _cluster(dask) as executor:
            yield executor
        return
    # A fresh interpreter each: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs or os.cpu_count() or 1, mp_context=context)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise MissingExtraError("cluster", "distributed") from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise OptionError(
            f"{address}: no Dask scheduler answers there ({type(error).__name__}); "
            "start one with `dask scheduler`, or leave --dask out"
        ) from error
    with client:
        yield client.get_executor()
