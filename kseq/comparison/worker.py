"""A process that runs the trainings of one combination, so that their memory is known.

It is `python -m kseq.comparison.worker FILE`, and writes a line of JSON for each training.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras

from kseq.comparison.training import run

MARK = "kseq-result "


def main(arguments: Sequence[str]) -> int:
    """Runs the trainings of a job.

    Args:
        arguments: The file that the job is pickled in: by the same user on the same machine.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    given = pickle.loads(Path(arguments[0]).read_bytes())
    for module in given["modules"]:  # that bring what the recipe names
        importlib.import_module(module)
    keras.config.set_floatx(given["floatx"])
    keras.config.set_dtype_policy(given["policy"])
    with _told() as tell:
        for result in run(given["job"], alone=True):
            tell(MARK + json.dumps(result.to_dict()))
    return 0


def _end_with_parent() -> None:
    """Standard input ends when the parent does; nobody waits for a result then."""
    os.read(0, 1)
    os._exit(1)


@contextmanager
def _told() -> Iterator[Callable[[str], None]]:
    """Standard output for the results alone: whatever else is printed goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        yield lambda line: print(line, file=out, flush=True)
    finally:
        out.close()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # threads of the backend must not keep it from ending
