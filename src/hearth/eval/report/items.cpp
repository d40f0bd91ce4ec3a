#include "hearth/eval/report/items.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "hearth/base/utf8.h"
#include "hearth/eval/report/markup.h"

namespace hearth::eval {
namespace {

constexpr std::size_t lost_parts_max = 12;  // of one answer

std::string shown(std::string_view text) {
  if (text.size() <= shown_bytes_max) return escaped(text);
  const std::string_view head = text.substr(0, complete_utf8_prefix(text.substr(0, shown_bytes_max)));
  return escaped(head) + fmt::format("\n… {} more bytes", text.size() - head.size());
}

std::string score_text(const ScoredAnswer& answer) {
  if (answer.score) return fmt::format("{:.0f} of 100", 100 * *answer.score);
  return answer.excused ? "grade given up" : "not graded";
}

std::string mean_text(const Scores& scores, const std::string& item, const std::string& arm) {
  double sum = 0, count = 0;
  for (std::uint32_t k = 0; k < study_generations_max; ++k) {
    const ScoredAnswer* answer = scores.find(item, arm, k);
    if (!answer || !answer->score) continue;
    sum += *answer->score;
    count += 1;
  }
  return count > 0 ? fmt::format("{:.0f}", 100 * sum / count) : "–";
}

class Items {
 public:
  Items(const ArmsFile& file, const StudyRecords& records, const Scores& scores, const ReportOptions& options)
      : file_(file), scores_(scores), options_(options) {
    for (const store::ScoreRecord& one : records.scores) details_[one.generation] = &one.detail;
    for (const store::GradeRecord& one : records.grades) {
      if (one.graded) answers_.emplace(one.task, &one.answer);
    }
  }

  std::string item(const Item& item) const {
    std::string means;
    for (const Arm& arm : file_.arms) means += fmt::format(" {} {}", arm.name, mean_text(scores_, item.id, arm.name));
    std::string out =
        fmt::format("<details><summary>{} <span class=\"soft\">{}</span><span class=\"number\">{}</span></summary>\n",
                    escaped(item.title.empty() ? item.id : item.title), escaped(item.id), escaped(means));
    if (item.egress == Egress::deny && !options_.denied_texts) {
      return out + "<p class=\"soft\">Its texts must not leave the house (egress: deny).</p></details>\n";
    }
    out += fmt::format("<h3>What was asked</h3><pre>{}</pre>\n", shown(prompt_text(item)));
    return out + grader(item) + texts(item) + sealed_texts(item) + "</details>\n";
  }

 private:
  static std::string grader(const Item& item) {
    const auto* rubric = std::get_if<RubricSpec>(&item.grader);
    if (!rubric) {
      return fmt::format("<details><summary>Graded by: {}</summary><pre>{}</pre></details>\n",
                         grader_kind(item.grader), shown(dump_json(grader_json(item.grader), 2)));
    }
    std::vector<std::vector<std::string>> rows;
    for (const RubricSpec::Criterion& one : rubric->criteria) {
      rows.push_back({escaped(one.id), escaped(one.text), fmt::format("{:g}", one.weight)});
    }
    return "<h3>Graded by these criteria</h3>\n" + table_html({"criterion", "is met if", ">weight"}, rows);
  }

  // Its round is not opened: nobody is told who wrote it.
  static bool is_sealed(const Item& item, const ScoredAnswer& answer) {
    return needs_judge(item.grader) && answer.task.empty() && !answer.score;
  }

  std::string texts(const Item& item) const {
    std::string out;
    for (std::uint32_t k = 0; k < study_generations_max; ++k) {
      std::string row;
      for (const Arm& arm : file_.arms) {
        const ScoredAnswer* answer = scores_.find(item.id, arm.name, k);
        if (!answer || is_sealed(item, *answer)) continue;
        const store::GenerationRecord& g = *answer->generation;
        row += fmt::format(
            "<div><strong>{}</strong> {} <span class=\"soft\">{} tokens, {:.1f} s{}{}</span><pre>{}</pre>{}</div>\n",
            escaped(arm.name), score_text(*answer), g.answer_tokens, g.total_s, g.fault.empty() ? "" : ", ",
            escaped(g.fault), shown(g.output), reasons(*answer));
      }
      if (!row.empty()) out += fmt::format("<h3>Generation {}</h3><div class=\"texts\">{}</div>\n", k + 1, row);
    }
    return out;
  }

