#!/usr/bin/env bash
# What only a GPU can show, in about twelve minutes: the tests marked gpu, speed of training and of generation against
# their peers (a fresh machine takes 20 s to import what they need), the demo trained by DeepSpeed's launcher, and the
# tests of engine, model and generation with this machine's versions (on its CPU). Commit the figures to
# benchmarks/RESULTS.md with device and versions.
#
#   benchmarks/on_gpu.sh          on a machine with a GPU
#   benchmarks/on_gpu.sh --toy    the same steps at toy size, in a minute or two, also without a GPU
#
# WHEELS (default .whl): wheels of packages that the machine lacks, put in front of what it has. Gather them before by
#   pip wheel --no-deps -w .whl deepspeed==0.19.8 hjson==3.1.0 rouge-score==0.1.2
#   pip download --no-deps -d .whl jmespath==1.1.0 rapidfuzz==3.14.6 babel==2.18.0 ...
# PYTHON (default python3); OUT (default runs/on_gpu): a log a step; ONLY: a pattern of the steps to run (default all). A step
# that fails does not keep the next from running.
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
    [[ $name =~ ${ONLY:-} ]] || return 0
    timeout -k 10 "$seconds" "$@" >"$out/$name.log" 2>&1
    code=$?
    [ "$code" = 0 ] || failed=1
    echo "== $name: exit $code after $((SECONDS - began)) s"
    tail -n 12 "$out/$name.log"
}

# The launcher's own tests need the commands beside Python, where `--target` does not put them: the demo starts it anyway.
launcher=$(command -v deepspeed || echo "$site/bin/deepspeed")
demo() { # SETTINGS...: trained on all GPUs by DeepSpeed's launcher, then its outputs and scores
    set -- --config examples/atlas.yaml --set run=on_gpu "$@"
    step demo_train 260 "$python" "$launcher" launch.sh "$@"
    step demo_generate 60 "$python" -m t2t generate "$@"
    step demo_scores 30 "$python" -m t2t evaluate "$@"
}

if [ "${1:-}" = --toy ]; then
    step versions 60 "$python" benchmarks/versions.py
    step tests_gpu 200 "$python" -m pytest -q -m gpu tests/engine tests/generation
    step tests_cpu 200 env CUDA_VISIBLE_DEVICES= "$python" -m pytest -q tests/model/test_backbone.py
    step train_speed 60 "$python" benchmarks/train_speed.py --seconds 1 --rounds 1
    step generation_speed 60 "$python" benchmarks/generation_speed.py --prompts 64 --tokens 16 --rounds 1
    demo --set schedule.steps=20 --set generate.limit=4 --set "validate={by: loss, calibrate: false}" \
        --set "tasks=[{task: atlas/topic_en, limit: 500}, {task: atlas/choice_en, limit: 500}]"
else
    step versions 60 "$python" benchmarks/versions.py
    step tests_gpu 180 "$python" -m pytest -q -m gpu tests/engine tests/generation
    step train_speed_bf16 90 "$python" benchmarks/train_speed.py \
        --size base --precision bf16 --tokens 16384 --rows 128 --seconds 3 --rounds 3
    step generation_speed_bf16 90 "$python" benchmarks/generation_speed.py \
        --size base --precision bf16 --prompts 512 --tokens 48 --rows 128 --rounds 1
    demo --set schedule.minutes=1
    step train_speed_compiled 120 "$python" benchmarks/train_speed.py \
        --size base --precision bf16 --tokens 16384 --rows 128 --seconds 3 --rounds 1 --compile
    step tests_cpu 150 env CUDA_VISIBLE_DEVICES= DS_ACCELERATOR=cpu "$python" -m pytest -q -n 8 \
        --ignore tests/engine/test_launch.py --ignore tests/engine/test_lifetime.py tests/engine tests/model tests/generation
fi
exit "$failed"
