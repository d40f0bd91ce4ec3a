#!/usr/bin/env python3
"""Every rule of check_layers.py catches what it is for, in a small tree made for the test."""

import tempfile
import unittest
from pathlib import Path

import check_layers

CLEAN = {
    "CMakeLists.txt": "add_subdirectory(src/hearth)\n",
    "cmake/Module.cmake": "",
    "src/hearth/base/CMakeLists.txt":
        "hearth_module(base SOURCES text.cpp\n  LIBRARIES shiny::shiny)\n"
        "foreach(name words)\n  hearth_fuzz(${name} SOURCE ${name}_fuzz.cpp DEPENDS base)\nendforeach()\n",
    "src/hearth/base/text.h": "#pragma once\n#include <string>\nstd::string parse_words(std::string_view text);\n",
    "src/hearth/base/text.cpp": '#include "hearth/base/text.h"\n#include <unistd.h>\n#include <shiny/shiny.h>\n'
                                'void run() { Thread worker("worker", [] {}); }\n',
    "src/hearth/base/words_fuzz.cpp": '#include "hearth/base/text.h"\n',
    "src/hearth/net/CMakeLists.txt": "hearth_module(net SOURCES wire.cpp DEPENDS base)\n"
                                     "hearth_test(net_test SOURCES wire_test.cpp DEPENDS net)\n",
    "src/hearth/net/wire.h": '#pragma once\n#include "hearth/base/text.h"\n',
    "src/hearth/net/wire.cpp": '#include "hearth/net/wire.h"\n',
    "src/hearth/net/wire_test.cpp": '#include "hearth/net/wire.h"\n#include <gtest/gtest.h>\n',
    "src/hearth/cli/CMakeLists.txt": "add_executable(hearth main.cpp)\ntarget_link_libraries(hearth PRIVATE hearth_net)\n",
    "src/hearth/cli/main.cpp": '#include "hearth/net/wire.h"\n',
    "tests/corpus/words/one": "a word",
    "tests/layers/layers.txt": "base : : base/*\nnet : base : net/*\nplan : base net : plan/*\ncli : net : cli/*\n",
    "tests/layers/third_party.txt": "shiny/* src/hearth/base/text.cpp\ntoml/* src/hearth/plan/toml.cpp\n"
                                    "gtest/* src/*_test.cpp\n",
    "tests/layers/parsers.txt": "src/hearth/base/text.h fuzz words\n",
    "tests/layers/exceptions.txt": "# none\n",
    "docs/threads.md": "| `main` | x |\n| `worker` | x |\n",
}


