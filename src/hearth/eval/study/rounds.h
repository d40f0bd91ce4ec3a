#pragma once
// Blind rounds on disk: frozen, sealed, committed to; later opened and checked. The map of round N is
// the file round-N.sealed beside the records, readable by its owner only. Between begin and open nobody
// reads it: who grades has ids and texts.
//
// A crash between the sealed file and the commitment leaves a file that nothing names; the next begin
// replaces it. One thread.

#include <filesystem>
#include <functional>
#include <optional>

#include "hearth/base/file.h"
#include "hearth/eval/study/scores.h"

namespace hearth::eval {

// The round that is not opened yet.
std::optional<std::uint32_t> round_under_way(const StudyRecords& records);

// Makes a round of all answers below `generations` that need a judge and have no task. Nothing: there
// are none. No round may be under way (CHECK).
Result<std::optional<std::uint32_t>> begin_round(const std::filesystem::path& folder, const Suite& suite,
                                                 const ArmsFile& file, std::uint32_t generations,
                                                 store::StudyStore& records, FileSystem& files,
                                                 const std::function<Result<std::string>()>& nonce);

// Every grade of the judge is in, given up ones included.
bool is_graded(const StudyRecords& records, std::uint32_t round, const JudgeSpec& judge);

// Opens it. Another map than the committed one is found out by the control commitment, not here.
Result<> open_round(const std::filesystem::path& folder, std::uint32_t round, store::StudyStore& records);

std::filesystem::path sealed_file(const std::filesystem::path& folder, std::uint32_t round);

}  // namespace hearth::eval
