"""Message texts from templates: Jinja in its immutable sandbox, strict, with plain data only.

The sandbox alone is not enough (Jinja's own words), so a template may do very little: print variables, choose, and
walk a list. What it may do is checked when it is written (``check``), and again before its first use.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2 import Template as Compiled
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_SOURCE = 20_000
MAX_OUTPUT = 20_000
MAX_SUBJECT = 255
MAX_LIST = 200
_CACHED = 512
_MAX_DEPTH = 40
_MAX_LOOPS = 2  # nested one in the other

Plain = str | int | bool | None | list["Plain"] | dict[str, "Plain"]

_FILTERS = frozenset({"capitalize", "count", "default", "first", "join", "last", "length", "lower", "trim", "upper"})
_TESTS = frozenset({"defined", "undefined", "none", "eq", "ne", "lt", "le", "gt", "ge", "in"})
_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.For,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.CondExpr,
    nodes.Filter,
    nodes.Test,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Keyword,
)


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """One version of one template in one language. ``variables`` is everything it may mention."""

    key: str
    version: int
    language: str
    body: str
    variables: frozenset[str]
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    subject: str | None
    body: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a template can not be released: which part (``subject`` or ``body``), which line (from 1), and what."""

    part: str
    line: int
    reason: str


class RenderError(Exception):
    """A text can not be made. The message names the template and the variable, never a value."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A subject or body, ready to be filled. ``pieces``: the text between the variables and, at every odd place, the
    name of a variable; None where the template does more than print variables, which only Jinja can do."""

    compiled: Compiled
    pieces: tuple[str, ...] | None


class Renderer:
    """Renders templates, keeping what it compiled. A version never changes, so nothing kept is ever stale."""

    def __init__(self) -> None:
        self._environment = _environment()
        self._compiled: OrderedDict[tuple[str, int, str], tuple[_Part | None, _Part]] = OrderedDict()

    def render(self, template: MessageTemplate, variables: Mapping[str, Plain]) -> Rendered:
        """Subject and body with ``variables`` filled in; ``RenderError`` if one is missing or the text is too long."""
        subject, body = self._prepared(template)
        _only_plain(variables)
        return Rendered(
            subject=None if subject is None else self._fill(template, subject, variables, MAX_SUBJECT, one_line=True),
            body=self._fill(template, body, variables, MAX_OUTPUT),
        )

    def check(self, template: MessageTemplate) -> list[Problem]:
        """Everything that forbids this template, in reading order; empty when it may be used."""
        parts = [("subject", template.subject)] if template.subject is not None else []
        parts.append(("body", template.body))
        return [
            problem
            for part, source in parts
            for problem in _problems(self._environment, part, source or "", template.variables)
        ]

    def _prepared(self, template: MessageTemplate) -> tuple[_Part | None, _Part]:
        key = (template.key, template.version, template.language)
        prepared = self._compiled.get(key)
        if prepared is not None:
            self._compiled.move_to_end(key)
            return prepared
        problems = self.check(template)
        if problems:
            worst = problems[0]
            raise RenderError(f"{_name(template)}: {worst.part} line {worst.line}: {worst.reason}")
        prepared = (None if template.subject is None else self._part(template.subject), self._part(template.body))
        self._compiled[key] = prepared
        if len(self._compiled) > _CACHED:
            self._compiled.popitem(last=False)
        return prepared

    def _part(self, source: str) -> _Part:
        return _Part(self._environment.from_string(source), _pieces(self._environment.parse(source)))

    def _fill(
        self,
        template: MessageTemplate,
        part: _Part,
        variables: Mapping[str, Plain],
        limit: int,
        *,
        one_line: bool = False,
    ) -> str:
        text = _joined(part.pieces, variables) if part.pieces is not None else None
        if text is None:
            text = self._run(template, part.compiled, variables, limit)
        elif len(text) > limit:
            raise RenderError(f"{_name(template)}: the text has more than {limit} characters")
        # A line break in a subject would start a new mail header.
        return " ".join(text.split()) if one_line else text

    def _run(self, template: MessageTemplate, compiled: Compiled, variables: Mapping[str, Plain], limit: int) -> str:
        pieces: list[str] = []
        size = 0
        try:
            for piece in compiled.root_render_func(compiled.new_context(dict(variables))):
                size += len(piece)
                if size > limit:
                    raise RenderError(f"{_name(template)}: the text has more than {limit} characters")
                pieces.append(piece)
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            # An undefined variable is named by Jinja; a type error could quote data, so only its kind is told.
            reason = error.message if isinstance(error, TemplateError) else type(error).__name__
            raise RenderError(f"{_name(template)}: {reason}") from None
        return "".join(pieces)


