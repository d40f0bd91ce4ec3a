#include "hearth/route/decide.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::route {
namespace {

const std::string* first_match(const std::vector<std::string>& patterns, std::string_view text) {
  const auto found = std::ranges::find_if(patterns, [&](const std::string& pattern) { return matches(pattern, text); });
  return found == patterns.end() ? nullptr : &*found;
}

// Of several folders that hold this one, the innermost counts.
struct FolderMatch {
  const ClassRule* rule = nullptr;
  std::string_view folder;
};
FolderMatch innermost(const RouteTable& table, std::string_view folder) {
  FolderMatch out;
  for (const ClassRule& rule : table.classes) {
    for (const std::string& outer : rule.folders) {
      if (is_within(folder, outer) && outer.size() > out.folder.size()) out = {&rule, outer};
    }
  }
  return out;
}

class Classifier {
 public:
  Classifier(const RouteTable& table, const Signals& signals) : table_(table), signals_(signals) {}

  ClassChoice choose() {
    const bool found = by_list(Signal::key, signals_.key, &ClassRule::keys) ||
                       by_name(Signal::header, signals_.header) ||
                       by_list(Signal::model, signals_.model, &ClassRule::models) ||
                       by_list(Signal::client, signals_.client, &ClassRule::clients) || by_folder() ||
                       by_marker() || by_list(Signal::session, signals_.session, &ClassRule::sessions) ||
                       by_name(Signal::session, signals_.session);
    if (!found) out_ = {table_.default_class, Signal::none, {}};
    return out_;
  }

 private:
  bool by_list(Signal signal, const std::string& text, std::vector<std::string> ClassRule::* patterns) {
    if (text.empty()) return false;
    for (const ClassRule& rule : table_.classes) {
      if (const std::string* met = first_match(rule.*patterns, text)) return take(rule, signal, *met);
    }
    return false;
  }
  bool by_name(Signal signal, const std::string& name) {
    const ClassRule* rule = name.empty() ? nullptr : table_.find_class(name);
    return rule != nullptr && take(*rule, signal, rule->name);
  }
  bool by_folder() {
    if (signals_.folder.empty()) return false;
    const FolderMatch match = innermost(table_, signals_.folder);
    return match.rule != nullptr && take(*match.rule, Signal::folder, match.folder);
  }
  bool by_marker() {
    for (const ClassRule& rule : table_.classes) {
      for (const std::string& marker : rule.markers) {
        if (signals_.system_text.find(marker) != std::string::npos) return take(rule, Signal::marker, marker);
      }
    }
    return false;
  }
  bool take(const ClassRule& rule, Signal signal, std::string_view met) {
    out_ = {rule.name, signal, std::string(met)};
    return true;
  }

  const RouteTable& table_;
  const Signals& signals_;
  ClassChoice out_;
};

class Decider {
 public:
  Decider(const RouteTable& table, const Question& question, const AskVerdict& ask)
      : table_(table), question_(question), ask_(ask), choice_(classify(table, question.signals)) {}

  Decision decide() {
    out_.signal = choice_.signal;
    out_.rule = choice_.rule;
    out_.route_class = choice_.route_class;
    say_class();
    if (!question_.past || !keep(*question_.past)) begin();
    return std::move(out_);
  }

 private:
  const ClassRule& rule_of(std::string_view name) const {
    const ClassRule* rule = table_.find_class(name);
    return rule != nullptr ? *rule : *table_.find_class(table_.default_class);
  }

  bool allowed(std::string_view target) const {
    const Target* found = table_.find_target(target);
    return found != nullptr && seal::may_go(question_.label, found->reach);
  }

  void say(std::string sentence) { out_.because.push_back(std::move(sentence)); }

  void say_class() {
    if (choice_.signal == Signal::none) {
      return say(fmt::format("no signal names a class: it is \"{}\"", choice_.route_class));
    }
    say(fmt::format("its {} makes it \"{}\" (\"{}\")", signal_name(choice_.signal), choice_.route_class, choice_.rule));
  }

