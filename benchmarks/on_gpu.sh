#!/usr/bin/env bash
# What only a GPU can show, in one run of at most ten minutes: the tests of engine, model and generation, then speed of
# training and of generation against their peers. Commit the figures to benchmarks/RESULTS.md with device and versions.
#
#   benchmarks/on_gpu.sh          on a machine with a GPU
#   benchmarks/on_gpu.sh --toy    the same steps at toy size, in a minute or two, also without a GPU
#
# WHEELS (default .whl): wheels of packages that the machine lacks, put in front of what it has. Gather them before by
#   pip wheel --no-deps -w .whl deepspeed==0.19.8 hjson==3.1.0 rouge-score==0.1.2
#   pip download --no-deps -d .whl jmespath==1.1.0 rapidfuzz==3.14.6 babel==2.18.0 ...
# PYTHON (default python3); OUT (default runs/on_gpu): a log a step. A step that fails does not keep the next from running.
set -u
cd "$(dirname "$0")/.."
wheels=${WHEELS:-.whl} python=${PYTHON:-python3} out=${OUT:-runs/on_gpu}
site=$(mktemp -d)
mkdir -p "$out"
trap 'rm -rf "$site"' EXIT
if compgen -G "$wheels/*.whl" >/dev/null; then
    "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" "$wheels"/*.whl || exit 1
fi
export PYTHONPATH="$PWD:$site${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1
failed=0

step() { # NAME SECONDS COMMAND...
    local name=$1 seconds=$2 began=$SECONDS code
    shift 2
    timeout -k 10 "$seconds" "$@" >"$out/$name.log" 2>&1
    code=$?
    [ "$code" = 0 ] || failed=1
    echo "== $name: exit $code after $((SECONDS - began)) s"
    tail -n 12 "$out/$name.log"
}

if [ "${1:-}" = --toy ]; then
    step versions 60 "$python" benchmarks/versions.py
    step tests 200 "$python" -m pytest -q -x tests/model/test_backbone.py tests/generation/test_batches.py
    step train_speed 60 "$python" benchmarks/train_speed.py --seconds 1 --rounds 1
    step generation_speed 60 "$python" benchmarks/generation_speed.py --prompts 64 --tokens 16 --rounds 1
else
    step versions 60 "$python" benchmarks/versions.py
    step tests 240 "$python" -m pytest -q -n 6 tests/engine tests/model tests/generation
    for precision in bf16 fp32; do
        step "train_speed_$precision" 80 "$python" benchmarks/train_speed.py --size base --precision $precision --seconds 5 --rounds 3
        step "generation_speed_$precision" 80 "$python" benchmarks/generation_speed.py --size base --precision $precision --rounds 3
    done
fi
exit "$failed"
