#!/usr/bin/env python3
"""Checks what a compiler does not: that the tree still is the picture of ARCHITECTURE.md.

    tests/layers/check_layers.py [ROOT]     exit 0: in order; 1: findings, one a line

The rules read three data files beside this script: layers.txt (who may include whom),
third_party.txt (which file may include which library) and parsers.txt (which fuzz target covers
which parser); exceptions.txt holds what is tolerated for now. Every list is checked in both
directions: an entry that nothing needs any more is a finding too, so the lists only shrink.
"""

import fnmatch
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

HEADER_LINES_MAX = 150
THREAD_NAME_CHARACTERS_MAX = 15  # what Linux keeps
LONGEST_SHOWN = 6

# Headers of the C library and of POSIX. What is neither here, nor of C++, nor ours is third party.
SYSTEM_HEADERS = ["arpa/*", "dirent.h", "dlfcn.h", "fcntl.h", "grp.h", "libproc.h", "mach/*", "mach-o/*", "netdb.h", "netinet/*",
                  "net/if*", "ifaddrs.h", "linux/*", "poll.h", "pthread.h", "sched.h", "signal.h", "spawn.h", "sys/*",
                  "sysexits.h", "termios.h", "unistd.h"]


@dataclass(frozen=True)
class Ban:
    name: str
    pattern: str
    replacement: str
    allowed: tuple = ()       # patterns of paths where it is meant
    in_tests_too: bool = True


BANS = [
    Ban("std_thread", r"std::(jthread\b|async\b|thread\b(?!::hardware_concurrency))|\.detach\(\)",
        "hearth::Thread of base/thread.h: it has a name and joins", ("src/hearth/base/*",)),
    Ban("getenv", r"\b(secure_)?getenv\s*\(",
        "a flag or a parameter; cli/environment.cpp alone reads the environment", ("src/hearth/cli/environment.cpp",),
        in_tests_too=False),  # a seed to replay
    Ban("cout", r"std::c(out|err|log)\b",
        "return text to cli, or base/log.h", ("src/hearth/cli/*",)),
    Ban("sleep", r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(",
        "wait for the event itself: a queue, a condition, poll with a StopDescriptor; ManualClock in tests"),
    Ban("rand", r"(?<![\w.>])s?rand\s*\(", "base/random.h with a seed that is a parameter"),
    Ban("shell", r"(?<![\w.>])(system|popen)\s*\(", "base/child_process.h"),
    Ban("assert", r"(?<![\w.>])assert\s*\(", "CHECK of base/check.h: always on"),
    Ban("throw", r"\bthrow\b", "return fail(code, message): base/result.h", in_tests_too=False),
    Ban("coroutine", r"\bco_(await|return|yield)\b",
        "threads, bounded queues and state machines: g++ 12 miscompiles coroutines"),
]


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: [{self.rule}] {self.message}"


@dataclass
class Source:
    path: str             # relative to the root, with slashes
    text: str
    code: str = ""        # text with comments and strings blanked, line breaks kept
    uncommented: str = ""  # text with comments blanked
    includes: list = field(default_factory=list)  # (line, header)

    @property
    def is_header(self):
        return self.path.endswith(".h")

    @property
    def is_test(self):
        name = self.path.rsplit("/", 1)[-1]
        return (self.path.startswith("tests/") or name.startswith("test_")
                or name.endswith(("_test.cpp", "_fuzz.cpp", "_bench.cpp")))


TOKEN = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])+\'',
                   re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def read_source(root, path):
    text = path.read_text(encoding="utf-8")

    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))

    def blank_comment(match):
        return blank(match) if match.group(0).startswith("/") else match.group(0)
    source = Source(path.relative_to(root).as_posix(), text, TOKEN.sub(blank, text), TOKEN.sub(blank_comment, text))
    source.includes = [(line_of(text, m.start()), m.group(1)) for m in INCLUDE.finditer(text)]
    return source


def read_sources(root):
    paths = [p for top in ("src", "tests") for p in (root / top).rglob("*") if p.suffix in (".h", ".cpp")]
    return [read_source(root, path) for path in sorted(paths)]


def matches(path, pattern):
    # '*' crosses folders: "src/hearth/*.cpp" is every .cpp below.
    return fnmatch.fnmatchcase(path, pattern)


@dataclass
class Entry:
    file: str
    line: int
    words: list


