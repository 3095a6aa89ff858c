"""The CI recipes in ``docs/ci``: valid, safe, and in step with the options and markers that the plugin has."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
import sysconfig
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harness.plugin.plugin import MARKERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

DOCS = Path(__file__).resolve().parents[1] / "docs"
GITHUB, GITLAB = DOCS / "ci" / "github-actions.yml", DOCS / "ci" / "gitlab-ci.yml"

ZIZMOR = Path(sysconfig.get_path("scripts")) / "zizmor"

needs_check_jsonschema = pytest.mark.skipif(
    importlib.util.find_spec("check_jsonschema") is None, reason="check-jsonschema is not installed: make venv"
)
needs_zizmor = pytest.mark.skipif(not ZIZMOR.exists(), reason="zizmor is not installed: make venv")

SCHEMAS = {GITHUB: "vendor.github-workflows", GITLAB: "vendor.gitlab-ci"}

MERGE_EVENTS = frozenset({"pull_request", "pull_request_target", "merge_group", "workflow_run", "issue_comment"})
"""What somebody without write access to a repository on GitHub can cause."""

SAFE_SOURCES = frozenset({"schedule", "web"})
"""Pipelines of GitLab that only a member of the project starts."""


def check_schema(recipe: Path, text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What check-jsonschema says, with the schema that it brings."""
    copy = folder / recipe.name
    copy.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[recipe], str(copy)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def audit(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What zizmor says of a workflow of GitHub, at its strictest, without asking the network."""
    copy = folder / GITHUB.name
    copy.write_text(text, encoding="utf-8")
    command = [str(ZIZMOR), "--offline", "--no-config", "--no-progress", "--persona", "auditor", str(copy)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@needs_check_jsonschema
@pytest.mark.parametrize("recipe", SCHEMAS, ids=lambda recipe: recipe.stem)
def test_a_recipe_has_the_form_that_its_service_reads(recipe: Path, tmp_path: Path) -> None:
    """The schema of GitHub's workflows, or of GitLab's pipelines, holds."""
    done = check_schema(recipe, recipe.read_text(), tmp_path)
    assert done.returncode == 0, done.stdout


@needs_check_jsonschema
@pytest.mark.parametrize(
    ("recipe", "old", "new"),
    [
        (GITHUB, "    runs-on:", "    run-on:"),
        (GITHUB, "contents: read", "contents: reed"),
        (GITLAB, "interruptible: false", "interruptible: never"),
        (GITLAB, "  resource_group: sagemaker", "  resource_group:\n    sagemaker: true"),
    ],
)
def test_a_mistake_in_the_form_is_found(recipe: Path, old: str, new: str, tmp_path: Path) -> None:
    """Control: one wrong word is reported."""
    done = check_schema(recipe, replaced(recipe, old, new), tmp_path)
    assert done.returncode == 1, done.stdout
    assert "Schema validation errors" in done.stdout


@needs_zizmor
def test_the_workflow_passes_a_security_audit(tmp_path: Path) -> None:
    """The auditor zizmor finds nothing, down to its lowest level of severity and confidence."""
    done = audit(GITHUB.read_text(), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_zizmor
@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        ("actions/cache@cdf6c1fa76f9f475f3d7449005a359c84ca0f306", "actions/cache@v5", "unpinned-uses"),
        ("persist-credentials: false", "persist-credentials: true", "artipacked"),
        ("--report report", '--report "${{ github.head_ref }}"', "template-injection"),
        ("  pull_request:\n", "  pull_request_target:\n", "dangerous-triggers"),
        ("permissions:\n  contents: read\n\nenv", "permissions: write-all\n\nenv", "excessive-permissions"),
    ],
)
def test_a_weakness_is_found(old: str, new: str, finding: str, tmp_path: Path) -> None:
    """Control: the audit names what was weakened."""
    done = audit(replaced(GITHUB, old, new), tmp_path)
    assert done.returncode > 10, done.stdout + done.stderr  # 11 to 14, by severity
    assert f"[{finding}]" in done.stdout


def load(text: str) -> dict[str, Any]:
    """YAML as nothing but text, so that the key ``on`` stays one."""
    content = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes text, lists and mappings only
    assert isinstance(content, dict)
    return content


def replaced(recipe: Path, old: str, new: str) -> str:
    """A recipe with one thing changed, wherever it stands."""
    text = recipe.read_text()
    assert old in text
    return text.replace(old, new)


def jobs(recipe: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The jobs of a workflow or a pipeline; of a pipeline also what jobs are made from."""
    return dict(recipe.get("jobs") or {name: job for name, job in recipe.items() if isinstance(job, dict)})


def commands(job: Mapping[str, Any]) -> list[str]:
    """Every piece of shell that a job runs."""
    steps = [step["run"] for step in job.get("steps", ()) if "run" in step]
    return steps + [line for part in ("before_script", "script", "after_script") for line in job.get(part, ())]


def calls(shell: str) -> Iterator[list[str]]:
    """The arguments of each call of pytest in a piece of shell."""
    for line in shell.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if "pytest" in words:
            yield words[words.index("pytest") + 1 :]


def marker(call: list[str]) -> str:
    """What follows ``-m``; "" if nothing does."""
    return dict(pairwise(call)).get("-m", "")


def is_live(job: Mapping[str, Any]) -> bool:
    """Whether it runs ``pytest -m aws``."""
    return any("aws" in marker(call) for shell in commands(job) for call in calls(shell))


def unknown_words(shell: str, config: pytest.Config) -> list[str]:
    """Options that this pytest, with the plugin, does not have; and markers that the plugin does not set."""
    known = {line.partition(":")[0] for line in MARKERS}
    found = []
    for call in calls(shell):
        options = [word.partition("=")[0] for word in call if word.startswith("-")]
        found += [option for option in options if not has_option(config, option)]
        found += [word for word in [marker(call)] if word not in known | {""}]
    return found


def has_option(config: pytest.Config, name: str) -> bool:
    """Whether pytest knows the option."""
    try:
        config.getoption(name)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("recipe", SCHEMAS, ids=lambda recipe: recipe.stem)
def test_recipes_use_options_and_markers_that_exist(recipe: Path, pytestconfig: pytest.Config) -> None:
    """Every word of every call of pytest is one that the plugin, or pytest, has."""
    shells = [shell for job in jobs(load(recipe.read_text())).values() for shell in commands(job)]
    assert sum(len(list(calls(shell))) for shell in shells) == 2
    assert [word for shell in shells for word in unknown_words(shell, pytestconfig)] == []


def test_the_text_uses_options_and_markers_that_exist(pytestconfig: pytest.Config) -> None:
    """The same for the shell in ``docs/ci.md``, and for what stands in its sentences."""
    text = (DOCS / "ci.md").read_text()
    shells = [*re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE), *re.findall(r"`(pytest [^`]*)`", text)]
    assert sum(len(list(calls(shell))) for shell in shells) == 4
    assert [word for shell in shells for word in unknown_words(shell, pytestconfig)] == []


