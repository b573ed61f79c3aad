import json
import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).parents[3] / "golden"


def lgsp(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gateway", "transform", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_golden_folders_are_run(tmp_path: Path) -> None:
    good = lgsp("test", GOLDEN, "--json")
    assert good.returncode == 0, good.stderr
    assert all(verdict["ok"] for verdict in json.loads(good.stdout))
    (tmp_path / "transform.yaml").write_text("transforms: [{kind: jsonata, settings: {mapping: a}}]")
    (tmp_path / "in.json").write_text('{"a": 1}')
    (tmp_path / "out.json").write_text("2")
    bad = lgsp("test", tmp_path)
    assert (bad.returncode, "expected 2, but got 1" in bad.stdout) == (1, True)


def test_wrong_usage_is_told(tmp_path: Path) -> None:
    assert lgsp("test", tmp_path / "nowhere").returncode == 2
    assert lgsp("test", tmp_path).returncode == 2
    (tmp_path / "transform.yaml").write_text("[")
    told = lgsp("test", tmp_path)
    assert (told.returncode, "Traceback" in told.stderr) == (1, False)
    assert lgsp("try", tmp_path / "transform.yaml", "--sample", tmp_path / "nothing").returncode == 1


def test_a_mapping_is_tried_on_a_sample(tmp_path: Path) -> None:
    mapping, sample = tmp_path / "anh-xa.jsonata", tmp_path / "mau.json"
    mapping.write_text('{"ten": $name(hoTen, "upper"),\n "sinh": $date(ngay)}')
    sample.write_text('{"hoTen": "Đặng Lan", "ngay": "1/2/1999"}')
    tried = json.loads(lgsp("try", mapping, "--sample", sample, "--json").stdout)
    assert json.loads(tried["output"]) == {"ten": "ĐẶNG LAN", "sinh": "1999-02-01"}
    assert (tried["reads"], tried["fault"]) == (["hoTen", "ngay"], None)
    sample.write_text('{"hoTen": "Đặng Lan", "ngay": "hôm qua"}')
    failed = lgsp("try", mapping, "--sample", sample, "--json")
    fault = json.loads(failed.stdout)["fault"]
    assert (failed.returncode, fault["code"], fault["line"], fault["column"]) == (
        1,
        "value-unreadable",
        2,
        10,
    )
    mapping.write_text("($f := function($x) { $f($x) }; $f(1))")
    assert json.loads(lgsp("try", mapping, "--sample", sample, "--json").stdout)["fault"]["code"] == "limit"
