import heapq

def best_order(needs):
    names = set(needs) | {other for wanted in needs.values() for other in wanted}
    order = []
    while len(order) < len(names):
        ready = [n for n in names if n not in order and all(w in order for w in needs.get(n, []))]
        if not ready:
            return None
        order.append(min(ready))
    return order

def check(input, observed, expected):
    needs = input[0]
    if isinstance(needs, str):
        if observed["count"] != 20000 or observed["distinct"] != 20000:
            return "not every module exactly once"
        if needs.startswith("chain"):
            return observed["kind"] == ["order"] and observed["first"] == ["m19999", "m19998"] and observed["last"] == ["m00001", "m00000"]
        first, second = (int(name[1:]) for name in observed["first"])
        return observed["kind"] == ["cycle"] and second == (first + 1) % 20000
    order = best_order(needs)
    if order is not None:
        return observed == {"order": order} or f"expected the order {order}"
    cycle = observed.get("cycle")
    if list(observed) != ["cycle"] or not cycle or len(set(cycle)) != len(cycle):
        return "no cycle, or one that visits a module twice"
    for name, other in zip(cycle, cycle[1:] + cycle[:1]):
        if other not in needs.get(name, []):
            return f"{name} does not need {other}"
    return True
