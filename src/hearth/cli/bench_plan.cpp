#include "hearth/cli/bench_plan.h"

namespace hearth::cli {
namespace {

Json list_of(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const std::string& text : texts) out.push(text);
  return out;
}

// Machine, versions, and the engine, model and files behind each target.
Json what_is_measured(const Json& environment) {
  Json out = Json::object();
  for (const char* key : {"hearth", "machine", "processor", "cores", "system", "settings", "files"}) {
    if (const Json* value = environment.find(key)) out.set(key, *value);
  }
  Json targets = Json::array();
  if (const Json* list = environment.find("targets"); list != nullptr && list->is_array()) {
    for (Json target : list->as_array()) {
      target.erase("load_s");
      targets.push(std::move(target));
    }
  }
  out.set("targets", std::move(targets));
  return out;
}

}  // namespace

Json bench_settings(const BenchFlags& flags) {
  const WorkerSettings& worker = flags.worker;
  return Json::object({{"answer_tokens", flags.answer_tokens},
                       {"repeats", flags.repeats},
                       {"warm_ups", flags.warm_ups},
                       {"seed", flags.seed},
                       {"time_max_s", flags.time_max_s},
                       {"trace", flags.trace.string()},
                       {"agents", flags.agent_turns},
                       {"scale", flags.scale},
                       {"speed", flags.speed},
                       {"in_flight", flags.in_flight},
                       {"sessions", flags.sessions},
                       {"block_tokens", flags.block_tokens},
                       {"context_tokens", worker.context_tokens},
                       {"sequences", worker.sequences},
                       {"chunk_tokens", worker.chunk_tokens},
                       {"ubatch_tokens", worker.ubatch_tokens},
                       {"threads", worker.threads},
                       {"kv_type", worker.kv_type},
                       {"device", worker.device}});
}

Json bench_plan(const BenchFlags& flags, const std::vector<bench::Case>& cases, const Json& environment,
                const Json& predicted) {
  Json list = Json::array();
  for (const bench::Case& one : cases) list.push(bench::case_text(one));
  return Json::object({{"cases", std::move(list)}, {"targets", list_of(flags.targets)},
                       {"measured", what_is_measured(environment)}, {"predicted", predicted}});
}

}  // namespace hearth::cli