@pytest.mark.parametrize(
    ("shell", "found"),
    [
        ("pytest experiments -m local --reprot x", ["--reprot"]),
        ("exec pytest -m avs --engine=xla", ["avs"]),
        ("make && pytest \\\n  --no-such=1 --junitxml x", ["--no-such"]),
        ("pip install --no-such x", []),
    ],
)
def test_a_word_that_does_not_exist_is_found(shell: str, found: list[str], pytestconfig: pytest.Config) -> None:
    """Control: a misspelt option or marker is named, and other commands are none of our business."""
    assert unknown_words(shell, pytestconfig) == found


def broken_trigger_rules(recipe: Mapping[str, Any]) -> list[str]:
    """Live jobs that somebody without write access can start."""
    live = {name: job for name, job in jobs(recipe).items() if is_live(job)}
    if "jobs" in recipe:
        return [name for name, job in live.items() if github_events(recipe, job) & MERGE_EVENTS]
    return [name for name, job in live.items() if not gitlab_sources(job) <= SAFE_SOURCES]


def github_events(workflow: Mapping[str, Any], job: Mapping[str, Any]) -> set[str]:
    """What can start a job: all triggers of the workflow, unless its condition does nothing but name some of them."""
    triggers, condition = set(workflow["on"]), job.get("if", "")
    named = re.findall(r"github\.event_name == '(\w+)'", condition)
    understood = condition == " || ".join(f"github.event_name == '{event}'" for event in named)
    return triggers & set(named) if named and understood else triggers