  // True: decided. Within a tool loop nothing moves a conversation.
  bool keep(const Past& past) {
    const Target* target = table_.find_target(past.target);
    const bool loop = question_.in_tool_loop;
    if (target == nullptr) {
      if (loop) {
        return refuse(fmt::format(
            "its tool loop runs at {}, which is configured no more: begin a new conversation", past.target));
      }
      say(fmt::format("it was at {}, which is configured no more", past.target));
      return false;
    }
    if (!allowed(past.target)) {
      if (loop) {
        return refuse(fmt::format("its label rose to {} within a tool loop at {}: begin a new conversation",
                                  seal::label_name(question_.label), past.target));
      }
      say(fmt::format("it was at {}, where its label ({}) may not go", past.target, seal::label_name(question_.label)));
      return false;
    }
    const bool user_chose = choice_.signal == Signal::header || choice_.signal == Signal::model;
    if (!loop && user_chose && choice_.route_class != past.route_class) {
      say(fmt::format("it was \"{}\"; the user chose another class between turns", past.route_class));
      return false;
    }
    const ClassRule& rule = rule_of(past.route_class);
    out_.kept = true;
    out_.route_class = past.route_class;
    out_.policy = rule.policy;
    go(past.target);
    say(loop ? fmt::format("it stays at {}: it is within a tool loop", past.target)
             : fmt::format("it stays at {}, where it began", past.target));
    if (!loop) set_escalation(rule);
    return true;
  }

  bool refuse(std::string why) {
    out_.policy = rule_of(question_.past->route_class).policy;
    say("refused: " + std::move(why));
    return true;
  }

  void begin() {
    const ClassRule& rule = rule_of(choice_.route_class);
    out_.policy = rule.policy;
    std::string wanted = rule.local;
    switch (rule.policy) {
      case Policy::local: say(fmt::format("policy local: {}", rule.local)); break;
      case Policy::escalate: say(fmt::format("policy escalate: {} first", rule.local)); break;
      case Policy::cloud:
        wanted = rule.cloud;
        say(fmt::format("policy cloud: {}", rule.cloud));
        break;
      case Policy::verdict: wanted = by_verdict(rule); break;
    }
    if (!allowed(wanted)) wanted = home(rule, wanted);
    go(wanted);
    set_escalation(rule);
  }

  std::string by_verdict(const ClassRule& rule) {
    const std::string bench_class = rule.verdict_class.empty() ? rule.name : rule.verdict_class;
    const std::string arm = rule.arm.empty() ? rule.local : rule.arm;
    out_.verdict = ask_ ? ask_(bench_class, arm) : VerdictState{Standing::missing, "there is no record of verdicts"};
    const bool stands = out_.verdict.standing == Standing::stands;
    const bool refuted = out_.verdict.standing == Standing::refuted;
    const bool here = stands || (!refuted && rule.local_when_stale);
    const std::string target = here || rule.cloud.empty() ? rule.local : rule.cloud;
    say(fmt::format("policy verdict: that of {} for {} {}{}{}: {}", arm, bench_class,
                    standing_name(out_.verdict.standing), out_.verdict.reason.empty() ? "" : ", ",
                    out_.verdict.reason, target));
    return target;
  }

  // A label stands above every policy.
  std::string home(const ClassRule& rule, const std::string& wanted) {
    const std::string target = allowed(rule.local) ? rule.local : std::string(local_target);
    say(fmt::format("its label is {}: {} instead of {}", seal::label_name(question_.label), target, wanted));
    return target;
  }

  void go(const std::string& target) {
    out_.target = target;
    out_.reach = table_.find_target(target)->reach;
  }

  void set_escalation(const ClassRule& rule) {
    const bool may = rule.policy == Policy::escalate && out_.target == rule.local &&
                     !question_.in_tool_loop && allowed(rule.cloud);
    if (!may) return;
    out_.escalate_to = rule.cloud;
    say(fmt::format("should {} fail before any of the answer is there: {}", rule.local, rule.cloud));
  }

  const RouteTable& table_;
  const Question& question_;
  const AskVerdict& ask_;
  const ClassChoice choice_;
  Decision out_;
};

}  // namespace

std::string_view standing_name(Standing standing) {
  switch (standing) {
    case Standing::not_asked: return "not asked";
    case Standing::stands: return "stands";
    case Standing::refuted: return "refuted";
    case Standing::stale: return "stale";
    case Standing::missing: return "missing";
  }
  return "";
}

ClassChoice classify(const RouteTable& table, const Signals& signals) { return Classifier(table, signals).choose(); }

Decision decide(const RouteTable& table, const Question& question, const AskVerdict& ask) {
  return Decider(table, question, ask).decide();
}

std::string route_header(const Decision& decision) {
  std::string out = fmt::format("target={}; class={}; by={}; policy={}",
                                decision.target.empty() ? "refused" : decision.target, decision.route_class,
                                signal_name(decision.signal), policy_name(decision.policy));
  if (decision.verdict.standing != Standing::not_asked) {
    out += fmt::format("; verdict={}", standing_name(decision.verdict.standing));
  }
  if (decision.kept) out += "; kept";
  return out;
}

}  // namespace hearth::route