def read_list(root, name):
    """Words of each line of a data file; '#' begins a comment."""
    path = root / "tests/layers" / name
    entries = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = re.sub(r"(^|\s)#.*", "", line).split()
        if words:
            entries.append(Entry(path.relative_to(root).as_posix(), number, words))
    return entries


class Exceptions:
    """What is tolerated for now: rule, path, and for some rules a number."""

    def __init__(self, root):
        self.entries = read_list(root, "exceptions.txt")
        self.used = set()

    def find(self, rule, path):
        for entry in self.entries:
            if entry.words[:2] == [rule, path]:
                self.used.add(entry.line)
                return entry
        return None

    def unused(self):
        for entry in self.entries:
            if entry.line not in self.used:
                yield Finding(entry.file, entry.line, "stale", f"nothing needs this any more, delete it: {' '.join(entry.words)}")


# --- layers --------------------------------------------------------------------------------------

@dataclass
class Unit:
    entry: Entry
    name: str
    may_include: list
    patterns: list


def read_units(root):
    """A line: unit, ':', units it may include, ':', patterns of its files below src/hearth."""
    units = []
    for entry in read_list(root, "layers.txt"):
        name, may_include, patterns = (part.split() for part in " ".join(entry.words).split(":"))
        units.append(Unit(entry, name[0], may_include, patterns))
    return units


def unit_of(path, units):
    """The last unit with a pattern for this file."""
    inside = path.removeprefix("src/hearth/")
    found = None
    for unit in units:
        if any(matches(inside, pattern) for pattern in unit.patterns):
            found = unit
    return found


def check_layers(sources, cmake, units):
    used = set(link_arrows(cmake))
    present = set()
    for source in sources:
        if not source.path.startswith("src/hearth/"):
            continue
        unit = unit_of(source.path, units)
        if unit is None:
            yield Finding(source.path, 1, "layer", "no line of tests/layers/layers.txt has this file")
            continue
        present.add(unit.name)
        for line, header in source.includes:
            if not header.startswith("hearth/"):
                continue
            target = unit_of("src/" + header, units)
            if target is None or target.name == unit.name:
                continue
            used.add((unit.name, target.name))
            if target.name not in unit.may_include:
                yield Finding(source.path, line, "layer", f"{unit.name} may not include {target.name} ({header}); it may: "
                                                          f"{' '.join(unit.may_include) or 'nothing'}")
    for unit in units:
        for target in unit.may_include:
            if unit.name in present and (unit.name, target) not in used:
                yield Finding(unit.entry.file, unit.entry.line, "stale", f"no file of {unit.name} includes {target} any more")


UNIT_OF_EXECUTABLE = {"hearth": "cli", "hearth-worker": "worker"}


def link_arrows(cmake):
    """(unit, unit): (file, line) for what modules DEPEND on and what the two executables link."""
    arrows = {}
    for path, text in cmake:
        for match in re.finditer(r"hearth_module\(\s*(\w+)([^)]*)\)", text):
            name, body = match.groups()
            depends = re.search(r"\bDEPENDS\b([\w\s]*?)(?:\bLIBRARIES\b|\bSOURCES\b|$)", body)
            for target in depends.group(1).split() if depends else []:
                arrows[name, target] = (path, line_of(text, match.start()))
        for match in re.finditer(r"target_link_libraries\(\s*([\w-]+)([^)]*)\)", text):
            name = UNIT_OF_EXECUTABLE.get(match.group(1))
            for target in re.findall(r"\bhearth_(\w+)", match.group(2)) if name else []:
                arrows[name, target] = (path, line_of(text, match.start()))
    return arrows


def check_links(cmake, units):
    allowed = {unit.name: unit.may_include for unit in units}
    for (name, target), (path, line) in link_arrows(cmake).items():
        if target not in allowed.get(name, []):
            yield Finding(path, line, "link", f"{name} links {target}, which layers.txt does not allow")


# --- third parties -------------------------------------------------------------------------------

def check_third_party(root, sources):
    entries = read_list(root, "third_party.txt")
    used = set()
    for source in sources:
        for line, header in source.includes:
            if header.startswith(("hearth/", "support/", "tests/")):
                continue
            if "." not in header or any(matches(header, pattern) for pattern in SYSTEM_HEADERS):
                continue
            rows = [e for e in entries if matches(header, e.words[0])]
            if not rows:
                yield Finding(source.path, line, "third_party", f"<{header}> is of a library that third_party.txt does not know")
                continue
            hits = [(e, word) for e in rows for word in e.words[1:] if matches(source.path, word)]
            used.update((e.line, word) for e, word in hits)
            if not hits:
                yield Finding(source.path, line, "third_party",
                              f"<{header}> belongs in {', '.join(rows[0].words[1:])}; use our type over it")
    for entry in entries:
        for word in entry.words[1:]:
            module = re.match(r"src/hearth/\w+", word)  # one that is not there yet needs nothing yet
            if "*" in word or (entry.line, word) in used:
                continue
            if module is None or any((root / module.group(0)).rglob("*.cpp")):
                yield Finding(entry.file, entry.line, "stale", f"{word} includes no {entry.words[0]} any more")


