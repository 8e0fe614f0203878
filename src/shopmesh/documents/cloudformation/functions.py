"""A template's intrinsic functions, evaluated.

Here are those that need no stack. `REFUSED` says of each of the others what to do instead.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from shopmesh.appmesh.api.validation import hint, quote
from shopmesh.documents.cli_json import NAMES
from shopmesh.documents.cloudformation.problems import FAILED
from shopmesh.documents.cloudformation.properties import property_name
from shopmesh.documents.cloudformation.scope import LONGEST_TEXT, NO_VALUE, TYPES, Scope
from shopmesh.documents.text.sources import FieldPath

UNSUPPORTED_FUNCTIONS = {
    "Fn::Base64": "has no use in App Mesh's documents",
    "Fn::Cidr": "is not evaluated here; write the value",
    "Fn::GetAZs": "is not evaluated here; write the zones",
    "Fn::Length": "is not evaluated here; write the number",
    "Fn::ToJsonString": "is not evaluated here; write the text",
    "Fn::Transform": "runs a macro in AWS; expand the template first (aws cloudformation get-template)",
}
_INDEX = re.compile(r"[0-9]{1,9}")
_VARIABLE = re.compile(r"\$\{(!?)([^{}]*)\}")


def evaluate(value: Any, scope: Scope, path: FieldPath) -> Any:
    """A part of a template with all functions in it evaluated.

    `NO_VALUE` where nothing shall be, `FAILED` where a function fails; what is wrong is in the scope's problems.
    """
    scope.count_steps(1, path)
    if not isinstance(value, list | dict):
        return value
    with scope.limit_depth(path):
        if isinstance(value, list):
            items = [evaluate(item, scope, (*path, index)) for index, item in enumerate(value)]
            return [item for item in items if item is not NO_VALUE]
        return _evaluate_mapping(value, scope, path)


def _evaluate_mapping(value: Mapping[str, Any], scope: Scope, path: FieldPath) -> Any:
    for name in value:
        if name == "Ref" or str(name).startswith("Fn::"):
            return scope.problems.attempt(functools.partial(_call, str(name), value, scope, path))
    items_by_name = {name: evaluate(item, scope, (*path, name)) for name, item in value.items()}
    return {name: item for name, item in items_by_name.items() if item is not NO_VALUE}


def _call(name: str, value: Mapping[str, Any], scope: Scope, path: FieldPath) -> Any:
    if name in UNSUPPORTED_FUNCTIONS or name.startswith("Fn::ForEach"):
        reason = UNSUPPORTED_FUNCTIONS.get(
            name, "runs in AWS; expand the template first (aws cloudformation get-template)"
        )
        raise scope.source.error((*path, name), reason)
    if len(value) > 1:
        raise scope.source.error(path, f"{name} must be the only key, not with {len(value) - 1} other keys")
    return _function(name, scope, path)(value[name], scope, (*path, name))


def holds(condition: Any, scope: Scope, path: FieldPath) -> bool:
    """Whether a condition of the section `Conditions`, or one written in place, is true."""
    if isinstance(condition, dict) and list(condition) == ["Condition"]:
        return named_condition(condition["Condition"], scope, (*path, "Condition"))
    found = evaluate(condition, scope, path)
    if found in ("true", "false"):
        return bool(found == "true")
    if not isinstance(found, bool):
        raise scope.source.error(path, f"must be a condition, not {quote(found)}")
    return found


def named_condition(name: Any, scope: Scope, path: FieldPath) -> bool:
    """Whether the condition of that name is true; `FAILED` where that is not known."""
    conditions = scope.section("Conditions")
    if not isinstance(name, str) or name not in conditions:
        raise scope.source.error(path, f"there is no condition {quote(name)}; {hint(str(name), conditions)}")

    def evaluate_condition() -> bool:
        with scope.refuse_cycle(f"condition {name}", path), scope.limit_depth(path):
            return holds(conditions[name], scope, ("Conditions", name))

    found: bool = scope.problems.once(scope.conditions, name, evaluate_condition)
    return found


def _function(name: str, scope: Scope, path: FieldPath) -> Callable[[Any, Scope, FieldPath], Any]:
    if name not in _FUNCTIONS:
        raise scope.source.error((*path, name), f"is not a function; {hint(name, _FUNCTIONS)}")
    return _FUNCTIONS[name]


def _ref(argument: Any, scope: Scope, path: FieldPath) -> Any:
    name = _text(argument, scope, path)
    found = scope.reference(name, path)
    return _attribute_of(name, "Arn", scope, path) if found is None else found


def _get_att(argument: Any, scope: Scope, path: FieldPath) -> Any:
    """`"A.Arn"` or `["A", "Arn"]`, whose second part may be a function."""
    if isinstance(argument, str):
        name, _, attribute = argument.partition(".")
    else:
        name, attribute = _strings(argument, 2, scope, path)
    if not scope.is_ours(name, path):
        return _foreign_attribute(name, attribute, scope, path)
    return _attribute_of(name, attribute, scope, path)


def _foreign_attribute(name: str, attribute: str, scope: Scope, path: FieldPath) -> Any:
    """An attribute of a resource that is not created here: given from outside, else the property of that name."""
    if scope.is_given(f"{name}.{attribute}") or attribute not in scope.properties(name):
        return scope.foreign_attribute(name, attribute, path)
    return _name_of(name, attribute, scope, path)


def _attribute_of(name: str, attribute: str, scope: Scope, path: FieldPath) -> str:
    kind = TYPES[scope.type_of(name)]
    names = [property_name(parameter) for parameter in NAMES[kind]]
    account = scope.pseudo["AWS::AccountId"]
    if attribute in names:
        return _name_of(name, attribute, scope, path)
    if attribute in ("MeshOwner", "ResourceOwner"):
        return account
    if attribute == "Arn":
        levels = [level.removesuffix("Name") for level in NAMES[kind]]
        parts = [f"{level}/{_name_of(name, word, scope, path)}" for level, word in zip(levels, names, strict=True)]
        where = f"{scope.pseudo['AWS::Partition']}:appmesh:{scope.pseudo['AWS::Region']}:{account}"
        return f"arn:{where}:{'/'.join(parts)}"
    if attribute == "Uid":
        raise scope.source.error(path, f"{name}.Uid is known only once it is created; use Arn or {names[-1]}")
    raise scope.source.error(path, f"{name} has no {attribute!r}; {hint(attribute, [*names, 'Arn', 'MeshOwner'])}")


def _name_of(name: str, word: str, scope: Scope, path: FieldPath) -> str:
    """A string among a resource's properties; `FAILED` where it is not known."""
    found: str = scope.problems.once(
        scope.names, (name, word), functools.partial(_evaluate_name, name, word, scope, path)
    )
    return found


