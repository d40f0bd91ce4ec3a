#include "hearth/session/line_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace hearth::session {
namespace {

// The search keeps one row for each difference: 2,000 of them are 16 MB.
constexpr int differences_max = 2'000;

using Lines = std::vector<std::string_view>;  // each with its newline, if it has one

Lines split(std::string_view text) {
  Lines out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t size = end == std::string_view::npos ? text.size() : end + 1;
    out.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return out;
}

struct Step {
  char kind;  // ' ' in both, '-' in the old text only, '+' in the new one only
  std::string_view line;
};

// E. W. Myers, "An O(ND) difference algorithm and its variations" (1986): the furthest point reached
// with d differences on each diagonal k = x - y, for d = 0, 1, ...; then the way back.
class Search {
 public:
  Search(const Lines& before, const Lines& after)
      : before_(before), after_(after), old_size_(static_cast<int>(before.size())),
        new_size_(static_cast<int>(after.size())) {}

  std::vector<Step> script() {
    const int differences = find();
    return differences < 0 ? replacement() : walk_back(differences);
  }

 private:
  // The part of a row that d differences can have reached, [-d - 1, d + 1].
  struct Row {
    int d;
    std::vector<int> furthest;
    int at(int k) const { return furthest[static_cast<std::size_t>(k + d + 1)]; }
    bool from_above(int k) const { return k == -d || (k != d && at(k - 1) < at(k + 1)); }
  };

  bool same(int x, int y) const {
    return before_[static_cast<std::size_t>(x)] == after_[static_cast<std::size_t>(y)];
  }

  int find() {
    rows_.push_back({0, {0, 0, 0}});
    for (int d = 0;; ++d) {
      Row next{d + 1, std::vector<int>(static_cast<std::size_t>(2 * d + 5), 0)};
      for (int k = -d; k <= d; k += 2) {
        const Row& row = rows_.back();
        int x = row.from_above(k) ? row.at(k + 1) : row.at(k - 1) + 1;
        while (x < old_size_ && x - k < new_size_ && same(x, x - k)) ++x;
        next.furthest[static_cast<std::size_t>(k + d + 2)] = x;
        if (x >= old_size_ && x - k >= new_size_) return d;
      }
      if (d == std::min(old_size_ + new_size_, differences_max)) return -1;
      rows_.push_back(std::move(next));
    }
  }

  std::vector<Step> walk_back(int differences) const {
    std::vector<Step> out;
    int x = old_size_;
    int y = new_size_;
    const auto keep_to = [&](int to_x, int to_y) {
      for (; x > to_x && y > to_y; --x, --y) out.push_back({' ', before_[static_cast<std::size_t>(x - 1)]});
    };
    for (int d = differences; d > 0; --d) {
      const Row& row = rows_[static_cast<std::size_t>(d)];
      const int k = x - y;
      const bool added = row.from_above(k);
      const int from_x = added ? row.at(k + 1) : row.at(k - 1);
      const int from_y = from_x - (added ? k + 1 : k - 1);
      keep_to(from_x, from_y);
      out.push_back(added ? Step{'+', after_[static_cast<std::size_t>(from_y)]}
                          : Step{'-', before_[static_cast<std::size_t>(from_x)]});
      x = from_x;
      y = from_y;
    }
    keep_to(0, 0);
    std::ranges::reverse(out);
    return out;
  }

  std::vector<Step> replacement() const {
    std::vector<Step> out;
    for (const std::string_view line : before_) out.push_back({'-', line});
    for (const std::string_view line : after_) out.push_back({'+', line});
    return out;
  }

  const Lines& before_;
  const Lines& after_;
  const int old_size_, new_size_;
  std::vector<Row> rows_;
};

std::string range_text(int begin, int count) {
  if (count == 1) return std::to_string(begin + 1);
  return fmt::format("{},{}", count == 0 ? begin : begin + 1, count);
}

void add_line(std::string& out, const Step& step) {
  out += step.kind;
  out += step.line;
  if (!step.line.ends_with('\n')) out += "\n\\ No newline at end of file\n";
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after, int context_lines) {
  if (before == after) return {};
  const Lines old_lines = split(before);
  const Lines new_lines = split(after);
  const std::vector<Step> steps = Search(old_lines, new_lines).script();
  const auto context = static_cast<std::size_t>(context_lines);
  std::string out;
  int old_line = 0;
  int new_line = 0;
  std::size_t position = 0;
  const auto pass = [&](const Step& step) {
    if (step.kind != '+') ++old_line;
    if (step.kind != '-') ++new_line;
  };
  while (position < steps.size()) {
    std::size_t change = position;
    while (change < steps.size() && steps[change].kind == ' ') ++change;
    if (change == steps.size()) break;
    const std::size_t begin = change - std::min(context, change - position);
    for (; position < begin; ++position) pass(steps[position]);
    // A hunk goes on while the next change is near enough to share its context.
    std::size_t end = change;
    for (std::size_t i = change, same = 0; i < steps.size() && same <= 2 * context; ++i) {
      same = steps[i].kind == ' ' ? same + 1 : 0;
      if (same == 0) end = i + 1;
    }
    end = std::min(steps.size(), end + context);
    const int old_begin = old_line;
    const int new_begin = new_line;
    std::string body;
    for (; position < end; ++position) {
      add_line(body, steps[position]);
      pass(steps[position]);
    }
    out += fmt::format("@@ -{} +{} @@\n{}", range_text(old_begin, old_line - old_begin),
                       range_text(new_begin, new_line - new_begin), body);
  }
  return out;
}

}  // namespace hearth::session
