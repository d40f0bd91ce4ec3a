#include "hearth/experiment/page.h"

#include <fmt/format.h>

#include "hearth/plan/output/plot.h"

namespace hearth::experiment {
namespace {

using plan::escaped;

class Markdown final : public Page {
 public:
  void heading(int level, const std::string& text) override { out_ += std::string(static_cast<std::size_t>(level), '#') + " " + flat(text) + "\n\n"; }
  void paragraph(const std::string& text) override { out_ += flat(text) + "\n\n"; }
  void list(const std::vector<Cell>& items) override {
    for (const Cell& item : items) out_ += "- " + cell(item) + "\n";
    out_ += "\n";
  }
  void table(const std::vector<std::string>& titles, const std::vector<std::vector<Cell>>& rows) override {
    for (const std::string& title : titles) out_ += "| " + flat(title) + " ";
    out_ += "|\n";
    for (std::size_t i = 0; i < titles.size(); ++i) out_ += "|---";
    out_ += "|\n";
    for (const auto& row : rows) {
      for (const Cell& one : row) out_ += "| " + cell(one) + " ";
      out_ += "|\n";
    }
    out_ += "\n";
  }
  void svg(const std::string&) override {}
  std::string text() const override { return out_; }

 private:
  // On one line, and without the characters that would end a cell or begin markup.
  static std::string flat(const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '\n' || c == '\r') out += ' ';
      else if (c == '|' || c == '<' || c == '`' || c == '*' || c == '_' || c == '[' || c == ']') (out += '\\') += c;
      else out += c;
    }
    return out;
  }
  static std::string cell(const Cell& one) { return one.link.empty() ? flat(one.text) : fmt::format("[{}]({})", flat(one.text), one.link); }
  std::string out_;
};

constexpr const char* style = R"(<style>
:root{color-scheme:light dark;--ink:#1d1f23;--paper:#fff;--grid:#d9dce1;--link:#2456b8;--s0:#3366cc;--s1:#cc5522;--s2:#2a8a4a;--s3:#8844aa}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#16181c;--grid:#3a3e45;--link:#8ab4ff;--s0:#7aa2ff;--s1:#ff9a66;--s2:#66cc88;--s3:#c79aff}}
body{font:17px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2.5rem auto;padding:0 1rem}
a{color:var(--link)}h1{line-height:1.2}h2{margin-top:2.4rem}.wide{overflow-x:auto}table{border-collapse:collapse;font-size:.93em;font-variant-numeric:tabular-nums}
td,th{padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--grid);text-align:left;vertical-align:top}figure{margin:1rem 0}
svg{max-width:36rem;width:100%}svg text{fill:var(--ink);font-size:11px}.grid{stroke:var(--grid)}polyline{fill:none;stroke-width:2}
.s0{stroke:var(--s0)}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}.s3{stroke:var(--s3)}circle.s0{fill:var(--s0)}circle.s1{fill:var(--s1)}circle.s2{fill:var(--s2)}circle.s3{fill:var(--s3)}
ul.legend{list-style:none;padding:0;display:flex;gap:1rem}ul.legend span{display:inline-block;width:.8rem;height:.8rem;margin-right:.4rem}
span.s0{background:var(--s0)}span.s1{background:var(--s1)}span.s2{background:var(--s2)}span.s3{background:var(--s3)}
</style>)";

class Html final : public Page {
 public:
  explicit Html(const std::string& title)
      : out_(fmt::format("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{}</title>{}\n", escaped(title), style)) {}
  void heading(int level, const std::string& text) override { out_ += fmt::format("<h{0}>{1}</h{0}>\n", level, escaped(text)); }
  void paragraph(const std::string& text) override { out_ += "<p>" + escaped(text) + "</p>\n"; }
  void list(const std::vector<Cell>& items) override {
    out_ += "<ul>";
    for (const Cell& item : items) out_ += "<li>" + cell(item) + "</li>";
    out_ += "</ul>\n";
  }
  void table(const std::vector<std::string>& titles, const std::vector<std::vector<Cell>>& rows) override {
    out_ += "<div class=\"wide\"><table><tr>";
    for (const std::string& title : titles) out_ += "<th>" + escaped(title) + "</th>";
    out_ += "</tr>\n";
    for (const auto& row : rows) {
      out_ += "<tr>";
      for (const Cell& one : row) out_ += "<td>" + cell(one) + "</td>";
      out_ += "</tr>\n";
    }
    out_ += "</table></div>\n";
  }
  void svg(const std::string& figure) override { out_ += figure; }
  std::string text() const override { return out_ + "</html>\n"; }

 private:
  static std::string cell(const Cell& one) { return one.link.empty() ? escaped(one.text) : fmt::format("<a href=\"{}\">{}</a>", escaped(one.link), escaped(one.text)); }
  std::string out_;
};

}  // namespace

std::unique_ptr<Page> make_markdown() { return std::make_unique<Markdown>(); }
std::unique_ptr<Page> make_html(const std::string& title) { return std::make_unique<Html>(title); }

}  // namespace hearth::experiment
