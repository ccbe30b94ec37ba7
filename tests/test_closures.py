"""A closure binds names, not values: what a backward pass reads is assigned once in the forward pass around it."""

from __future__ import annotations

import ast
from collections import Counter

import pytest
from source_tree import FILES, TREES, part, targets

CLOSURE_FILES = [name for name in FILES if part(name) in ("ops", "kernels", "nn", "models")]


@pytest.mark.parametrize("name", CLOSURE_FILES)
def test_a_name_that_backward_uses_is_assigned_once(name):
    functions = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.FunctionDef)]
    assert {function.name: again for function in functions if (again := assigned_again(function))} == {}


@pytest.mark.parametrize(("source", "again"), [
    ("def f(x):\n h = x\n h = g(h)\n def backward(dy):\n  return dy * h\n return h, backward", {"h"}),
    ("def f(x):\n x = g(x)\n return x, lambda dy: dy * x", {"x"}),
    ("def f(x):\n y = g(x)\n y += 1\n return y, lambda dy: dy * y", {"y"}),
    ("def f(xs):\n for x in xs:\n  x, b = g(x)\n def backward(dy):\n  return b(dy)\n return x, backward", {"b"}),
    ("def f(x):\n h = x\n h = g(h)\n return h, lambda dy: dy * x", set()),
    ("def f(x, b):\n if b:\n  s = g(x)\n else:\n  s = x\n return s, lambda dy: dy * s", set()),
    ("def f(x, b):\n s = None\n if b:\n  s = g(x)\n return x, lambda dy: dy * s if s else dy", set()),
    ("def f(x):\n h = x\n def backward(dy):\n  dy = g(dy)\n  return dy * h\n return h, backward", set()),
])
def test_assigned_again_finds_what_it_should(source, again):
    assert assigned_again(ast.parse(source).body[0]) == again


def assigned_again(function):
    """The names of `function` that a function inside it reads, and that are bound more than once or in a loop."""
    closures = [node for node in ast.walk(function) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    read = {node.id for closure in closures if closure is not function for node in ast.walk(closure)
            if isinstance(node, ast.Name) and node.id not in own_names(closure)}
    counts = bindings(function.body) + Counter(argument.arg for argument in arguments_of(function))
    return {name for name in read if counts[name] > 1}


def own_names(closure):
    body = closure.body if isinstance(closure.body, list) else []
    return {argument.arg for argument in arguments_of(closure)} | set(bindings(body))


def arguments_of(function):
    found = function.args
    return [*found.posonlyargs, *found.args, *found.kwonlyargs, *filter(None, (found.vararg, found.kwarg))]


def bindings(statements):
    """How often each name is bound by statements in a row; None to begin with is free, of two branches one counts."""
    counts = Counter()
    for statement in statements:
        if isinstance(statement, ast.FunctionDef):
            counts[statement.name] += 1
        elif isinstance(statement, ast.If):
            counts += bindings(statement.body) | bindings(statement.orelse)
        elif isinstance(statement, ast.For | ast.While):
            inside = bindings(statement.body) + Counter(names_in(targets(statement)))
            counts += inside + inside
        elif isinstance(statement, ast.With):
            counts += bindings(statement.body)
        elif not (isinstance(statement, ast.Assign) and ast.unparse(statement.value) == "None"):
            counts += Counter(names_in(targets(statement)))
    return counts


def names_in(nodes):
    return [node.id for node in nodes if isinstance(node, ast.Name)]
