def texts(input):
    if not isinstance(input[0], str):
        return input
    _, seed, count = input[0].split()
    state = int(seed) * 7919 + 1
    words = []
    for _ in range(int(count)):
        state = (state * 1103515245 + 12345) % 2**31
        words.append("w%d" % (state // 65536 % 40))
    other = []
    for word in words:
        state = (state * 1103515245 + 12345) % 2**31
        kind = state // 65536 % 10
        if kind > 0:
            other.append(word)
        if kind > 8:
            other.append("n%d" % (state // 1024 % 5))
    return [words, other]

def common(old, new):
    row = [0] * (len(new) + 1)
    for a in old:
        before, row = row, [0]
        for j, b in enumerate(new):
            row.append(before[j] + 1 if a == b else max(before[j + 1], row[j]))
    return row[-1]

def check(input, observed, expected):
    old, new = texts(input)
    i = j = changed = 0
    last = None
    for kind, what in observed:
        if kind == last or (kind == "drop" and last == "add"):
            return "steps do not follow each other as they must"
        last = kind
        if kind == "keep":
            if not isinstance(what, int) or what < 1 or i + what > len(old) or old[i:i + what] != new[j:j + what]:
                return "keeps what is not the same"
            i, j = i + what, j + what
        elif kind == "drop":
            if not what or old[i:i + len(what)] != what:
                return "drops what is not there"
            i, changed = i + len(what), changed + len(what)
        elif kind == "add":
            if not what or new[j:j + len(what)] != what:
                return "adds what is not wanted"
            j, changed = j + len(what), changed + len(what)
        else:
            return "an unknown step"
    if i != len(old) or j != len(new):
        return "does not cover both lists"
    least = len(old) + len(new) - 2 * common(old, new)
    return changed == least or f"{changed} words changed; {least} would do"
