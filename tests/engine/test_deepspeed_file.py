import json
from pathlib import Path
from typing import Any

import pytest

from t2t.config.run import RunConfig, load_run
from t2t.engine.deepspeed_file import ZERO_REJECTED, read_deepspeed
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
        ({"zero_optimization": {"offload_param": {"device": "gpu"}}}, 'write "none", "cpu" or "nvme"'),
        ({"zero_optimization": {"offload_param": {"pin_memory": "auto"}}}, "write true or false"),
        ({"communication_data_type": "auto"}, 'communication_data_type is "auto"'),
        ({"aio": {"block_size": "auto"}}, 'aio is "auto"'),
        ({"optimizer": {}}, "the run file owns"),
        ({"zero_optimization": {"stage": 2, "cpu_offload": True}}, "unknown key 'cpu_offload'"),
        (
            {"zero_optimization": {"stage": 2, "stage3_module_granularity_threshol": 1}},
            "did you mean 'stage3_module_granularity_threshold'?",
        ),
        (
            {"zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu", "cpuadam_cores_perc": 2}}},
            "write a number from 0 to 1",
        ),
        (
            {"zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu", "ratio": 0.5}}},
            "Partial offloading only supported for ZeRO Stage 3",
        ),
        ({"zero_optimization": {"stage": 0, "compute_grad_norm": False}}, "supported only with ZeRO Stage 1 or 2"),
        ({"zero_optimization": {"reduce_bucket_size": 1e400}}, "write a whole number"),
        ({"zero_optimization": {"leaf_module": {"classes": "T5Block"}}}, "write a list"),
        ({"flops_profiler": {"enabled": True, "output_file": "/tmp/x"}}, "output_file is set in flops_profiler"),
        ({"csv_monitor": {"enabled": True, "output_path": "/tmp/x"}}, "output_path is set in csv_monitor"),
        ({"tensorboard": {"enabled": True, "job_name": "/tmp/x"}}, "job_name is set in tensorboard"),
        ({"flops_profiler": {"enabled": "yes"}}, 'enabled is "yes"; write true or false'),
        ({"aio": {"block_size": [1]}}, "write a whole number"),
        ({"aio": {"block_sise": 1}}, "did you mean 'block_size'?"),
        ({"comms_logger": True}, "comms_logger is true; write a mapping"),
        ({"checkpoint": {"tag_validation": "Sometimes"}}, 'write "Ignore", "Warn" or "Fail"'),
        ({"data_types": {"grad_accum_dtype": "fp8"}}, 'write "fp32", "bf16" or "fp16"'),
        ({"steps_per_print": None}, "write a whole number"),
        (" " * 1_100_000, "more than a million bytes"),
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


def test_every_setting_of_deepspeeds_own_classes_is_known(tmp_path: Path) -> None:
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig
    from deepspeed.runtime.zero.offload_config import DeepSpeedZeroOffloadOptimizerConfig

    def defaults(model: Any, *left_out: str) -> dict[str, Any]:
        values = json.loads(model().model_dump_json(by_alias=True))
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        old = {key for key, field in fields.items() if (field.json_schema_extra or {}).get("deprecated")}
        return {key: value for key, value in values.items() if key not in {*old, *ZERO_REJECTED, *left_out}}

    offload = defaults(DeepSpeedZeroOffloadOptimizerConfig)
    zero = {**defaults(DeepSpeedZeroConfig), "stage": 3, "offload_optimizer": {**offload, "device": "cpu"}}
    assert len(zero) > 30
    assert read(tmp_path, {"zero_optimization": zero})["zero_optimization"] == zero


def test_what_a_monitor_writes_stands_in_the_run_s_folder(tmp_path: Path) -> None:
    found = read(tmp_path, {"csv_monitor": {"enabled": True}})
    assert found["csv_monitor"] == {"enabled": True, "output_path": "runs/tiny/csv_monitor"}


def test_the_line_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeepSpeedFileError, match=r"ds\.json:3: "):
        read(tmp_path, {"zero_optimization": {"stage": 9}})


def test_fp16_switched_off_is_fine(tmp_path: Path) -> None:
    assert read(tmp_path, {"fp16": {"enabled": False}})["zero_optimization"]["stage"] == 0
    assert "fp16" not in read(tmp_path, {"fp16": {"enabled": 0}})
    assert read(tmp_path, {"zero_optimization": {"reduce_bucket_size": 5e8}})