def _evaluate_name(name: str, word: str, scope: Scope, path: FieldPath) -> str:
    own, written = scope.own_name(name) if scope.is_ours(name, path) else ("", None)
    if word != own:
        written = scope.properties(name).get(word)
    with scope.refuse_cycle(f"{name}.{word}", path):
        found = evaluate(written, scope, ("Resources", name, "Properties", word))
    if not isinstance(found, str | int) or found == "":
        raise scope.source.error(("Resources", name, "Properties", word), f"must be a name, not {quote(found)}")
    return str(found)


def _sub(argument: Any, scope: Scope, path: FieldPath) -> str:
    text, variables = argument, {}
    if isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], dict):
        text, variables = argument[0], argument[1]
    if not isinstance(text, str):
        raise scope.source.error(path, f"must be a string, or a list of a string and a mapping, not {quote(argument)}")

    def value(found: re.Match[str]) -> str:
        literal, name = found[1], found[2].strip()
        if literal:
            return f"${{{name}}}"
        # An empty text stands for what fails, so that the variables behind it are looked at, too.
        text = scope.problems.attempt(functools.partial(_variable, name, variables, scope, path))
        return "" if text is FAILED else str(text)

    return _join_bounded("", _pieces(text, value), scope, path)


def _variable(name: str, variables: Mapping[str, Any], scope: Scope, path: FieldPath) -> str:
    if name in variables:
        return _text(evaluate(variables[name], scope, (*path, 1, name)), scope, path)
    function = _get_att if "." in name else _ref
    return _text(function(name, scope, path), scope, path)


def _pieces(text: str, value: Callable[[re.Match[str]], str]) -> Iterator[str]:
    end = 0
    for found in _VARIABLE.finditer(text):
        yield text[end : found.start()]
        yield value(found)
        end = found.end()
    yield text[end:]


