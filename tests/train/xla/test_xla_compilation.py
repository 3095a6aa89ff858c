"""Compiled programs are kept between runs, and a cache that is broken costs time and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def compile_fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of the harness's own."""
    monkeypatch.setenv("BYOM_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "xla"


def compiled() -> float:
    """The answer of a program that JAX has to compile, as it forgets what it has in memory."""
    import jax
    import jax.numpy as jnp

    from harness.train.xla.compilation import kept_programs

    jax.clear_caches()
    with kept_programs():
        return float(jax.jit(lambda x: jnp.sin(x) * 3 + 1).lower(0.0).compile()(0.0))


def entries(folder: Path) -> list[Path]:
    """The programs that are kept."""
    return sorted(folder.rglob("*-cache"))


def test_a_program_is_kept_and_found_again(compile_fresh: Path) -> None:
    """The first run writes it, the second reads it and writes nothing."""
    assert compiled() == 1.0
    [kept] = entries(compile_fresh)
    written = kept.stat().st_mtime_ns
    assert compiled() == 1.0
    assert [path.stat().st_mtime_ns for path in entries(compile_fresh)] == [written]


def test_a_broken_entry_is_compiled_again(compile_fresh: Path) -> None:
    """Whatever is in its place, the answer is right and nobody is bothered."""
    compiled()
    [kept] = entries(compile_fresh)
    kept.write_bytes(b"not a program")
    assert compiled() == 1.0


def test_a_cache_that_cannot_be_written_is_done_without(compile_fresh: Path) -> None:
    """A file where the folder should be: compiled all the same."""
    compile_fresh.parent.mkdir()
    compile_fresh.write_text("in the way")
    assert compiled() == 1.0
    assert compile_fresh.read_text() == "in the way"


def test_the_users_own_cache_is_left_alone(compile_fresh: Path, tmp_path: Path) -> None:
    """Whoever has told JAX where to keep programs keeps them there, and every setting is as before."""
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    before = jax.config.jax_compilation_cache_dir, jax.config.jax_persistent_cache_min_compile_time_secs
    compiled()
    assert before == (jax.config.jax_compilation_cache_dir, jax.config.jax_persistent_cache_min_compile_time_secs)
    assert len(entries(compile_fresh)) == 1
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "own"))
    compilation_cache.reset_cache()
    try:
        compiled()
        assert len(entries(compile_fresh)) == 1
    finally:
        jax.config.update("jax_compilation_cache_dir", before[0])
        compilation_cache.reset_cache()