def _pieces(tree: nodes.Template) -> tuple[str, ...] | None:
    """Text and names by turns, of a template that prints variables and nothing else: joining them is what Jinja would
    do, without a context and a generator for each text. None for any other."""
    pieces = [""]
    for output in tree.body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                pieces[-1] += node.data
            elif isinstance(node, nodes.Name):
                pieces += (node.name, "")
            else:
                return None
    return tuple(pieces)


def _joined(pieces: tuple[str, ...], variables: Mapping[str, Plain]) -> str | None:
    """The filled text, or None where Jinja has to say what is wrong, or how a value that is no text is written."""
    filled = list(pieces)
    for place in range(1, len(filled), 2):
        value = variables.get(filled[place])
        if type(value) is not str:
            return None
        filled[place] = value
    return "".join(filled)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, trim_blocks=True)
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    environment.tests = {name: environment.tests[name] for name in _TESTS}
    environment.globals = {}
    return environment


def _problems(
    environment: ImmutableSandboxedEnvironment, part: str, source: str, allowed: Collection[str]
) -> Iterator[Problem]:
    if len(source) > MAX_SOURCE:
        yield Problem(part, 1, f"has {len(source)} characters, at most {MAX_SOURCE} are accepted")
        return
    try:
        tree = environment.parse(source)
        found = [*_forbidden(tree, part), *_unknown(tree, part, frozenset(allowed))]
    except TemplateSyntaxError as error:
        yield Problem(part, error.lineno, error.message or "syntax error")
        return
    except RecursionError:
        yield Problem(part, 1, "nested too deeply")
        return
    yield from sorted(found, key=lambda problem: problem.line)


def _forbidden(tree: nodes.Template, part: str) -> Iterator[Problem]:
    for node, depth, loops in _walk(tree, 0, 0):
        reason = _objection(node, loops) if depth <= _MAX_DEPTH else "nested too deeply"
        if reason is not None:
            yield Problem(part, node.lineno, reason)
        if depth > _MAX_DEPTH:
            return


def _objection(node: nodes.Node, loops: int) -> str | None:
    match node:
        case nodes.Filter(name=name) if name not in _FILTERS:
            return f"the filter {name} is not allowed"
        case nodes.Test(name=name) if name not in _TESTS:
            return f"the test {name} is not allowed"
        case nodes.Getattr(attr=attr) if attr.startswith("_"):
            return f"the attribute {attr} is not allowed"
        case nodes.Getitem(arg=arg) if not isinstance(arg, nodes.Const):
            return "an index must be written out"
        case nodes.For(recursive=recursive) if recursive or loops > _MAX_LOOPS:
            return "loops are nested too deeply"
    return None if isinstance(node, _ALLOWED) else f"{type(node).__name__.lower()} is not allowed"


def _walk(node: nodes.Node, depth: int, loops: int) -> Iterator[tuple[nodes.Node, int, int]]:
    inside = loops + isinstance(node, nodes.For)
    yield node, depth, inside
    for child in node.iter_child_nodes():
        yield from _walk(child, depth + 1, inside)


def _unknown(node: nodes.Node, part: str, known: frozenset[str]) -> Iterator[Problem]:
    """Names that are neither given nor bound by a loop around them.

    Jinja's own ``find_undeclared_variables`` is not used: it folds constants, and computes ``9 ** 9 ** 9`` to do so.
    """
    if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in known:
        yield Problem(part, node.lineno, f"unknown variable {node.name}")
    if isinstance(node, nodes.For):
        bound = known | {name.name for name in node.target.find_all(nodes.Name)} | {"loop"}
        if isinstance(node.target, nodes.Name):
            bound |= {node.target.name}
        yield from _unknown(node.iter, part, known)
        inside = [*node.body, *([node.test] if node.test else [])]
        for child in inside:
            yield from _unknown(child, part, bound)
        for child in node.else_:
            yield from _unknown(child, part, known)
    else:
        for child in node.iter_child_nodes():
            yield from _unknown(child, part, known)


def _only_plain(value: Any, depth: int = 0) -> None:
    """Refuses anything but text, integers, booleans, None, and short lists and dicts of them."""
    if depth == 0 and type(value) is dict and len(value) <= MAX_LIST and set(map(type, value.values())) <= {str}:
        return
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return
    if depth > 4 or not (isinstance(value, (Mapping, list)) and len(value) <= MAX_LIST):
        raise RenderError(f"a variable of type {kind.__name__} is not plain data, or is too large")
    for item in value.values() if isinstance(value, Mapping) else value:
        _only_plain(item, depth + 1)


def _name(template: MessageTemplate) -> str:
    return f"template {template.key} v{template.version} {template.language}"
