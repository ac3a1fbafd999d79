# SPDX-License-Identifier: MIT
"""One algorithm in every form that people use, and what is refused before a kernel sees it."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from pyzram import Algorithm, InvalidValueError
from pyzram.algorithm import as_algorithm, as_algorithms

FORMS = [
    ("zstd", Algorithm("zstd")),
    ("lzo-rle", Algorithm("lzo-rle")),
    ("zstd:3", Algorithm("zstd", level=3)),
    ("zstd:-5", Algorithm("zstd", level=-5)),
    ("zstd(level=3)", Algorithm("zstd", level=3)),
    ("zstd()", Algorithm("zstd")),
    ("deflate(deflate.winbits=-12, level=9)", Algorithm("deflate", level=9, winbits=-12)),
    ("zstd(level=3,dict=/a/b)", Algorithm("zstd", level=3, dictionary="/a/b")),
]


@pytest.mark.parametrize(("text", "algorithm"), FORMS)
def test_text_and_value_mean_the_same(text: str, algorithm: Algorithm) -> None:
    assert as_algorithm(text) == as_algorithm(algorithm) == algorithm
    assert as_algorithm(str(algorithm)) == algorithm
    assert as_algorithm(algorithm.label) == algorithm
    assert as_algorithms(text) == as_algorithms([text]) == as_algorithms(algorithm) == (algorithm,)


@pytest.mark.parametrize(("text", "algorithm"), FORMS)
def test_it_is_a_value(text: str, algorithm: Algorithm) -> None:
    other = as_algorithm(text)
    assert len({other, algorithm}) == 1
    assert pickle.loads(pickle.dumps(algorithm)) == copy.deepcopy(algorithm) == algorithm
    assert Algorithm(**json.loads(json.dumps(algorithm.as_dict()))) == algorithm
    assert repr(algorithm).startswith(f"Algorithm(name='{algorithm.name}', level=")
    with pytest.raises(AttributeError, match="frozen"):
        algorithm.level = 1
    with pytest.raises(AttributeError, match="frozen"):
        del algorithm.level


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "",
            " ",
            "zstd lz4",
            "zstd\n",
            "zstd:",
            "zstd:x",
            "zstd:3.5",
            "zstd:٣",
            "zstd:99999999999",
        ),
        *(
            "zstd(level=3",
            "zstd(level=)",
            "zstd(level=3,level=4)",
            "zstd(dict=/a,dict=/b)",
            "zstd(dict=/a,b)",
            "zstd(speed=3)",
            "zstd(dict=relative)",
            "zstd)",
            "(level=3)",
        ),
        *('zstd(dict=/a"b)', None, 3, True, ["zstd"], b"zstd"),
    ],
)
def test_what_is_not_an_algorithm_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidValueError, match=r"^(algorithm|dictionary|level) "):
        as_algorithm(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [3, None, [["zstd"]], ["zstd", 3]])
def test_what_is_not_a_list_of_algorithms_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidValueError):
        as_algorithms(wrong)  # type: ignore[arg-type]


def test_a_text_is_never_a_list_of_letters() -> None:
    assert [entry.name for entry in as_algorithms("lz4")] == ["lz4"]


@pytest.mark.parametrize("path", ["/a b", "/a)", "/a=(b", "/é"])
def test_a_dictionary_s_path_goes_through_text_and_back(path: str) -> None:
    made = Algorithm("zstd", level=3, dictionary=path)
    assert Algorithm.parse(str(made)) == made


@pytest.mark.parametrize("path", ["/a,b", "/a ", "/a,level=3"])
def test_a_path_that_text_could_not_say_is_refused(path: str) -> None:
    with pytest.raises(InvalidValueError, match="does not fit into"):
        Algorithm("zstd", level=3, dictionary=path)
