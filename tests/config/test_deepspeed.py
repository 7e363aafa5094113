import json
from pathlib import Path
from typing import Any

import pytest

from t2t.config.deepspeed import read_deepspeed
from t2t.config.run import RunConfig, load_run
from t2t.errors import DeepSpeedFileError

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "ds_configs").glob("*.json"))
RUN = """\
run: tiny
tasks: [a/b]
model:
  from_scratch: {d_model: 32, d_kv: 8, d_ff: 64, num_layers: 1, num_decoder_layers: 1, num_heads: 4}
optimizer: {clip: 0.25}
schedule: {steps: 20}
"""


def run_of(folder: Path, *overrides: str) -> RunConfig:
    path = folder / "run.yaml"
    path.write_text(RUN)
    return load_run(path, overrides)


def read(folder: Path, settings: Any, *overrides: str) -> dict[str, Any]:
    path = folder / "ds.json"
    path.write_text(settings if isinstance(settings, str) else json.dumps(settings, indent=1))
    return read_deepspeed(path, run_of(folder, *overrides))


def test_there_are_files_to_copy() -> None:
    names = {path.stem for path in SHIPPED}
    assert {"zero0", "zero1", "zero2", "zero3"} <= names
    assert any("offload" in name for name in names)
    assert any("bf16" in name for name in names)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_shipped_files_resolve_without_auto(tmp_path: Path, path: Path, precision: str) -> None:
    settings = read_deepspeed(path, run_of(tmp_path, f"precision={precision}"))
    assert '"auto"' not in json.dumps(settings)
    assert settings["gradient_clipping"] == 0.25
    assert settings.get("bf16", {"enabled": False})["enabled"] is (precision == "bf16")
    assert f"zero{settings['zero_optimization']['stage']}" in path.stem


def test_a_shipped_file_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_deepspeed(Path("ds_configs/zero3.json"), run_of(tmp_path))["zero_optimization"]["stage"] == 3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"zero_optimisation": {"stage": 2}}, "did you mean 'zero_optimization'?"),
        ({"zero_optimization": {"stag": 2}}, "did you mean 'stage'?"),
        ({"zero_optimization": {"stage": 4}}, "stage is 4"),
        ({"zero_optimization": {"stage": 2, "offload_optimizer": {"devise": "cpu"}}}, "did you mean 'device'?"),
        ({"zero_optimization": {"stage": 3, "mics_shard_size": 2}}, "'mics_shard_size' is rejected by DeepSpeed"),
        ({"elasticity": {"enabled": True}}, "'elasticity' is rejected by DeepSpeed"),
        ({"train_batch_size": 64}, "the run file owns"),
        ({"train_micro_batch_size_per_gpu": 4}, "the run file owns"),
        ({"gradient_accumulation_steps": 2}, "the run file owns"),
        ({"gradient_clipping": 1.0}, "the run file owns"),
        ({"optimizer": {"type": "AdamW", "params": {"lr": "auto"}}}, "the run file owns"),
        ({"scheduler": {"type": "WarmupLR"}}, "the run file owns"),
        ({"bf16": {"enabled": True}}, "the run file owns"),
        ({"fp16": {"enabled": True}}, "overflows in fp16"),
        ({"fp16": {"enabled": "auto"}}, "overflows in fp16"),
        ([1], "no mapping"),
        ('{"zero_optimization": ', "no readable JSON"),
        ({"zero_optimization": {"stage": 2, "sub_group_size": "auto"}}, 'is "auto"'),
        ({"zero_optimization": {"stage": True}}, "stage is true; write 0, 1, 2 or 3"),
        ({"zero_optimization": {"stage": 2.0}}, "stage is 2.0"),
        ({"zero_optimization": {"overlap_comm": "yes"}}, 'overlap_comm is "yes"; write true or false'),
        ({"zero_optimization": {"reduce_bucket_size": "5e8"}}, "write a whole number"),
        ({"zero_optimization": {"reduce_bucket_size": -1}}, "write a whole number"),
        ({"zero_optimization": {"offload_optimizer": True}}, "offload_optimizer is true; write a mapping"),
        ({"zero_optimization": {"offload_param": {"device": "gpu"}}}, 'write "cpu", "nvme" or "none"'),
        ({"zero_optimization": {"offload_param": {"pin_memory": "auto"}}}, "write true or false"),
        ({"communication_data_type": "auto"}, 'communication_data_type is "auto"'),
        ({"aio": {"block_size": "auto"}}, 'aio is "auto"'),
        ({"optimizer": {}}, "the run file owns"),
        ('{"aio": {}, "aio": {}}', "'aio' stands twice"),
        ('{"aio": ' + "9" * 5000 + "}", "thousands of digits"),
        ("[" * 100_000, "thousands of levels"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, settings: Any, words: str) -> None:
    with pytest.raises(DeepSpeedFileError) as caught:
        read(tmp_path, settings)
    assert words in str(caught.value)
    assert "ds.json:" in str(caught.value)


def test_the_line_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeepSpeedFileError, match=r"ds\.json:3: "):
        read(tmp_path, {"zero_optimization": {"stage": 9}})


def test_fp16_switched_off_is_fine(tmp_path: Path) -> None:
    assert read(tmp_path, {"fp16": {"enabled": False}})["zero_optimization"]["stage"] == 0
    assert "fp16" not in read(tmp_path, {"fp16": {"enabled": 0}})
    assert read(tmp_path, {"zero_optimization": {"reduce_bucket_size": 5e8}})
