// hearth eval grade: a person grades, blind, in the terminal or in a page on loopback.

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "hearth/cli/eval_study.h"
#include "hearth/cli/verbs.h"
#include "hearth/eval/blind/blind_map.h"
#include "hearth/eval/judge/grading_page.h"
#include "hearth/net/http_server.h"

namespace hearth::cli {
namespace {

struct GradeFlags {
  std::string folder = "study";
  bool web = false;
  std::uint32_t port = 0;
};

constexpr Duration poll_pause = std::chrono::milliseconds(300);

void show(const eval::GradingDesk::Place& place) {
  std::printf("\n===== %zu of %zu graded =====\n\nWhat was asked:\n%s\n", place.done, place.total,
              place.task.prompt.c_str());
  for (std::size_t i = 0; i < place.task.texts.size(); ++i)
    std::printf("\n----- text %zu -----\n%s\n", i + 1, place.task.texts[i].c_str());
  std::puts("-----");
}

// A line of the person's; nothing: the input ended or somebody pressed Ctrl-C.
std::optional<std::string> read_line(const std::string& question, const StopToken& stop) {
  std::printf("%s ", question.c_str());
  std::fflush(stdout);
  const StopDescriptor stopped(stop);
  pollfd wait[2] = {{STDIN_FILENO, POLLIN, 0}, {stopped.fd(), POLLIN, 0}};
  if (std::cin.rdbuf()->in_avail() <= 0 && ::poll(wait, 2, -1) > 0 && (wait[1].revents != 0)) return {};
  std::string out;
  if (!std::getline(std::cin, out)) return {};
  return out;
}

std::optional<std::string> ask_criteria(const eval::JudgeTask& task, const StopToken& stop) {
  Json criteria = Json::array();
  for (const eval::RubricSpec::Criterion& one : task.criteria) {
    std::optional<std::string> line;
    do {
      line = read_line(fmt::format("{} [y/n]", one.text), stop);
      if (!line) return {};
    } while (*line != "y" && *line != "n");
    criteria.push(Json::object({{"id", one.id}, {"met", *line == "y"}, {"quote", ""}}));
  }
  return dump_json(Json::object({{"criteria", std::move(criteria)}}));
}

std::optional<std::string> ask_number(const eval::JudgeTask& task, const StopToken& stop) {
  const bool pair = task.question == eval::Question::pair;
  const std::string question = pair ? "By how much is the first better, in tenths of a full score (-10 to 10)?"
                                    : "How likely is text 3 by the writer of text 2, in per cent (0 to 100)?";
  while (true) {
    const auto line = read_line(question, stop);
    if (!line) return {};
    const std::size_t digits = line->starts_with('-') ? 1 : 0;
    const bool is_number =
        line->size() > digits && line->size() < 5 && line->find_first_not_of("0123456789", digits) == std::string::npos;
    if (is_number) return fmt::format("{{\"{}\": {}}}", pair ? "lead" : "second_writer", std::atoi(line->c_str()));
    std::puts("Expected a whole number.");
  }
}

int grade_here(eval::GradingDesk& desk, const StopToken& stop) {
  while (true) {
    const auto place = desk.next();
    if (!place) return report(place.error());
    if (!place->id) {
      std::printf("\nAll %zu texts are graded.\n", place->total);
      return exit_done;
    }
    show(*place);
    const auto answer =
        place->task.question == eval::Question::score ? ask_criteria(place->task, stop) : ask_number(place->task, stop);
    if (!answer) {
      std::printf("\nStopped at %zu of %zu; what is graded is kept.\n", place->done, place->total);
      return exit_interrupted;
    }
    if (const auto kept = desk.grade(*place->id, *answer, now_seconds()); !kept)
      std::printf("That is no grade: %s\n", kept.error().message.c_str());
  }
}

int grade_in_browser(eval::GradingDesk& desk, const GradeFlags& own, const StopToken& stop) {
  const auto secret = eval::secure_nonce();
  if (!secret) return report(secret.error());
  const std::string key = secret->substr(0, 32);
  auto listener = net::Listener::listen(net::Address::tcp("127.0.0.1", static_cast<std::uint16_t>(own.port)));
  if (!listener) return report(listener.error());
  auto server = net::HttpServer::start(*std::move(listener), eval::grading_routes(desk, key, now_seconds));
  if (!server) return report(server.error());
  std::printf("ready http://127.0.0.1:%u/%s/\n", static_cast<unsigned>((*server)->address().port), key.c_str());
  std::puts("Open it in a browser on this machine; Ctrl-C ends the grading, what is graded is kept.");
  std::fflush(stdout);
  while (!stopped_while_waiting(stop, Deadline::after(poll_pause))) {
    const auto place = desk.next();
    if (!place) return report(place.error());
    if (place->id) continue;
    std::printf("All %zu texts are graded.\n", place->total);
    // The page's last request is answered within the server's grace.
    return exit_done;
  }
  return exit_interrupted;
}

int grade(const GradeFlags& own, const StopToken& stop) {
  const auto study = reopen_study(own.folder);
  if (!study) return report(study.error());
  const auto desk = eval::GradingDesk::open(study->file, *study->records);
  if (!desk) return report(desk.error());
  if (own.port > 65'535) return report(fail(Code::invalid_argument, "--port: expected at most 65535").error());
  return own.web ? grade_in_browser(**desk, own, stop) : grade_here(**desk, stop);
}

}  // namespace

Verb eval_grade_verb(StopToken stop) {
  const auto own = std::make_shared<GradeFlags>();
  return {.name = "grade",
          .summary = "grade as a person, blind, in the terminal or in a page for the keyboard",
          .example = "hearth eval grade q4-against-q8 --web",
          .declare =
              [own](Flags& flags) {
                flags.text("study", own->folder, "folder of the study");
                flags.toggle("--web", own->web, "a page on 127.0.0.1 instead of the terminal");
                flags.count("--port", own->port, "of that page (0: any)");
              },
          .run = [own, stop] { return grade(*own, stop); },
          .children = {}};
}

}  // namespace hearth::cli
