#pragma once
// A page that is written twice: as Markdown and as one self-contained HTML file. Pure.

#include <memory>
#include <string>
#include <vector>

namespace hearth::experiment {

// Text with an address behind it; an empty address is plain text.
struct Cell {
  std::string text, link;
  Cell(std::string the_text, std::string the_link = {}) : text(std::move(the_text)), link(std::move(the_link)) {}
  Cell(const char* the_text) : text(the_text) {}
};

class Page {
 public:
  virtual ~Page() = default;
  virtual void heading(int level, const std::string& text) = 0;
  virtual void paragraph(const std::string& text) = 0;
  virtual void list(const std::vector<Cell>& items) = 0;
  virtual void table(const std::vector<std::string>& titles, const std::vector<std::vector<Cell>>& rows) = 0;
  virtual void svg(const std::string& figure) = 0;  // left out of Markdown
  virtual std::string text() const = 0;
};

std::unique_ptr<Page> make_markdown();
std::unique_ptr<Page> make_html(const std::string& title);

}  // namespace hearth::experiment