# --- what CMake builds ---------------------------------------------------------------------------

def expand_foreach(text):
    loop = re.compile(r"foreach\(\s*(\w+)\s+([^)]*)\)(.*?)endforeach\([^)]*\)", re.DOTALL)

    def expand(match):
        variable, items, body = match.groups()
        items = [i for i in items.split() if i not in ("IN", "ITEMS", "LISTS")]
        return "\n".join(body.replace("${" + variable + "}", item) for item in items)
    return loop.sub(expand, text)


def read_cmake(root):
    paths = [root / "CMakeLists.txt", *(root / "cmake").glob("*.cmake"),
             *(p for top in ("src", "tests") for p in (root / top).rglob("CMakeLists.txt"))]
    return [(p.relative_to(root).as_posix(), re.sub(r"#[^\n]*", "", p.read_text(encoding="utf-8")))
            for p in sorted(paths) if p.is_file()]


def check_built(sources, cmake):
    named = set()
    for path, text in cmake:
        folder = path.rpartition("/")[0]
        for word in re.findall(r"[\w./${}-]+\.cpp\b", expand_foreach(text)):
            named.add(word.removeprefix("${CMAKE_SOURCE_DIR}/"))
            named.add(f"{folder}/{word}")
    for source in sources:
        if not source.is_header and source.path not in named:
            yield Finding(source.path, 1, "not_built", "no CMakeLists.txt names this file")


# --- text rules ----------------------------------------------------------------------------------

def check_bans(sources, exceptions):
    for source in sources:
        for ban in BANS:
            if source.is_test and not ban.in_tests_too:
                continue
            if any(matches(source.path, pattern) for pattern in ban.allowed):
                continue
            for match in re.finditer(ban.pattern, source.code):
                if exceptions.find("ban_" + ban.name, source.path) is None:
                    yield Finding(source.path, line_of(source.code, match.start()), "ban_" + ban.name,
                                  f"{match.group(0).strip()} is not used here; instead: {ban.replacement}")


def check_header_lines(sources, exceptions):
    for source in sources:
        if not source.is_header or source.is_test or not source.path.startswith("src/"):
            continue
        lines = source.text.count("\n")
        if lines <= HEADER_LINES_MAX:
            continue
        tolerated = exceptions.find("header_lines", source.path)
        if tolerated is None:
            yield Finding(source.path, lines, "header_lines", f"{lines} lines; a public header has at most {HEADER_LINES_MAX}: split it")
        elif lines > int(tolerated.words[2]):
            yield Finding(source.path, lines, "header_lines", f"{lines} lines; exceptions.txt tolerates {tolerated.words[2]}, and that may only shrink")


def check_own_header(root, sources):
    """tests/headers relies on it: a header is proved to compile alone by the file that includes it first."""
    for source in sources:
        own = re.sub(r"\.cpp$", ".h", source.path)
        if source.is_header or not source.path.startswith("src/") or not (root / own).is_file():
            continue
        if not source.includes or source.includes[0][1] != own.removeprefix("src/"):
            yield Finding(source.path, 1, "own_header", f"its first include must be {own.removeprefix('src/')}")


# A function that takes text or bytes apart, or a reader that is fed with them.
PARSER = re.compile(r"\b(?:parse|decode|read)(?:_\w+)?\(\s*(?:ByteSpan|std::string_view|(?:model::)?ByteSource&)"
                    r"|\b(?:push|add|next)\(\s*ByteSpan")