class CheckLayers(unittest.TestCase):
    def check(self, **changes):
        """Findings for the clean tree with files replaced, added, or (None) left out."""
        files = {**CLEAN, **changes.get("files", {})}
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for path, text in files.items():
                if text is not None:
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    (root / path).write_text(text, encoding="utf-8")
            return check_layers.check(root)[0]

    def assert_found(self, rule, path, files):
        findings = self.check(files=files)
        self.assertIn((rule, path), [(f.rule, f.path) for f in findings], [str(f) for f in findings])

    def assert_clean(self, files):
        self.assertEqual([str(f) for f in self.check(files=files)], [])

    def test_a_tree_in_order_has_no_findings(self):
        self.assert_clean({})

    def test_an_include_upwards_is_found(self):
        path = "src/hearth/base/text.h"
        self.assert_found("layer", path, {path: CLEAN[path] + '#include "hearth/net/wire.h"\n'})

    def test_an_include_upwards_in_a_unit_test_is_found(self):
        path = "src/hearth/net/wire_test.cpp"
        self.assert_found("layer", path, {path: CLEAN[path] + '#include "hearth/cli/flags.h"\n'})

    def test_a_folder_without_a_line_in_layers_is_found(self):
        self.assert_found("layer", "src/hearth/extra/a.h", {"src/hearth/extra/a.h": ""})

    def test_an_arrow_that_nothing_uses_is_found(self):
        self.assert_found("stale", "tests/layers/layers.txt",
                          {"src/hearth/cli/main.cpp": "", "src/hearth/cli/CMakeLists.txt": "add_executable(hearth main.cpp)"})

    def test_a_link_upwards_is_found(self):
        path = "src/hearth/base/CMakeLists.txt"
        self.assert_found("link", path, {path: CLEAN[path].replace("LIBRARIES", "DEPENDS net LIBRARIES")})

    def test_an_executable_that_links_more_than_its_unit_is_found(self):
        path = "src/hearth/cli/CMakeLists.txt"
        self.assert_found("link", path, {path: CLEAN[path].replace("hearth_net", "hearth_net hearth_engine_llama")})

    def test_a_library_header_outside_its_file_is_found(self):
        path = "src/hearth/net/wire.h"
        self.assert_found("third_party", path, {path: CLEAN[path] + "#include <shiny/shiny.h>\n"})

    def test_a_quoted_library_header_is_found(self):
        path = "src/hearth/net/wire.cpp"
        self.assert_found("third_party", path, {path: CLEAN[path] + '#include "shiny/more.h"\n'})

    def test_an_unknown_library_is_found(self):
        path = "src/hearth/net/wire.cpp"
        self.assert_found("third_party", path, {path: CLEAN[path] + "#include <new_library.hpp>\n"})

    def test_a_library_permission_that_nothing_uses_is_found(self):
        path = "src/hearth/base/text.cpp"
        self.assert_found("stale", "tests/layers/third_party.txt", {path: CLEAN[path].replace("#include <shiny/shiny.h>", "")})

    def test_a_source_that_no_cmake_file_names_is_found(self):
        self.assert_found("not_built", "src/hearth/net/lost.cpp", {"src/hearth/net/lost.cpp": ""})

    def test_each_banned_call_is_found(self):
        calls = {"std_thread": "std::thread t;", "getenv": 'getenv("A");', "cout": "std::cout << 1;",
                 "sleep": "std::this_thread::sleep_for(x);", "rand": "int a = rand();", "shell": 'system("ls");',
                 "assert": "assert(true);", "throw": "throw 1;", "coroutine": "co_return;"}
        self.assertEqual(set(calls), {ban.name for ban in check_layers.BANS})
        path = "src/hearth/net/wire.cpp"
        for name, call in calls.items():
            with self.subTest(name):
                self.assert_found("ban_" + name, path, {path: CLEAN[path] + f"void f() {{ {call} }}\n"})

    def test_words_in_comments_and_strings_are_not_calls(self):
        path = "src/hearth/net/wire.cpp"
        self.assert_clean({path: CLEAN[path] + '// getenv("A") would throw\nconst char* a = "rand() \\" throw";\n'
                                               'int n = 1\'000; /* std::thread */ auto r = R"(co_await)";\n'
                                               "unsigned n = std::thread::hardware_concurrency();\n"})

    def test_a_tolerated_call_is_no_finding_until_it_is_gone(self):
        path = "src/hearth/net/wire.cpp"
        tolerated = {"tests/layers/exceptions.txt": f"ban_rand {path}\n"}
        self.assert_clean({**tolerated, path: CLEAN[path] + "int a = rand();\n"})
        self.assert_found("stale", "tests/layers/exceptions.txt", tolerated)

    def test_a_long_header_is_found(self):
        path = "src/hearth/net/wire.h"
        self.assert_found("header_lines", path, {path: CLEAN[path] + "//\n" * 150})

    def test_a_tolerated_long_header_may_only_shrink(self):
        path = "src/hearth/net/wire.h"
        tolerated = {"tests/layers/exceptions.txt": f"header_lines {path} 160\n"}
        self.assert_clean({**tolerated, path: CLEAN[path] + "//\n" * 150})
        self.assert_found("header_lines", path, {**tolerated, path: CLEAN[path] + "//\n" * 170})
        self.assert_found("stale", "tests/layers/exceptions.txt", tolerated)

    def test_a_source_that_includes_its_own_header_late_is_found(self):
        path = "src/hearth/net/wire.cpp"
        self.assert_found("own_header", path, {path: "#include <string>\n" + CLEAN[path]})

    def test_a_parser_without_a_line_is_found(self):
        path = "src/hearth/net/wire.h"
        self.assert_found("fuzz", path, {path: CLEAN[path] + "Frame decode_frame(ByteSpan bytes);\n"})

    def test_a_parser_without_fuzz_target_or_seeds_is_found(self):
        page = "tests/layers/parsers.txt"
        self.assert_found("fuzz", page, {"src/hearth/base/CMakeLists.txt": "hearth_module(base SOURCES text.cpp words_fuzz.cpp)"})
        self.assert_found("fuzz", page, {"tests/corpus/words/one": None})

    def test_a_parser_that_is_open_no_longer_is_found(self):
        self.assert_found("stale", "tests/layers/parsers.txt", {"tests/layers/parsers.txt": "src/hearth/base/text.h open\n"})

    def test_a_parser_that_is_gone_is_found(self):
        page = "tests/layers/parsers.txt"
        self.assert_found("stale", page, {page: CLEAN[page] + "src/hearth/base/gone.h own\n"})

    def test_a_thread_without_a_line_in_the_page_is_found(self):
        path = "src/hearth/net/wire.cpp"
        for start in ('Thread a("other", f);', 'auto a = Thread::start("other", f);', ': accept_thread_("other", [] {}) {}'):
            with self.subTest(start):
                self.assert_found("thread", path, {path: CLEAN[path] + start + "\n"})

    def test_a_thread_name_that_the_system_would_cut_is_found(self):
        path = "src/hearth/net/wire.cpp"
        name = "sixteen_letters_"
        self.assert_found("thread", path, {path: CLEAN[path] + f'Thread a("{name}", f);\n',
                                           "docs/threads.md": CLEAN["docs/threads.md"] + f"| `{name}` | x |\n"})

    def test_a_thread_that_nothing_starts_is_found(self):
        self.assert_found("stale", "docs/threads.md", {"docs/threads.md": CLEAN["docs/threads.md"] + "| `ghost` | x |\n"})


if __name__ == "__main__":
    unittest.main()
