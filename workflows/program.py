"""The steps of a workflow as a tree with addresses: `steps.0.then.1` is the second step of the
`then` path of the first. What comes after what is said here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workflows.steps import STEPS
from workflows.steps.base import Step

StepData = Mapping[str, Any]


class Program:
    """The steps of one version. Paths that lead nowhere are `""`: the end."""

    def __init__(self, steps: Sequence[StepData]) -> None:
        self.steps = steps

    def at(self, path: str) -> StepData:
        """The step of this path. Raises LookupError for one that is not there."""
        here: Any = {"steps": self.steps}
        for word in path.split("."):
            here = here[int(word)] if word.isdecimal() else here[word]
        found: StepData = here
        return found

    def kind(self, path: str) -> Step:
        """What the step of this path does. Raises LookupError."""
        return STEPS[self.at(path)["type"]]

    def first(self) -> str:
        """Where a run begins."""
        return "steps.0" if self.steps else ""

    def after(self, path: str) -> str:
        """What follows the step of this path: its next sibling, or what follows the step that it
        is within."""
        while path:
            before, _dot, index = path.rpartition(".")
            sibling = f"{before}.{int(index) + 1}"
            if int(index) + 1 < len(self._list(before)):
                return sibling
            path = before.rpartition(".")[0]  # of `steps.0.then`: `steps.0`
        return ""

    def into(self, path: str, branch: str) -> str:
        """The first step of a branch (`then`) of the step of this path, or what follows the step
        when the branch is empty."""
        if self.at(path).get(branch):
            return f"{path}.{branch}.0"
        return self.after(path)

    def walk(self) -> Iterator[tuple[str, StepData]]:
        """Every step with its path, those of branches after the step that has them."""
        yield from _walk("steps", self.steps)

    def _list(self, path: str) -> Sequence[StepData]:
        step, _dot, name = path.rpartition(".")
        found: Sequence[StepData] = self.at(step)[name] if step else self.steps
        return found


def _walk(before: str, steps: Sequence[StepData]) -> Iterator[tuple[str, StepData]]:
    for index, data in enumerate(steps):
        path = f"{before}.{index}"
        yield path, data
        kind = STEPS.get(data["type"])
        for branch in kind.paths if kind is not None else ():
            yield from _walk(f"{path}.{branch}", data.get(branch) or ())
