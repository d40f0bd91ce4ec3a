"""A comparison: what was measured, what it was measured against, and whether the bound holds."""

import json
import statistics


class Comparison:
    """`ratio` is ours / peer of the medians. `better` says on which side of `bound` it has to be."""

    def __init__(self, name, unit, bound, better, what, peer_is):
        self.name, self.unit, self.bound, self.better = name, unit, bound, better
        self.what, self.peer_is = what, peer_is
        self.ours, self.peer = [], []
        self.extra = {}

    @property
    def ratio(self):
        return statistics.median(self.ours) / statistics.median(self.peer)

    @property
    def passed(self):
        return self.ratio >= self.bound if self.better == "higher" else self.ratio <= self.bound

    def document(self, environment):
        return {"name": self.name, "what": self.what, "ours": statistics.median(self.ours),
                "peer": statistics.median(self.peer), "peer_is": self.peer_is, "unit": self.unit,
                "ratio": self.ratio, "bound": self.bound, "better": self.better, "pass": self.passed,
                "samples": {"ours": self.ours, "peer": self.peer}, **self.extra, "environment": environment}


def in_turn(count, ours, peer):
    """Runs both `count` times, the order changing each time, so that drift of the machine hits both."""
    for index in range(count):
        for measure in (ours, peer) if index % 2 == 0 else (peer, ours):
            measure(index)


def write(directory, document):
    path = directory / f"{document['name']}.json"
    path.write_text(json.dumps(document, indent=2) + "\n")


def number(value):
    return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"


def spread(samples):
    """Largest distance from the median, in percent of it."""
    middle = statistics.median(samples)
    return 100 * max(abs(s - middle) for s in samples) / abs(middle) if middle else 0.0


def row(document):
    sign = ">=" if document["better"] == "higher" else "<="
    return [document["name"], f"{number(document['ours'])} {document['unit']}",
            f"{number(document['peer'])} {document['unit']}", document["peer_is"],
            f"{document['ratio']:.3f}", f"{sign} {document['bound']:g}",
            f"{len(document['samples']['ours'])}",
            f"{spread(document['samples']['ours']):.1f} / {spread(document['samples']['peer']):.1f} %",
            "yes" if document["pass"] else "NO"]


HEADINGS = ["comparison", "Hearth", "peer", "peer is", "ratio", "bound", "samples", "spread", "holds"]


def text_table(documents):
    rows = [HEADINGS] + [row(d) for d in documents]
    widths = [max(len(r[i]) for r in rows) for i in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(r, widths)).rstrip() for r in rows)


def markdown_table(documents):
    rows = [HEADINGS, ["---"] * len(HEADINGS)] + [row(d) for d in documents]
    return "\n".join("| " + " | ".join(r) + " |" for r in rows)
