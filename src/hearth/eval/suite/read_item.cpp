#include "hearth/eval/suite/read_item.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/toml.h"
#include "hearth/base/utf8.h"

namespace hearth::eval {
namespace {

constexpr double answer_tokens_max = 200'000;

std::int64_t line_of(std::string_view text, std::size_t position) {
  return 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(position), '\n');
}

class ItemReader {
 public:
  ItemReader(const ItemFiles& files, TomlProblems& problems) : files_(files), problems_(problems) {}

  std::optional<Item> read() {
    const std::size_t before = problems_.size();
    check_names();
    const std::string_view* text = files_.find("item.toml");
    const auto toml = parse_toml(*text, files_.name_of("item.toml"));
    if (!toml) {
      problems_.push_back(toml.error().message);
      return std::nullopt;
    }
    item_.id = files_.id;
    item_.file = files_.name_of("item.toml");
    read_fields(*toml);
    read_answers();
    item_.grader = read_grader({files_, *toml, problems_, documents_, item_.answers});
    read_messages();
    if (problems_.size() > before) return std::nullopt;
    return std::move(item_);
  }

 private:
  void problem(std::string_view file, std::int64_t line, std::string_view what) {
    problems_.push_back(fmt::format("{}:{}: {}", files_.name_of(file), line, what));
  }

  void check_names() {
    constexpr std::string_view known[] = {"item.toml", "prompt.md", "system.md", "cases.json", "probe.py", "check.py", "expected.json", "world.toml"};
    constexpr std::string_view folders[] = {"materials/", "answers/", "files/"};
    for (const auto& [name, text] : files_.files) {
      const bool is_known = std::ranges::find(known, name) != std::end(known) ||
                            std::ranges::any_of(folders, [&](std::string_view folder) { return name.starts_with(folder); });
      if (!is_known) problem(name, 1, "is no file of an item; see docs/formats/eval_item.md, or put it into materials/");
      if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) problem(name, line_of(text, bad), "is not UTF-8 text");
    }
  }

  void read_fields(const Json& toml) {
    TomlEntry entry(toml, item_.file, "item", problems_);
    item_.title = entry.text("title");
    item_.cluster = entry.text_or("cluster", item_.id);
    item_.max_tokens = static_cast<std::uint32_t>(entry.number_required("max_tokens", {1, answer_tokens_max}));
    if (const std::string name = entry.text("class"); !name.empty()) {
      const auto found = parse_class(name);
      if (found) item_.task_class = *found;
      else entry.problem(found.error().message);
    }
    // Absent means that nothing may leave.
    item_.egress_is_named = entry.has("egress");
    const auto egress = parse_egress(entry.text_or("egress", "deny"));
    if (egress) item_.egress = *egress;
    else entry.problem(egress.error().message);
    entry.informative({"grader", "criterion", "generator", "note"});
    entry.finish();
  }

  void read_answers() {
    constexpr std::string_view folder = "answers/";
    for (const auto& [name, text] : files_.files) {
      if (!name.starts_with(folder)) continue;
      const std::string bare = name.substr(folder.size(), name.rfind('.') - folder.size());
      const bool is_reference = bare.starts_with("reference");
      if (!is_reference && !bare.starts_with("wrong-")) {
        problem(name, 1, "expected reference.md or wrong-WHAT.md: an answer that must reach the full score, or must not");
        continue;
      }
      item_.answers.push_back({bare, std::string(text), is_reference});
    }
  }

  void read_messages() {
    if (const std::string_view* system = files_.find("system.md")) {
      item_.messages.push_back({.role = chat::Role::system, .text = filled("system.md", *system)});
    }
    const std::string_view* prompt = files_.find("prompt.md");
    if (prompt == nullptr) {
      problem("item.toml", 1, "prompt.md is missing beside it");
      return;
    }
    item_.messages.push_back({.role = chat::Role::user, .text = filled("prompt.md", *prompt)});
    if (item_.messages.back().text.empty()) problem("prompt.md", 1, "is empty");
    constexpr std::string_view folder = "materials/";
    for (const auto& [name, text] : files_.files) {
      if (!name.starts_with(folder) || std::ranges::find(item_.materials, name.substr(folder.size())) != item_.materials.end()) continue;
      problem(name, 1, fmt::format("is not part of the prompt: write {{{{file:{}}}}} where it belongs", name.substr(folder.size())));
    }
  }

  // "{{file:NAME}}" is a material; "{{state}}", "{{document}}" and "{{questions}}" come from the grader's files.
  std::string filled(std::string_view file, std::string_view text) {
    std::string out;
    const std::string_view whole = text;
    while (!text.empty()) {
      const std::size_t open = text.find("{{"), close = open == std::string_view::npos ? open : text.find("}}", open);
      out += text.substr(0, close == std::string_view::npos ? close : open);
      if (close == std::string_view::npos) break;
      const std::string name(text.substr(open + 2, close - open - 2));
      const std::int64_t line = line_of(whole, static_cast<std::size_t>(text.data() - whole.data()) + open);
      out += replacement(file, line, name);
      text.remove_prefix(close + 2);
    }
    const std::size_t end = out.find_last_not_of(" \n\t");
    out.resize(end == std::string::npos ? 0 : end + 1);
    return out;
  }

  std::string replacement(std::string_view file, std::int64_t line, const std::string& name) {
    constexpr std::string_view prefix = "file:";
    if (name.starts_with(prefix)) {
      const std::string material = name.substr(prefix.size());
      if (const std::string_view* text = files_.find("materials/" + material)) {
        item_.materials.push_back(material);
        return std::string(text->substr(0, text->find_last_not_of('\n') + 1));
      }
      problem(file, line, fmt::format("'{{{{{}}}}}': there is no materials/{}", name, material));
    } else if (const auto found = documents_.find(name); found != documents_.end()) {
      return found->second;
    } else {
      problem(file, line, fmt::format("'{{{{{}}}}}' stands for nothing; expected file:NAME{}; braces that are meant as such go into a file of materials/", name,
                                      documents_.empty() ? "" : " or what the grader provides"));
    }
    return {};
  }

  const ItemFiles& files_;
  TomlProblems& problems_;
  Item item_;
  std::map<std::string, std::string> documents_;
};

}  // namespace

std::optional<Item> read_item(const ItemFiles& files, TomlProblems& problems) { return ItemReader(files, problems).read(); }

}  // namespace hearth::eval
