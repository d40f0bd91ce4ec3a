#include "hearth/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace hearth::cli {
namespace {

class CliFlags final : public Flags {
 public:
  explicit CliFlags(CLI::App& app) : app_(app) {}

  void text(const std::string& flag, std::string& target, const std::string& help) override {
    last_ = app_.add_option(flag, target, help)->capture_default_str();
  }
  void choice(const std::string& flag, std::string& target, const std::vector<std::string>& allowed,
              const std::string& help) override {
    last_ = app_.add_option(flag, target, help)->check(CLI::IsMember(allowed))->capture_default_str();
  }
  void path(const std::string& flag, std::filesystem::path& target, const std::string& help) override {
    last_ = app_.add_option(flag, target, help);
  }
  void count(const std::string& flag, std::uint32_t& target, const std::string& help) override {
    last_ = app_.add_option(flag, target, help)->capture_default_str();
  }
  void big_count(const std::string& flag, std::uint64_t& target, const std::string& help) override {
    last_ = app_.add_option(flag, target, help)->capture_default_str();
  }
  void number(const std::string& flag, double& target, const std::string& help) override {
    last_ = app_.add_option(flag, target, help)->capture_default_str();
  }
  void toggle(const std::string& flag, bool& target, const std::string& help) override {
    last_ = app_.add_flag(flag, target, help);
  }
  void list(const std::string& flag, std::vector<std::string>& target,
            const std::string& help) override {
    // A flag takes one value each time: what follows that may be the verb's own argument.
    last_ = app_.add_option(flag, target, help)->allow_extra_args(!flag.starts_with('-'));
  }
  void required() override { last_->required(); }

 private:
  CLI::App& app_;
  CLI::Option* last_ = nullptr;
};

// Of a verb that has none of its own: its first child's.
std::string example_of(const Verb& verb) {
  return verb.example.empty() && !verb.children.empty() ? example_of(verb.children.front()) : verb.example;
}

void add_verbs(CLI::App& parent, const std::vector<Verb>& verbs, const Verb*& chosen) {
  for (const Verb& verb : verbs) {
    CLI::App* app = parent.add_subcommand(verb.name, verb.summary);
    if (const std::string example = example_of(verb); !example.empty()) app->footer("Example:\n  " + example);
    if (verb.declare) {
      CliFlags flags(*app);
      verb.declare(flags);
    }
    if (!verb.children.empty()) {
      app->require_subcommand(verb.run ? 0 : 1, 1);
      add_verbs(*app, verb.children, chosen);
    }
    // Parsed callbacks run parent after child: keep the innermost.
    app->callback([&verb, &chosen] {
      if (chosen == nullptr) chosen = &verb;
    });
  }
}

}  // namespace

int exit_code_of(const Error& error) {
  switch (error.code) {
    case Code::invalid_argument:
    case Code::not_found:
    case Code::corrupt:
    case Code::unsupported: return exit_usage;
    case Code::unavailable:
    case Code::timed_out:
    case Code::resource_exhausted:
    case Code::permission: return exit_environment;
    case Code::cancelled: return exit_interrupted;
    case Code::internal: return exit_bug;
  }
  return exit_bug;
}

int report(const Error& error) {
  std::fprintf(stderr, "hearth: %s\n", error.message.c_str());
  return exit_code_of(error);
}

int run_command_line(int argc, char** argv, const std::string& description,
                     const std::string& version, const std::vector<Verb>& verbs) {
  CLI::App app(description);
  app.set_version_flag("--version", version);
  app.require_subcommand(1);
  const Verb* chosen = nullptr;
  add_verbs(app, verbs, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? exit_done : exit_usage;
  }
  if (chosen == nullptr || !chosen->run) return exit_usage;
  return chosen->run();
}

}  // namespace hearth::cli
