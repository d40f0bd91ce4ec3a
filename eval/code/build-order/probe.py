def expand(needs):
    if not isinstance(needs, str):
        return needs
    kind, count = needs.split()
    count = int(count)
    out = {f"m{i:05}": [f"m{i + 1:05}"] for i in range(count - 1)}
    if kind == "cycle":
        out[f"m{count - 1:05}"] = ["m00000"]
    return out

def probe(answer, input):
    found = answer.build_order(expand(input[0]))
    if len(found.get("order", [])) > 1000 or len(found.get("cycle", [])) > 1000:
        names = found.get("order") or found.get("cycle")
        return {"kind": sorted(found), "count": len(names), "first": names[:2], "last": names[-2:], "distinct": len(set(names))}
    return found