def _join_bounded(separator: str, words: Iterable[str], scope: Scope, path: FieldPath) -> str:
    """The words, refused as soon as they are too long together."""
    pieces: list[str] = []
    length = 0
    for word in words:
        pieces.append(word)
        length += len(word) + len(separator)
        if length > LONGEST_TEXT + len(separator):
            raise scope.source.error(path, f"produces a string of more than {LONGEST_TEXT} characters")
    scope.count_steps(length // 100, path)
    return separator.join(pieces)


def _join(argument: Any, scope: Scope, path: FieldPath) -> str:
    separator, parts = _pair(argument, scope, path)
    words = evaluate(parts, scope, (*path, 1))
    if not isinstance(words, list):
        raise scope.source.error((*path, 1), f"must be a list, not {quote(words)}")
    return _join_bounded(_text(separator, scope, path), (_text(word, scope, (*path, 1)) for word in words), scope, path)


def _split(argument: Any, scope: Scope, path: FieldPath) -> list[str]:
    parts = [evaluate(part, scope, path) for part in _pair(argument, scope, path)]
    separator, text = (_text(part, scope, path) for part in parts)
    if not separator:
        raise scope.source.error(path, "needs a separator")
    scope.count_steps(text.count(separator), path)
    return text.split(separator)


def _select(argument: Any, scope: Scope, path: FieldPath) -> Any:
    index, choices = (evaluate(part, scope, path) for part in _pair(argument, scope, path))
    number = int(index) if _INDEX.fullmatch(str(index)) else -1
    if not isinstance(choices, list) or not 0 <= number < len(choices):
        raise scope.source.error(path, f"there is no entry {quote(index)} in {quote(choices)}")
    return choices[number]


def _find_in_map(argument: Any, scope: Scope, path: FieldPath) -> Any:
    if isinstance(argument, list) and len(argument) == 4:
        raise scope.source.error(path, "a DefaultValue is not evaluated here; write the key into the mapping")
    found: Any = scope.section("Mappings")
    for word in _strings(argument, 3, scope, path):
        known = {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}
        if word not in known:
            raise scope.source.error(path, f"the mapping has no {word!r}; {hint(word, known)}")
        found = known[word]
    return found


def _if(argument: Any, scope: Scope, path: FieldPath) -> Any:
    if not isinstance(argument, list) or len(argument) != 3:
        raise scope.source.error(path, "must be a list of a condition's name and two values")
    chosen = 1 if named_condition(argument[0], scope, (*path, 0)) else 2
    return evaluate(argument[chosen], scope, (*path, chosen))


def _equals(argument: Any, scope: Scope, path: FieldPath) -> bool:
    one, other = (evaluate(part, scope, path) for part in _pair(argument, scope, path))
    return one == other or (not isinstance(one, list | dict) and _text(one, scope, path) == _text(other, scope, path))


def _and(argument: Any, scope: Scope, path: FieldPath) -> bool:
    return all(_conditions(argument, scope, path))


def _or(argument: Any, scope: Scope, path: FieldPath) -> bool:
    return any(_conditions(argument, scope, path))


def _not(argument: Any, scope: Scope, path: FieldPath) -> bool:
    return not all(_conditions(argument, scope, path))


def _import_value(argument: Any, scope: Scope, path: FieldPath) -> str:
    name = _text(evaluate(argument, scope, path), scope, path)
    return scope.user_value(name, path, f"{name} is exported by another stack")


def _conditions(argument: Any, scope: Scope, path: FieldPath) -> list[bool]:
    if not isinstance(argument, list) or not argument:
        raise scope.source.error(path, f"must be a list of conditions, not {quote(argument)}")
    return [
        scope.problems.attempt(functools.partial(holds, condition, scope, (*path, index)))
        for index, condition in enumerate(argument)
    ]


def _pair(argument: Any, scope: Scope, path: FieldPath) -> tuple[Any, Any]:
    if not isinstance(argument, list) or len(argument) != 2:
        raise scope.source.error(path, f"must be a list of two, not {quote(argument)}")
    return argument[0], argument[1]


def _strings(argument: Any, count: int, scope: Scope, path: FieldPath) -> list[str]:
    if not isinstance(argument, list) or len(argument) != count:
        raise scope.source.error(path, f"must be a list of {count} names, not {quote(argument)}")
    parts = [evaluate(part, scope, path) for part in argument]
    return [_text(part, scope, path) for part in parts]


def _text(value: Any, scope: Scope, path: FieldPath) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise scope.source.error(path, f"a text is needed, not {'nothing' if value is NO_VALUE else quote(value)}")
    return str(value)


_FUNCTIONS: Mapping[str, Callable[[Any, Scope, FieldPath], Any]] = {
    "Ref": _ref,
    "Fn::And": _and,
    "Fn::Equals": _equals,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::ImportValue": _import_value,
    "Fn::Join": _join,
    "Fn::Not": _not,
    "Fn::Or": _or,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
}
