#pragma once
// A table for people: columns as wide as their content, numbers to the right.

#include <string>
#include <vector>

namespace hearth::cli {

class Table {
 public:
  // A title that begins with '>' makes a right-aligned column.
  explicit Table(std::vector<std::string> titles);
  void add(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::string> titles_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

// "1.2 GB", "340 MB", "17 B": powers of ten, three digits.
std::string human_bytes(double bytes);

}  // namespace hearth::cli