def check_parsers(root, sources, cmake):
    """parsers.txt: a header that declares parsers, and 'fuzz NAME', 'open' or 'own'."""
    entries = {e.words[0]: e for e in read_list(root, "parsers.txt")}
    built = "\n".join(expand_foreach(text) for _, text in cmake)
    fuzzed_headers = {"src/" + header for s in sources if s.path.endswith("_fuzz.cpp") for _, header in s.includes}
    found = set()
    for source in sources:
        match = PARSER.search(source.code)
        if not source.is_header or source.is_test or match is None:
            continue
        found.add(source.path)
        line = line_of(source.code, match.start())
        entry = entries.get(source.path)
        if entry is None:
            yield Finding(source.path, line, "fuzz", "takes bytes or text apart: name its fuzz target in tests/layers/parsers.txt")
        elif entry.words[1] == "open" and source.path in fuzzed_headers:
            yield Finding(entry.file, entry.line, "stale", f"{source.path} has a fuzz target now: name it")
    for path, entry in entries.items():
        if path not in found and not (root / path).is_file():
            yield Finding(entry.file, entry.line, "stale", f"{path} is not there")
        if entry.words[1] != "fuzz":
            continue
        target = entry.words[2]
        if not re.search(rf"hearth_fuzz\(\s*{re.escape(target)}\s", built):
            yield Finding(entry.file, entry.line, "fuzz", f"no CMakeLists.txt has hearth_fuzz({target} …)")
        corpus = root / "tests/corpus" / target
        if not corpus.is_dir() or not any(corpus.iterdir()):
            yield Finding(entry.file, entry.line, "fuzz", f"tests/corpus/{target} has no seeds")


THREAD = re.compile(r'(?:\bThread(?:\s+\w+)?|\bThread::start|\b\w*thread\w*)\s*\(\s*"([^"]+)"')


def check_threads(root, sources):
    page = "docs/threads.md"
    text = (root / page).read_text(encoding="utf-8")
    documented = {m.group(1): line_of(text, m.start()) for m in re.finditer(r"^\| `([^`]+)` \|", text, re.MULTILINE)}
    started = {"main"}  # by the system
    for source in sources:
        if source.is_test:
            continue
        for match in THREAD.finditer(source.uncommented):
            name, line = match.group(1), line_of(source.uncommented, match.start())
            started.add(name)
            if name not in documented:
                yield Finding(source.path, line, "thread", f"thread '{name}' has no line in {page}")
            if len(name) > THREAD_NAME_CHARACTERS_MAX:
                yield Finding(source.path, line, "thread", f"'{name}' is longer than the {THREAD_NAME_CHARACTERS_MAX} characters Linux keeps")
    for name, line in documented.items():
        if name not in started:
            yield Finding(page, line, "stale", f"nothing starts a thread '{name}'")


# --- what is only shown --------------------------------------------------------------------------

def longest_files(sources):
    return sorted(((s.text.count("\n"), s.path) for s in sources), reverse=True)[:LONGEST_SHOWN]


BLOCK_WORDS = ("if", "for", "while", "switch", "do", "else", "case", "return", "namespace", "struct", "class", "enum")


def longest_functions(sources):
    """By indentation: a head in column 0 or 2 (a member in its class) down to the brace that closes it."""
    found = []
    for source in sources:
        begin = {0: None, 2: None}
        for number, line in enumerate(source.code.splitlines()):
            indent = len(line) - len(line.lstrip())
            text = line.strip()
            if indent not in begin or not text:
                continue
            if text == "}":
                if begin[indent] is not None:
                    found.append((number - begin[indent] + 1, f"{source.path}:{begin[indent] + 1}"))
                begin[indent] = None
            elif "(" in text and not text.startswith((*BLOCK_WORDS, "}", "#", ":")):
                begin[indent] = None if text.endswith(";") else number
    return sorted(found, reverse=True)[:LONGEST_SHOWN]


def check(root):
    root = Path(root)
    sources = read_sources(root)
    cmake = read_cmake(root)
    units = read_units(root)
    exceptions = Exceptions(root)
    findings = [
        *check_layers(sources, cmake, units),
        *check_links(cmake, units),
        *check_third_party(root, sources),
        *check_built(sources, cmake),
        *check_bans(sources, exceptions),
        *check_header_lines(sources, exceptions),
        *check_own_header(root, sources),
        *check_parsers(root, sources, cmake),
        *check_threads(root, sources),
    ]
    findings += exceptions.unused()
    return sorted(set(findings)), sources


def main(arguments):
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[2]
    findings, sources = check(root)
    for finding in findings:
        print(finding)
    print(f"{len(sources)} files, {len(findings)} findings")
    print("longest files (for information):", *(f"  {n:5} {path}" for n, path in longest_files(sources)), sep="\n")
    print("longest functions (for information):", *(f"  {n:5} {path}" for n, path in longest_functions(sources)), sep="\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
