#pragma once
// Tool-call ids live twice. Outside, a client sees random ids (a repeated one sends Claude Code into a
// loop). Inside, a model sees the form it was trained on, Kimi's functions.NAME:IDX, with IDX counting
// the calls of the conversation from 0. The inside form follows from the position alone, so the same
// history always renders to the same prompt, also after a restart or a compaction. Pure.

#include <string>
#include <string_view>

#include "hearth/base/random.h"

namespace hearth::chat {

std::string native_id(std::string_view name, std::size_t index);

// The tool's name in what a model wrote where an id belongs: between the first '.' and the last
// ':' before digits; ids without "functions." or without an index are taken as well.
std::string name_of_native_id(std::string_view id);

// "toolu_" or "call_" + 24 letters and digits.
std::string random_outward_id(std::string_view prefix, Random& random);

}  // namespace hearth::chat