def gitlab_sources(job: Mapping[str, Any]) -> set[str]:
    """What can start a job: the source that each of its rules demands; ``any`` for a rule that demands none."""
    demanded = (
        re.match(r'\$CI_PIPELINE_SOURCE == "(\w+)"(?!.*\|\|)', rule.get("if", "")) for rule in job.get("rules", [{}])
    )
    return {match[1] if match else "any" for match in demanded}


def broken_token_rules(recipe: Mapping[str, Any]) -> list[str]:
    """Where a token for AWS may be asked for besides the live job."""
    found = [name for name, job in jobs(recipe).items() if asks_for_token(job) and not is_live(job)]
    return found + (["the whole workflow"] if asks_for_token(recipe) else [])


def asks_for_token(part: Mapping[str, Any]) -> bool:
    """Whether a job, or a workflow, may have GitHub or GitLab vouch for it."""
    permissions = part.get("permissions", {})
    return "id_tokens" in part or permissions == "write-all" or "id-token" in permissions


def broken_overlap_rules(recipe: Mapping[str, Any]) -> list[str]:
    """Live jobs that a newer run may cancel, or that run beside each other."""
    return [name for name, job in jobs(recipe).items() if is_live(job) and not runs_alone(job)]


def runs_alone(job: Mapping[str, Any]) -> bool:
    """Whether a job waits for its like, and is not cancelled by it."""
    group = job.get("concurrency", {})
    github = bool(group.get("group")) and "${{" not in group["group"] and group.get("cancel-in-progress") == "false"
    return github or bool(job.get("resource_group") and job.get("interruptible") == "false")


def broken_shell_rules(recipe: Mapping[str, Any]) -> list[str]:
    """Shell into which GitHub would paste a value, before the shell reads it."""
    return [name for name, job in jobs(recipe).items() if any("${{" in shell for shell in commands(job))]


def broken_skip_rules(recipe: Mapping[str, Any]) -> list[str]:
    """Variables of a live run that may be empty: pytest would skip the live tests, and the job would pass."""
    shells = ["\n".join(commands(job)) for job in jobs(recipe).values() if is_live(job)]
    used = {(word[1:], shell) for shell in shells for call in calls(shell) for word in call if word.startswith("$")}
    return sorted(name for name, shell in used if f"${{{name}:?" not in shell)


RULES = (broken_trigger_rules, broken_token_rules, broken_overlap_rules, broken_shell_rules, broken_skip_rules)


@pytest.mark.parametrize("recipe", SCHEMAS, ids=lambda recipe: recipe.stem)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_recipe_keeps_the_rule(rule: Callable[[Mapping[str, Any]], list[str]], recipe: Path) -> None:
    """AWS is out of reach for whoever cannot write to the repository, and a live run is left to end."""
    content = load(recipe.read_text())
    assert [name for name, job in jobs(content).items() if is_live(job)] != []
    assert rule(content) == []


LIVE_ON_GITHUB = "    if: github.event_name == 'schedule' || github.event_name == 'workflow_dispatch'\n"