  // In no order that tells who wrote what: by a digest of the text.
  std::string sealed_texts(const Item& item) const {
    std::map<std::string, const store::GenerationRecord*> all;
    for (const Arm& arm : file_.arms) {
      for (std::uint32_t k = 0; k < study_generations_max; ++k) {
        const ScoredAnswer* answer = scores_.find(item.id, arm.name, k);
        if (answer && is_sealed(item, *answer))
          all[blake2b(as_byte_span(answer->generation->key)).short_hex()] = answer->generation;
      }
    }
    if (all.empty()) return "";
    std::string out = "<h3>Not opened yet</h3><div class=\"texts\">";
    for (const auto& [id, generation] : all)
      out += fmt::format("<div><strong>{}</strong><pre>{}</pre></div>\n", id, shown(generation->output));
    return out + "</div>\n";
  }

  std::string reasons(const ScoredAnswer& answer) const {
    std::string out;
    const auto detail = details_.find(answer.generation->key);
    const auto graded = answers_.find(answer.task);
    const std::string* text = graded != answers_.end()   ? graded->second
                              : detail != details_.end() ? detail->second
                                                         : nullptr;
    if (!text) return out;
    const auto json = parse_json(*text);
    if (!json) return out;
    if (const Json* criteria = json->find("criteria"); criteria && criteria->is_array()) {
      for (const Json& one : criteria->as_array()) {
        const Json *id = one.find("id"), *met = one.find("met");
        if (!id || !id->is_string() || !met || !met->is_bool()) continue;
        const Json* quote = one.find("quote");
        const std::string said = quote && quote->is_string() ? quote->as_string() : "";
        out += fmt::format("<span title=\"{}\">{}</span> ", escaped(said),
                           badge(met->as_bool() ? "good" : "bad", (met->as_bool() ? "yes " : "no ") + id->as_string()));
      }
    }
    const Json *reason = json->find("reason"), *parts = json->find("parts");
    if (reason && reason->is_string() && !reason->as_string().empty())
      return out + fmt::format("<p class=\"soft\">{}</p>", escaped(reason->as_string()));
    return parts && parts->is_array() ? out + lost_parts(*parts) : out;
  }

  // What an answer lost its points by.
  static std::string lost_parts(const Json& parts) {
    std::string out;
    std::size_t lost = 0;
    for (const Json& one : parts.as_array()) {
      const Json *name = one.find("name"), *score = one.find("score"), *reason = one.find("reason");
      if (!name || !name->is_string() || !score || !score->is_number() || score->as_double() >= 1) continue;
      if (++lost > lost_parts_max) continue;
      const std::string why = reason && reason->is_string() ? reason->as_string() : "";
      out += fmt::format("<li>{}{}{}</li>", escaped(name->as_string()), why.empty() ? "" : ": ", escaped(why));
    }
    if (lost > lost_parts_max) out += fmt::format("<li>{} more</li>", lost - lost_parts_max);
    return out.empty() ? out : "<ul class=\"soft\">" + out + "</ul>\n";
  }

  const ArmsFile& file_;
  const Scores& scores_;
  const ReportOptions& options_;
  std::map<std::string, const std::string*> details_, answers_;
};

}  // namespace

std::string items_html(const Suite& suite, const ArmsFile& file, const StudyRecords& records, const Scores& scores,
                       const ReportOptions& options) {
  const Items items(file, records, scores, options);
  std::string out;
  std::string last_class;
  for (const Item& item : suite.items) {
    if (const std::string name(class_name(item.task_class)); name != last_class) {
      out += fmt::format("<h3>{}</h3>\n", escaped(name));
      last_class = name;
    }
    out += items.item(item);
  }
  return out;
}

}  // namespace hearth::eval
