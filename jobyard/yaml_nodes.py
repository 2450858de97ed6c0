"""
YAML as values that know their lines, with `${NAME}` taken from the environment (pure).

Names are read as they are written (`on` is a name, not true). A value that is not in quotes and
holds a `${…}` gets its type after that is replaced, so `cpu: ${CPU}` may be a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from jobyard.errors import ManifestError, Problem

_INTERPOLATION = re.compile(r"\$(?:\$\{|\{([^}]*)\})")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.ASCII | re.DOTALL)
MAX_NODES = 100_000
"""More than any manifest has: aliases of aliases can make a small file enormous."""
MAX_DEPTH = 50
_STRING = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"
_SCALARS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null")
)
_CONSTRUCT = yaml.constructor.SafeConstructor()


@dataclass(slots=True)
class Reader:
    """Reads one file's nodes, and collects what is wrong with them."""

    file: str
    environment: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    _count: int = 0

    def wrong(self, node: yaml.Node, where: str, message: str) -> None:
        self.problems.append(Problem(self.file, line(node), where, message))

    def value(self, node: yaml.Node, where: str) -> Any:
        """The node as plain data; None where it is wrong, which is noted."""
        self._count += 1
        if self._count > MAX_NODES or where.count(".") + where.count("[") > MAX_DEPTH:
            problem = Problem(self.file, line(node), "", "nests too deeply: do its aliases?")
            raise ManifestError([problem])
        if isinstance(node, yaml.MappingNode):
            return {name: self.value(one, f"{where}.{name}") for name, one in self.items(node)}
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one, f"{where}[{n}]") for n, one in enumerate(node.value)]
        return self._scalar(node, where)

    def items(self, node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
        """Names and nodes, those merged by `<<` first, unless the mapping has the name itself."""
        own: dict[str, yaml.Node] = {}
        merged: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for source in reversed(sources):
                    if isinstance(source, yaml.MappingNode):
                        merged |= dict(self.items(source))
            elif not isinstance(key, yaml.ScalarNode):
                self.wrong(key, "", "must be a name")
            elif key.value in own:
                self.wrong(key, key.value, "is there twice")
            else:
                own[key.value] = value
        yield from {**merged, **own}.items()

    def _scalar(self, node: Any, where: str) -> Any:
        text, tag = node.value, node.tag
        if "${" in text:
            text = self._interpolated(node, where)
            if node.style is None:  # not in quotes: its type follows from what it has become
                tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))
        if tag not in _SCALARS:
            # dates and the like are text in everything that Jobyard reads
            if tag.startswith("tag:yaml.org,2002:"):
                return text
            self.wrong(node, where, f"has the tag {tag}: only plain YAML is read")
            return None
        try:
            made = yaml.ScalarNode(tag, text, node.start_mark, node.end_mark)
            return _CONSTRUCT.construct_object(made) if tag != _STRING else text
        except ValueError:
            self.wrong(node, where, f"is no value that YAML knows: {text!r}")
            return None

    def _interpolated(self, node: yaml.ScalarNode, where: str) -> str:
        def replace(found: re.Match[str]) -> str:
            if found[1] is None:
                return "${"
            name = _NAME.fullmatch(found[1])
            if name is None:
                message = (
                    f"{found[0]} must be ${{NAME}} or ${{NAME:-default}}; $${{ is a literal ${{"
                )
                self.wrong(node, where, message)
                return ""
            value = self.environment.get(name[1]) or name[2]
            if value is None:
                value = self.environment.get(name[1])  # set, and empty
            if value is None:
                self.wrong(node, where, f"${{{name[1]}}} is not set in the environment")
                return ""
            return value

        return _INTERPOLATION.sub(replace, node.value)


_RESOLVER: Any = yaml.resolver.Resolver()
"""Says what a plain scalar is, without a document around it."""


def line(node: yaml.Node) -> int:
    """Where the node begins, counted from 1."""
    return int(node.start_mark.line) + 1


def compose(text: str, file: str) -> yaml.MappingNode:
    """The one document of a file, whose top is names and values; else a ManifestError."""
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = 1 if mark is None else mark.line + 1
        hint = ""
        if "${" in "".join(text.splitlines()[at - 1 : at]):
            hint = ": within [ ] and { } put ${NAME} in quotes"
        problem = f"is not YAML ({error.problem or error.context}){hint}"
        raise ManifestError([Problem(file, at, "", problem)]) from error
    except yaml.YAMLError as error:
        raise ManifestError([Problem(file, 1, "", f"is not YAML ({error})")]) from error
    if len(documents) != 1 or not isinstance(documents[0], yaml.MappingNode):
        raise ManifestError([Problem(file, 1, "", "must be one document of names and values")])
    return documents[0]


def escape(text: str) -> str:
    """Text that reads as itself: what `${` begins is no interpolation."""
    return text.replace("${", "$${")