@pytest.mark.parametrize(
    ("rule", "recipe", "old", "new", "found"),
    [
        (broken_trigger_rules, GITHUB, LIVE_ON_GITHUB, "", "live"),
        (broken_trigger_rules, GITHUB, "== 'schedule'", "== 'pull_request'", "live"),
        (broken_trigger_rules, GITHUB, "event_name == 'schedule'", "event_name != 'push'", "live"),
        (broken_trigger_rules, GITLAB, '"schedule"', '"merge_request_event"', "live AWS, costs money"),
        (broken_trigger_rules, GITLAB, '$CI_PIPELINE_SOURCE == "schedule" &&', "", "live AWS, costs money"),
        (broken_trigger_rules, GITLAB, '"schedule" &&', '"schedule" ||', "live AWS, costs money"),
        (broken_trigger_rules, GITLAB, "    - pytest experiments -m local", "    - pytest -m aws", "local gates"),
        (
            broken_token_rules,
            GITHUB,
            "permissions:\n  contents: read\n",
            "permissions: write-all\n",
            "the whole workflow",
        ),
        (broken_token_rules, GITHUB, "    timeout-minutes: 30", "    permissions: {id-token: write}", "local"),
        (broken_token_rules, GITLAB, "  stage: test", "  id_tokens: {A: {aud: b}}", "local gates"),
        (broken_overlap_rules, GITHUB, "cancel-in-progress: false", "cancel-in-progress: true", "live"),
        (broken_overlap_rules, GITHUB, "experiments-live", "${{ github.sha }}", "live"),
        (broken_overlap_rules, GITLAB, "  interruptible: false", "  interruptible: true", "live AWS, costs money"),
        (broken_overlap_rules, GITLAB, "  resource_group: sagemaker", "", "live AWS, costs money"),
        (broken_shell_rules, GITHUB, '"$SAGEMAKER_ROLE"', "${{ vars.SAGEMAKER_ROLE }}", "live"),
        (broken_skip_rules, GITHUB, "${SAGEMAKER_ROLE:?", "${SAGEMAKER_ROLE:-", "SAGEMAKER_ROLE"),
        (broken_skip_rules, GITLAB, "${AWS_DEFAULT_REGION:?", "${AWS_DEFAULT_REGION:-", "AWS_DEFAULT_REGION"),
    ],
)
def test_a_recipe_that_breaks_the_rule_is_found(
    rule: Callable[[Mapping[str, Any]], list[str]], recipe: Path, old: str, new: str, found: str
) -> None:
    """Control: each rule names the job that breaks it."""
    assert found in rule(load(replaced(recipe, old, new)))


def policies() -> list[dict[str, Any]]:
    """The trust policies in ``docs/ci.md``."""
    text = (DOCS / "ci.md").read_text()
    return [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", text, re.DOTALL | re.MULTILINE)]


def test_trust_policies_name_who_is_trusted() -> None:
    """Each demands an audience and one subject to the letter, both of the provider that it trusts."""
    assert len(policies()) == 2
    for policy in policies():
        [statement] = policy["Statement"]
        provider = statement["Principal"]["Federated"].partition("oidc-provider/")[2]
        demanded = statement["Condition"]["StringEquals"]
        assert statement["Condition"].keys() == {"StringEquals"}
        assert demanded.keys() == {f"{provider}:aud", f"{provider}:sub"}
        assert "*" not in "".join(demanded.values())


def test_recipes_and_trust_policies_agree() -> None:
    """The environment and the audience in the policies are those of the live jobs."""
    github, gitlab = (policy["Statement"][0]["Condition"]["StringEquals"] for policy in policies())
    live = jobs(load(GITHUB.read_text()))["live"]
    assert github["token.actions.githubusercontent.com:sub"].endswith(f":environment:{live['environment']}")
    live = jobs(load(GITLAB.read_text()))["live AWS, costs money"]
    assert gitlab["gitlab.com:aud"] == live["id_tokens"]["AWS_ID_TOKEN"]["aud"]
