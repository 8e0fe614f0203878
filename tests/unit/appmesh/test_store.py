"""The store's map and its transactions."""

from __future__ import annotations

from shopmesh.appmesh.store import Change, Key, Resource, State, Transaction


def node(name: str) -> Resource:
    return Resource(Key("virtualNode", ("m", name)), {}, f"uid-{name}", 1, 0.0, 0.0)


def names(view: State | Transaction) -> list[str]:
    return [resource.key.name for resource in view.children("virtualNode", ("m",))]


def test_a_transaction_lists_what_it_wrote_over_what_there_was() -> None:
    """Created ones are there, deleted ones are not, also when they were written in a transaction within."""
    outer = Transaction(State([node("a"), node("b")]))
    outer.delete(node("a").key)
    outer.put(node("c"))
    inner = outer.begin_nested()
    inner.delete(node("c").key)
    inner.put(node("d"))

    before = names(outer)
    within = names(inner)
    outer.merge(inner)

    assert (["b", "c"], ["b", "d"], ["b", "d"]) == (before, within, names(outer))


def test_a_copy_is_left_as_it_was() -> None:
    """What is applied later to one of the two is not seen in the other."""
    state = State([node("a")])
    copied = state.copy()

    state.apply([Change(node("b").key, None, node("b")), Change(node("a").key, node("a"), None)])
    copied.apply([Change(node("c").key, None, node("c"))])

    assert (["b"], ["a", "c"]) == (names(state), names(copied))
    assert (1, 2) == (len(state), len(copied))
