import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from codewren.demo import DemoPairs, make_pairs, write_pairs
from codewren.demo.functions import collect, source_files, standard_library
from codewren.demo.pairs import _thirds
from codewren_runtime.errors import DataError
from codewren_runtime.types import Example

TOKEN = r"\w+|[^\w\s]"
LIMIT = 600


@pytest.fixture(scope="module")
def pairs() -> DemoPairs:
    return make_pairs(3, LIMIT)


def best_threshold(scores: Sequence[float], labels: Sequence[int | None]) -> float:
    values, truth = np.array(scores), np.array(labels)
    hits = [float(((values >= cut) == truth).mean()) for cut in np.unique(values)]
    return max(*hits, 1.0 - min(hits))


def jaccard(example: Example) -> float:
    one, two = (set(re.findall(TOKEN, text)) for text in example.texts)
    return len(one & two) / len(one | two)


def test_parts_are_balanced_and_as_long_as_asked(pairs: DemoPairs) -> None:
    for part in (pairs.labelled, pairs.unlabelled, pairs.test):
        assert len(part) == LIMIT
        assert Counter(example.label for example in part) == {0: LIMIT // 2, 1: LIMIT // 2}


def test_every_text_is_a_function_as_unparse_writes_it(pairs: DemoPairs) -> None:
    for text in (text for example in pairs.test for text in example.texts):
        assert ast.unparse(ast.parse(text)) == text
        assert text.startswith(("def ", "async def "))


def test_the_two_sides_of_a_pair_differ(pairs: DemoPairs) -> None:
    assert all(example.text != example.text2 for example in pairs.labelled)


def test_token_overlap_does_not_solve_it(pairs: DemoPairs) -> None:
    labels = [example.label for example in pairs.test]
    assert best_threshold([jaccard(example) for example in pairs.test], labels) < 0.8


@pytest.mark.parametrize(
    "measure", [len, lambda text: text.count("\n"), lambda text: text.count("=")]
)
def test_size_does_not_tell(pairs: DemoPairs, measure) -> None:  # type: ignore[no-untyped-def]
    gaps = [abs(measure(e.text) - measure(e.text2 or "")) for e in pairs.test]
    assert best_threshold(gaps, [example.label for example in pairs.test]) < 0.7


def linear_accuracy(pairs: DemoPairs, *, sides: str) -> float:
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(token_pattern=TOKEN, ngram_range=(1, 2), min_df=2, lowercase=False)
    words.fit([text for example in pairs.labelled for text in example.texts])

    def features(part: Sequence[Example]) -> sparse.csr_matrix:
        one = words.transform([example.text for example in part])
        two = words.transform([example.text2 for example in part])
        together = [abs(one - two), one.multiply(two)] if sides == "both" else [one + two]
        return sparse.hstack(together).tocsr()

    model = LogisticRegression(max_iter=500)
    model.fit(features(pairs.labelled), [example.label for example in pairs.labelled])
    return float(model.score(features(pairs.test), [example.label for example in pairs.test]))


def test_a_linear_model_of_words_learns_something_but_not_all(pairs: DemoPairs) -> None:
    assert 0.55 < linear_accuracy(pairs, sides="both") < 0.9


def test_the_words_present_do_not_tell_without_comparing_the_sides(pairs: DemoPairs) -> None:
    assert linear_accuracy(pairs, sides="summed") < 0.65


def test_it_can_be_learnt_from_what_the_code_does(pairs: DemoPairs) -> None:
    def shared_attributes(example: Example) -> float:
        one, two = (set(re.findall(r"\.(\w+)", text)) for text in example.texts)
        return len(one & two) / max(1, len(one | two))

    labels = [example.label for example in pairs.test]
    assert best_threshold([shared_attributes(example) for example in pairs.test], labels) > 0.8


def test_the_same_seed_gives_the_same_pairs_whatever_the_hash_seed() -> None:
    script = (
        "import hashlib; from codewren.demo import make_pairs; pairs = make_pairs(5, 20);"
        "print(hashlib.sha256(repr(pairs).encode()).hexdigest())"
    )
    found = set()
    for hash_seed in ("1", "2"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        run = [sys.executable, "-W", "error", "-c", script]
        found.add(subprocess.run(run, env=environment, check=True, capture_output=True).stdout)
    assert len(found) == 1
    assert make_pairs(6, 20) != make_pairs(7, 20)


def test_parts_share_no_file_and_are_of_a_size() -> None:
    root = standard_library()
    collection = collect(root, source_files(root)[::6])
    thirds = _thirds(collection)
    files = [{function.file for function in third} for third in thirds]
    assert len(set.union(*files)) == sum(map(len, files))
    assert max(map(len, thirds)) < 1.3 * min(map(len, thirds))


def test_without_a_limit_the_whole_folder_is_used() -> None:
    made = make_pairs(1, root=standard_library() / "email")
    assert made.functions > 100
    assert min(len(made.labelled), len(made.unlabelled), len(made.test)) > made.functions // 6
    assert made.files_read == len(source_files(standard_library() / "email"))


def test_too_few_functions_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f(a):\n    b = a\n    c = b\n    return c\n")
    with pytest.raises(DataError, match=r"1 usable functions in 1 Python files") as caught:
        make_pairs(1, root=tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"0 usable functions"):
        make_pairs(1, root=tmp_path / "missing")


def test_written_files_hold_what_was_made_and_unlabelled_no_labels(tmp_path: Path) -> None:
    made = make_pairs(1, 10)
    write_pairs(made, tmp_path / "data")
    rows = {
        path.name: [json.loads(line) for line in path.read_text().splitlines()]
        for path in (tmp_path / "data").iterdir()
    }
    assert sorted(rows) == ["labelled.jsonl", "test.jsonl", "unlabelled.jsonl"]
    assert rows["test.jsonl"] == [
        {"code1": e.text, "code2": e.text2, "label": e.label} for e in made.test
    ]
    assert all(set(row) == {"code1", "code2"} for row in rows["unlabelled.jsonl"])
