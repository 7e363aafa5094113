"""A batch job on a Ray cluster: one task reads the input and cuts it, replicas of the model all over the cluster answer
the chunks, and each writes its chunk to the disk that all machines share.

It is the job that processes on one machine do (see batch_job): the same chunks, the same bytes. Ray Data starts a
replica that died once more and gives it what it had; what is on disk by then is not done again.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from t2t.arithmetic import in_one_order
from t2t.commands.answer import Asked, ChunkAnswerer, begin_job, end_job, input_chunks, loaded_for, refuse_doubled
from t2t.errors import DataError, InputError, RunFileError, T2TError
from t2t.serving.batch_job import Job
from t2t.serving.inputs import Reader, files_of, read_files
from t2t.serving.model import reader_of
from t2t.serving.outputs import Rejects
from t2t.tasks.data_files import find_file

_TRIES = 4  # of a chunk, since Ray starts what was killed for ever


def answer_with_ray(asked: Asked, out: Path | None, replicas: int) -> int:
    """Answer records on the cluster that RAY_ADDRESS names, or else on this machine; gives how many answers there are.

    ``replicas``: models that answer at a time, 0 for one a GPU (one where there is none). RunFileError for standard
    input or no output, InputError where Ray is not installed.
    """
    if out is None or list(asked.inputs) == ["-"]:
        found = "there is no --output" if out is None else "standard input is of one machine alone"
        raise RunFileError("--distributed ray", found, "name files on a disk that all machines have")
    data = _ray_data()
    asked, out = _absolute(asked), out.absolute()
    if asked.unique_ids:
        refuse_doubled(asked, _reader(asked), partial(read_files, asked.inputs))
    job = begin_job(asked, out, Path(os.devnull))
    job.forget_tries()
    import ray

    gpus = int(ray.cluster_resources().get("GPU", 0))
    replicas = replicas or max(1, gpus)
    cores = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    share = {"num_gpus": 1} if gpus else {"num_cpus": cores_each(cores, replicas)}
    # Reading takes no core of the account: replicas that take all would wait for it for ever.
    chunks = data.read_datasource(_input(asked, job), override_num_blocks=1, num_cpus=0)
    pool = data.ActorPoolStrategy(size=replicas)
    # With the work and not with Ray, which may have been started before.
    environment = {"env_vars": in_one_order()}
    answered = chunks.map(_Replica, fn_constructor_args=(asked, job), compute=pool, runtime_env=environment, **share)
    rejects, count = Rejects(None), 0
    with tqdm(desc="generate", unit=" records") as bar:
        try:
            for row in answered.iter_rows():
                count += 1
                bar.update(row["records"])
                for bad in pickle.loads(row["bad"]):
                    rejects(DataError(*bad))
        except ray.exceptions.RayError as error:
            raise _ours(error) from None
    return end_job(asked, job, count)


def cores_each(cores: Sequence[int], replicas: int) -> int:
    """The most that each of the replicas can have, since one is on one machine, of machines with so many ``cores``; 1
    where they are more than all cores."""
    return next((most for most in range(max(cores), 1, -1) if sum(own // most for own in cores) >= replicas), 1)


def _ray_data() -> Any:
    """Ray's data sets, with Ray started."""
    try:
        import ray
        import ray.data
    except ImportError:
        raise InputError("--distributed ray", "Ray is not installed", "pip install 't2t[ray]'") from None
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}
    os.environ.update({name: value for name, value in quiet.items() if name not in os.environ})
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if not ray.is_initialized():
        ray.init(include_dashboard=False, logging_level="error", log_to_driver=False)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # each chunk is handed on as soon as it is read
    return ray.data


def _absolute(asked: Asked) -> Asked:
    """The same from any folder of any machine."""
    adapters = {name: folder.absolute() for name, folder in (asked.adapters or {}).items()}
    found = [find_file(name, Path.cwd(), name) for name in files_of(asked.inputs)]
    names = [f"{one.path}!{one.member}" if one.member else str(one.path) for one in found]
    return replace(asked, model=asked.model.absolute(), inputs=names, adapters=adapters or None)


def _input(asked: Asked, job: Job) -> Any:
    import pyarrow
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    def read() -> Iterator[pyarrow.Table]:
        for number, records, met in input_chunks(asked, _reader(asked), partial(read_files, asked.inputs)):
            chunk = b"" if job.is_finished(number) else pickle.dumps((records, met))
            yield pyarrow.table({"number": [number], "records": [len(records)], "chunk": [chunk]})

    class Input(Datasource):  # type: ignore[misc]
        """One task, since where a record begins only who has read the ones before it knows."""

        def get_read_tasks(self, parallelism: int, *given: Any, **named: Any) -> list[ReadTask]:
            unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
            return [ReadTask(read, unknown)]

        def estimate_inmemory_data_size(self) -> int | None:
            return None

    return Input()


def _reader(asked: Asked) -> Reader:
    return reader_of(asked.model, asked.task, asked.adapters)


class _Replica:
    """A model in a process of the cluster. What it gives for a chunk: its records, and the bad ones."""

    def __init__(self, asked: Asked, job: Job) -> None:
        self._job, self._bad = job, list[DataError]()
        self._answer = ChunkAnswerer(asked, loaded_for(asked), job, self._bad.append)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        self._bad.clear()
        if row["chunk"] and not self._job.is_finished(row["number"]):
            records, met = pickle.loads(row["chunk"])
            if self._job.tries(row["number"]) > _TRIES:
                where = f"{records[0].where} to {records[-1].where}" if records else f"chunk {row['number']}"
                found = f"{_TRIES} processes that answered these records were killed, as where memory runs out"
                raise InputError(where, found, "look for a record that is too long, or set generate.tokens lower")
            self._answer((row["number"], records, met))
        return {"records": row["records"], "bad": pickle.dumps([(one.where, one.found, one.todo) for one in self._bad])}


def _ours(error: BaseException) -> BaseException:
    """What was raised in a replica, if it is something that is told in one sentence."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, T2TError | OSError):
        cause = getattr(cause, "cause", None) or cause.__cause__
    return cause or error
