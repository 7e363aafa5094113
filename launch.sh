#!/bin/sh
''':' # Both the shell and Python read this file. The shell runs the next lines, Python skips them as a string.
# ./launch.sh ARGS           starts DeepSpeed on all local devices (two processes where there is no GPU)
# deepspeed launch.sh ARGS   DeepSpeed's launcher runs this file with Python, once a process, on any number of hosts
here=$(cd "$(dirname "$0")" && pwd)
[ -x "$here/.venv/bin/deepspeed" ] && PATH="$here/.venv/bin:$PATH"
exec deepspeed "$here/launch.sh" "$@"
'''
"""Train a run file: deepspeed launch.sh --config RUN.yaml [--set a.b=c ...]"""

import sys

from t2t.commands.launch import main

if __name__ == "__main__":
    sys.exit(main())
