"""Compiled functions are made once, whoever asks for them and however they contain each other."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from lodestream.wire.compiled import Compiled


def test_a_function_is_compiled_once_for_all_threads():
    """Eight threads ask at the same moment; all get the one function."""
    made: list[str] = []
    together = Barrier(8)

    def compile_one(key):
        made.append(key)
        return lambda value: f"{key}{value}"

    compiled = Compiled(compile_one)

    def ask(number):
        together.wait(10)
        return compiled("a")(number)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == [f"a{n}" for n in range(8)]
    assert made == ["a"]


def test_a_type_that_contains_itself_calls_its_finished_self():
    """The function handed out during compilation forwards to the one that comes of it."""

    def compile_one(key):
        inner = compiled(key)
        return lambda depth: 0 if depth == 0 else 1 + inner(depth - 1)

    compiled = Compiled(compile_one)
    assert compiled("self")(5) == 5


def test_a_failed_compilation_fails_again_and_leaves_nothing_behind():
    """The second caller gets the same error, not a half-made function."""

    def compile_one(key):
        raise TypeError(key)

    compiled = Compiled(compile_one)
    for _ in range(2):
        with pytest.raises(TypeError, match="broken"):
            compiled("broken")
